"""The store of a space: pgvector's in the archive's database, or one in Milvus."""

import hashlib
from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from storage import case_numbers
from storage.answer import SpaceSummary
from storage.outages import StoreError
from storage.stores.milvus import MilvusStore
from storage.stores.milvus_server import Address, MilvusServer
from storage.stores.pgvector import PgVectorStore
from storage.stores.store import Store
from storage.vectors.choice import Choice


@dataclass(frozen=True)
class StoreWanted:
    """Which store.

    Attributes:
        choice: how it searches.
        milvus_uri: where Milvus is; None for pgvector.
        milvus_token: what it lets us in by.
        timeout_s: after which a question to it has failed.
    """

    choice: Choice
    milvus_uri: str | None = None
    milvus_token: str = field(default="", repr=False)
    timeout_s: float = 30.0


def open_store(engine: Engine, space: SpaceSummary, wanted: StoreWanted) -> Store:
    """The store of a space, made where there is none.

    Args:
        engine: of the archive's database.
        space: whose vectors it holds.
        wanted: which one.

    Raises:
        StoreError: it cannot be used; the message says why.
        DBAPIError: the database does not answer.
    """
    if wanted.milvus_uri is None:
        return PgVectorStore(engine, space, wanted.choice)
    archive, owner = archive_of(engine), owner_of(engine)
    server = MilvusServer(Address(wanted.milvus_uri, wanted.milvus_token, wanted.timeout_s))
    try:
        return MilvusStore(server, space, wanted.choice, archive=archive, owner=owner)
    except StoreError:
        server.close()
        raise


def archive_of(engine: Engine) -> str:
    """What tells this archive from others that use the same Milvus, and nothing more."""
    with engine.begin() as connection:
        key = case_numbers.key_of_archive(connection)
    return hashlib.sha256(b"store of vectors" + key).hexdigest()


def owner_of(engine: Engine) -> int:
    """What tells this database from one that was made of its dump, or copied beside it.

    A server's identifier is made with it, and goes with a copy of its files only (PostgreSQL,
    pg_control_system); so a standby that takes over is the same, and so is such a copy.
    """
    with engine.connect() as connection:
        server, database = connection.execute(
            text(
                "SELECT system_identifier, oid FROM pg_control_system(), pg_database "
                "WHERE datname = current_database()"
            )
        ).one()
    digest = hashlib.sha256(f"{server} {database}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1 or 1  # of 63 bits, and not NOBODY
