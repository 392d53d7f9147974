"""Which database a node uses: the server that the settings name, or the one it brings along."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from dicom_node.settings import Settings
from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.migrate import migrate


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """An engine on the migrated database, for as long as the block lasts.

    Raises:
        DatabaseError: no server answers, or its schema is newer than this version.
    """
    server = None if settings.database_url else EmbeddedServer(settings.data_folder / "postgres")
    try:
        engine = connect(settings.database_url or (server.url if server else ""))
        try:
            migrate(engine)
            yield engine
        finally:
            engine.dispose()
    finally:
        if server is not None:
            server.close()
