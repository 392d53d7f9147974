"""Who is at fault when PostgreSQL says no: the server, or what was asked of it.

An instance is set aside only for the second, so all that is not surely that counts as an outage:
work waits and is tried again, and nothing is lost if the judgement was wrong.
"""

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class DatabaseError(Exception):
    """The database cannot be used; the message names the server and the remedy."""


class UnreachableError(DatabaseError):
    """No server answers, or not yet: waiting may help."""


class StoreError(UnreachableError):
    """A store that cannot be used as it is; the message names it and the remedy.

    It counts as an outage: whoever works waits, for all that may be wrong (no server, no right, no
    extension, a collection that somebody dropped) can be set right while a node runs.
    """


OUTAGES = (DBAPIError, PoolTimeoutError, DatabaseError)
"""What a loop that waits for its database catches."""

REFUSING_CLASSES = frozenset(
    {
        "21",  # cardinality violation
        "22",  # data exception: no valid JSON, a number out of range, no such character
        "23",  # integrity constraint violation
        "44",  # WITH CHECK OPTION violation
        "54",  # program limit exceeded: a text too long for an index, say
        "P0",  # raised by a function of the site's own, such as a trigger
    }
)
"""SQLSTATE classes (PostgreSQL, appendix A) that blame the data. Class 42, syntax or access rule,
is not among them: our statements are fixed, so a missing table or right is the server's fault."""

_FINAL = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    "does not exist",
    "is not permitted to log in",
    "permission denied",
    "does not support SSL",
    "certificate verify failed",
)


def is_outage(fault: Exception) -> bool:
    """True if the server or the connection is at fault, not what was asked of it."""
    if not isinstance(fault, DBAPIError):
        return isinstance(fault, (PoolTimeoutError, DatabaseError))
    code = getattr(fault.orig, "pgcode", None)
    if code:
        return code[:2] not in REFUSING_CLASSES
    by_driver = isinstance(fault, (DataError, IntegrityError, ProgrammingError, NotSupportedError))
    return bool(fault.connection_invalidated) or not by_driver


def may_pass(fault: DBAPIError) -> bool:
    """True if a fault at the start may go away by itself; False if somebody must set it right.

    A refused connection has no SQLSTATE in psycopg2, so its text decides. Where the server's
    texts are translated, a wrong password is waited for, with the server's words in the log.
    """
    if (getattr(fault.orig, "pgcode", None) or "")[:2] in {"28", "3D", "3F", "42"}:
        return False
    return is_outage(fault) and not any(text in str(fault.orig) for text in _FINAL)


def refusal(fault: DBAPIError) -> str:
    """Why the database did not take what it was given, in one line, for the quarantine."""
    return f"refused by the database: {first_line(fault)}"


def first_line(fault: SQLAlchemyError) -> str:
    """What the driver said, in one line; without the statement, which may hold names."""
    said = str(getattr(fault, "orig", None) or fault).strip()
    return said.splitlines()[0] if said else type(fault).__name__
