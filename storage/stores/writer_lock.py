"""One writer at a time to a space's store, on whatever host: an advisory lock in PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, func, select
from sqlalchemy.engine import Connection


@contextmanager
def writing_alone(engine: Engine, space_id: str, *, wait: bool = False) -> Iterator[bool]:
    """Whether we are who writes to a space's store; nobody else is for the block, on any host.

    With ``wait`` it is waited for, as long as the database lets wait for a lock.
    """
    with engine.begin() as connection:
        yield alone_with(connection, space_id, wait=wait)


def alone_with(connection: Connection, space_id: str, *, wait: bool = False) -> bool:
    """The same to the end of a connection's transaction."""
    name = func.hashtextextended(f"likeness store {space_id}", 0)
    # the lock is held as long as the store takes, and nothing is asked of PostgreSQL meanwhile
    connection.execute(select(func.set_config("idle_in_transaction_session_timeout", "0", True)))
    if wait:
        connection.execute(select(func.pg_advisory_xact_lock(name)))
        return True
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(name))).scalar_one())
