"""The outcome of a try is written, or the try is given up: never is it made again and again."""

import logging
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from storage.outages import is_outage, refusal

log = logging.getLogger(__name__)

Written = TypeVar("Written")


def write_outcome(
    engine: Engine,
    what: str,
    write: Callable[[Connection], Written],
    give_up: Callable[[Connection, str], None],
) -> Written | None:
    """What ``write`` returns; None where the database refuses it.

    A refusal does not pass as an outage does: waited out like one, it would have the same thing
    sent for ever. So ``give_up`` makes a dead letter of it, with the reason; the log names it by
    ``what``.

    Raises:
        DBAPIError, PoolTimeoutError: the database is away; the try is to be made again.
    """
    try:
        with engine.begin() as connection:
            return write(connection)
    except DBAPIError as fault:
        if is_outage(fault):
            raise
        reason = f"its outcome is {refusal(fault)}"
    with engine.begin() as connection:
        give_up(connection, reason)
    log.error("%s: given up: %s", what, reason)
    return None
