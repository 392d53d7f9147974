"""Connections to PostgreSQL on which no wait is endless.

A host can vanish without a word, and a server can take a question and never answer it: stopped,
or its disk hangs. libpq waits for ever then. Three bounds stand against it, from the near to the
far: TCP says when the other host is gone, the server gives up a statement or a lock that takes
too long, and we give up a server that is silent for longer than it may be.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg2
from psycopg2 import extensions

CONNECT_S = 15.0
"""Silence while connecting, of each step; above TCP's own bound, after which libpq tries the next
host of the URL."""

VANISHED_MS = 10_000
_SLACK_S = 10.0


@dataclass(frozen=True)
class Limits:
    """Seconds that a statement may take, and that it may wait for a lock."""

    statement_s: float
    lock_s: float = 30.0

    @property
    def silence_s(self) -> float:
        """How long a server may be silent: longer than it takes to give up a statement."""
        return self.statement_s + _SLACK_S


PATIENT = Limits(statement_s=600.0)
"""For work on the whole archive: at 10,000,000 vectors a count or a filter takes a minute or two,
a migration that makes an index several."""

PROMPT = Limits(statement_s=60.0)
"""For intake, delivery and what a node says of itself: statements on a few rows, and once at the
start one on all names in the spool, some seconds for a million."""


class BoundedConnection(extensions.connection):  # type: ignore[misc]  # psycopg2 has no types
    """A psycopg2 connection whose session, and whose own waits, keep to ``limits``.

    ``tell_psycopg2`` must have been called.
    """

    def __init__(self, dsn: str, *, limits: Limits) -> None:
        self.silence_s = CONNECT_S
        super().__init__(dsn)
        self.cursor_factory = _Cursor
        with self.cursor() as cursor:
            cursor.execute(_SESSION, {"statement": limits.statement_s, "lock": limits.lock_s})
        self.commit()  # a rollback would take the settings back
        self.silence_s = limits.silence_s


class _Cursor(extensions.cursor):  # type: ignore[misc]  # psycopg2 has no types
    """Says of a value that cannot be written (a NUL, half a surrogate pair) that the data are bad.

    psycopg2 raises a ValueError, which would pass for a fault of the program.
    """

    def execute(self, query: Any, values: Any = None) -> None:
        with _bad_data_told():
            super().execute(query, values)

    def executemany(self, query: Any, rows: Any) -> None:
        with _bad_data_told():
            super().executemany(query, rows)


@contextmanager
def _bad_data_told() -> Iterator[None]:
    try:
        yield
    except ValueError as fault:
        raise psycopg2.DataError(str(fault)) from fault


# set_config, as startup options are refused by PgBouncer. The server is to notice soon, too, when
# we vanish, for our locks would keep back other nodes. A commit that we saw must be on disk.
_SESSION = """
    SELECT set_config('statement_timeout', (1000 * %(statement)s)::int::text, false),
           set_config('lock_timeout', (1000 * %(lock)s)::int::text, false),
           set_config('idle_in_transaction_session_timeout', '10min', false),
           set_config('tcp_keepalives_idle', '10', false),
           set_config('tcp_keepalives_interval', '5', false),
           set_config('tcp_keepalives_count', '3', false),
           set_config('synchronous_commit', replace(setting, 'off', 'on'), false)
    FROM pg_settings WHERE name = 'synchronous_commit'
"""


def connect_arguments(limits: Limits) -> dict[str, Any]:
    """What a driver of SQLAlchemy is to give psycopg2 and libpq, beside the URL.

    A server that only reads (a standby, or one cut off from its own) counts as none; of several
    hosts in a URL any may come first, so that one that hangs does not hide the others.
    """
    return {
        "connection_factory": partial(BoundedConnection, limits=limits),
        "application_name": "likeness",
        "target_session_attrs": "read-write",
        "load_balance_hosts": "random",
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": VANISHED_MS,
    }


def tell_psycopg2() -> None:
    """Has psycopg2 wait through us. It knows one way to wait for all connections of a process;
    those that are not bounded wait as ever."""
    extensions.set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    silence_s = getattr(connection, "silence_s", None)
    while (state := connection.poll()) != extensions.POLL_OK:
        poll = select.poll()  # select.select knows no file descriptor above 1023
        awaited = select.POLLIN if state == extensions.POLL_READ else select.POLLOUT
        poll.register(connection.fileno(), awaited)
        if not poll.poll(None if silence_s is None else 1000 * silence_s):
            raise psycopg2.OperationalError(f"the server was silent for {silence_s:g} s")
