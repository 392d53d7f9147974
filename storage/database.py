"""The connection to PostgreSQL: one engine, and errors that name the server and the remedy."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from storage.bounded_connection import PATIENT, Limits, connect_arguments, tell_psycopg2
from storage.outages import (
    DatabaseError,
    UnreachableError,
    first_line,
    is_outage,
    may_pass,
    refusal,
)

__all__ = [
    "CHANNEL",
    "DatabaseError",
    "Listener",
    "UnreachableError",
    "connect",
    "is_outage",
    "notify",
    "refusal",
    "unreachable_explained",
]

CHANNEL = "likeness"


def connect(database_url: str, limits: Limits = PATIENT) -> Engine:
    """An engine on ``database_url``, proved by one connection; no wait on it is endless.

    Raises:
        UnreachableError: no server answers there, or not yet.
        DatabaseError: the URL is malformed, or the server does not let us in as it stands.
    """
    url = _postgresql_url(database_url)
    tell_psycopg2()
    engine = create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text goes to the log, and names must not
        connect_args=_without(url.query, connect_arguments(limits)),
    )
    try:
        with _cannot_connect_explained(url), engine.connect() as connection:
            _check_encoding(url, connection)
    except DatabaseError:
        engine.dispose()
        raise
    return engine


def beside(engine: Engine, *, connections: int, limits: Limits = PATIENT) -> Engine:
    """Another pool on the same database, of so many connections at most.

    Who waits for one of these keeps nobody waiting who uses ``engine``.
    """
    kept = connections // 3
    return create_engine(
        engine.url,
        pool_pre_ping=True,
        pool_size=kept,
        max_overflow=connections - kept,
        hide_parameters=True,
        connect_args=_without(engine.url.query, connect_arguments(limits)),
    )


def _without(chosen: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the site says in its URL stands."""
    return {key: value for key, value in arguments.items() if key not in chosen}


@contextmanager
def _cannot_connect_explained(url: URL) -> Iterator[None]:
    try:
        yield
    except DBAPIError as fault:
        kind = UnreachableError if may_pass(fault) else DatabaseError
        raise kind(
            f"database at {_shown(url)} cannot be reached: "
            f"{first_line(fault)}. Check database_url and that the server runs."
        ) from fault


def _check_encoding(url: URL, connection: Connection) -> None:
    """In another encoding, names that it lacks would be refused, one image after another."""
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise DatabaseError(
            f"database at {_shown(url)} is encoded in {encoding}: make one with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _postgresql_url(database_url: str) -> URL:
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError) as fault:  # the second for a port that is no number
        raise DatabaseError(
            "database_url is not a URL; write postgresql://user:password@host:5432/database"
        ) from fault
    if url.get_backend_name() != "postgresql":
        raise DatabaseError(
            f"database_url names {url.get_backend_name()!r}; only postgresql:// is supported"
        )
    return url.set(drivername="postgresql+psycopg2")


@contextmanager
def unreachable_explained(what: str) -> Iterator[None]:
    """Turns an outage into an ``UnreachableError`` that says what was being done."""
    try:
        yield
    except DBAPIError as fault:
        if not is_outage(fault):
            raise
        raise UnreachableError(
            f"{what}: the database does not answer: {first_line(fault)}"
        ) from fault


def notify(connection: Connection, topic: str) -> None:
    """Wakes whoever listens for ``topic`` once the transaction commits."""
    connection.execute(
        text("SELECT pg_notify(:channel, :topic)"), {"channel": CHANNEL, "topic": topic}
    )


class Listener:
    """Waits for notifications of one topic, so that work starts at once and nothing polls hard.

    A notification may be missed while the connection is down; callers therefore always give a
    timeout and look at their queue when it passes.
    """

    def __init__(self, engine: Engine, topic: str) -> None:
        self._topic = topic
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.detach()  # from the pool: taken from nobody, and closed for good
        try:
            self._connection.execute(text(f"LISTEN {CHANNEL}"))
        except DBAPIError:
            self.close()
            raise

    def wait(self, timeout_s: float) -> bool:
        """True as soon as the topic is notified, False after ``timeout_s`` seconds.

        Raises:
            UnreachableError: the connection is lost.
        """
        driver: Any = self._connection.connection.dbapi_connection
        if driver is None:
            raise UnreachableError("the listening connection is closed")
        poll = select.poll()  # select.select knows no file descriptor above 1023
        poll.register(driver, select.POLLIN)
        if not poll.poll(1000 * timeout_s):
            return False
        with unreachable_explained("waiting for work"):
            return self._drain(driver)

    def _drain(self, driver: Any) -> bool:
        self._connection.execute(text("SELECT 1"))  # polls, and raises if the server went away
        topics = {notice.payload for notice in driver.notifies}
        driver.notifies.clear()
        return self._topic in topics

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
