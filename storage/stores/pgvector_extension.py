"""Whether a database has pgvector, new enough and where it is looked for."""

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from storage.outages import StoreError, first_line

OLDEST = (0, 7)
"""The first version of pgvector with ``halfvec``."""
_EXTENSION = text(
    "SELECT extversion, extnamespace::regnamespace::text AS schema, "
    "to_regtype('vector') IS NOT NULL AS is_seen FROM pg_extension WHERE extname = 'vector'"
)


def must_have_extension(connection: Connection) -> None:
    """Makes the extension where it is not there yet.

    Raises:
        StoreError: it cannot be made, is too old, or lies where it is not seen.
    """
    found = connection.execute(_EXTENSION).one_or_none()
    if found is None:
        try:
            with connection.begin_nested():
                connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
        except DBAPIError as fault:
            raise StoreError(
                f"the database has no extension vector, and we may not make it ({first_line(fault)}"
                "): install pgvector on its server, and have a superuser run CREATE EXTENSION "
                "vector in this database"
            ) from fault
        found = connection.execute(_EXTENSION).one()
    if tuple(int(part) for part in found.extversion.split(".")[:2]) < OLDEST:
        raise StoreError(
            f"pgvector {found.extversion} is too old: install {'.'.join(map(str, OLDEST))} or "
            "later on the server, and run ALTER EXTENSION vector UPDATE"
        )
    if not found.is_seen:
        raise StoreError(
            f"the extension vector lies in schema {found.schema}, where it is not looked for: "
            f"run ALTER ROLE … SET search_path = public, {found.schema} for the node's role"
        )
