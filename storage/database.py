"""The connection to PostgreSQL: one engine, and errors that name the server and the remedy."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

CHANNEL = "likeness"


class DatabaseError(Exception):
    """The database cannot be used; the message names the server and the remedy."""


def connect(database_url: str) -> Engine:
    """An engine on ``database_url``, proved by one connection.

    Raises:
        DatabaseError: the URL is malformed, or no server answers there.
    """
    url = _postgresql_url(database_url)
    engine = create_engine(
        url,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "application_name": "likeness"},
    )
    try:
        with engine.connect():
            return engine
    except OperationalError as fault:
        engine.dispose()
        raise DatabaseError(
            f"database at {url.render_as_string(hide_password=True)} cannot be reached: "
            f"{_first_line(fault)}. Check database_url and that the server runs."
        ) from fault


def _postgresql_url(database_url: str) -> URL:
    try:
        url = make_url(database_url)
    except ArgumentError as fault:
        raise DatabaseError(
            "database_url is not a URL; write postgresql://user:password@host:5432/database"
        ) from fault
    if url.get_backend_name() != "postgresql":
        raise DatabaseError(
            f"database_url names {url.get_backend_name()!r}; only postgresql:// is supported"
        )
    return url.set(drivername="postgresql+psycopg2")


def _first_line(fault: SQLAlchemyError) -> str:
    return str(getattr(fault, "orig", None) or fault).strip().splitlines()[0]


def is_outage(fault: DBAPIError) -> bool:
    """True if the server or the connection is at fault, not what was asked of it."""
    # SQLSTATE class 54, program limit exceeded, is an OperationalError too: a text too long for
    # an index, say. It would be refused again and again.
    too_much_asked = str(getattr(fault.orig, "pgcode", None) or "").startswith("54")
    outage = isinstance(fault, OperationalError) and not too_much_asked
    return outage or bool(fault.connection_invalidated)


def refusal(fault: DBAPIError) -> str:
    """Why the database did not take what it was given, in one line, for the quarantine."""
    return f"refused by the database: {_first_line(fault)}"


@contextmanager
def unreachable_explained(what: str) -> Iterator[None]:
    """Turns a lost connection into a ``DatabaseError`` that says what was being done."""
    try:
        yield
    except OperationalError as fault:
        raise DatabaseError(
            f"{what}: the database does not answer: {_first_line(fault)}"
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
        self._engine = create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._connection = self._engine.connect()
        self._connection.execute(text(f"LISTEN {CHANNEL}"))

    def wait(self, timeout_s: float) -> bool:
        """True as soon as the topic is notified, False after ``timeout_s`` seconds."""
        driver = self._connection.connection.driver_connection
        if driver is None:
            raise DatabaseError("the listening connection is closed")
        readable, _, _ = select.select([driver], [], [], timeout_s)
        if not readable:
            return False
        with unreachable_explained("waiting for work"):
            return self._drain(driver)

    def _drain(self, driver: object) -> bool:
        self._connection.execute(text("SELECT 1"))  # polls, and raises if the server went away
        notices = getattr(driver, "notifies", [])
        topics = {notice.payload for notice in notices}
        notices.clear()
        return self._topic in topics

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
