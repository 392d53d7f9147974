"""Which database a node uses: the server that the settings name, or the one it brings along."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from dicom_node.rounds import when_reached
from dicom_node.settings import Settings
from storage.bounded_connection import PATIENT, PROMPT, Limits
from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.migrate import migrate
from storage.outages import DatabaseError, UnreachableError, first_line, may_pass

START_S = 5.0
"""How long a node's start stands still for one try to start its own server."""


@dataclass(frozen=True)
class NodeDatabase:
    """The database of a running node; ``server`` is None where the site has its own."""

    engine: Engine
    server: EmbeddedServer | None

    @property
    def url(self) -> str:
        """With its password: for a process of ours, not for the log."""
        return self.engine.url.render_as_string(hide_password=False)

    def revive_if_dead(self) -> bool:
        """Starts our own server again if it died; True if it did so just now. Cheap otherwise."""
        return self.server is not None and self.server.revive_if_dead()


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """An engine on the migrated database, for as long as the block lasts.

    Raises:
        UnreachableError: no server answers, or not yet.
        DatabaseError: it does not let us in, or its schema is newer than this version.
    """
    with ExitStack() as stack:
        server = None
        if settings.database_url is None:
            server = EmbeddedServer(settings.data_folder / "postgres")
            stack.callback(server.close)
        engine = _migrated(settings, server, PATIENT)
        stack.callback(engine.dispose)
        yield engine


@contextmanager
def node_database(settings: Settings, stop: threading.Event) -> Iterator[NodeDatabase]:
    """The same for ``likeness serve``, which waits for a server that is not up yet.

    Raises:
        StoppedWaitingError: ``stop`` was set meanwhile.
        DatabaseError: somebody must set something right; the message says what.
    """
    with ExitStack() as stack:
        server = None
        if settings.database_url is None:
            folder = settings.data_folder / "postgres"
            server = when_reached(
                "the node", lambda: EmbeddedServer(folder, ready_within_s=START_S), stop
            )
            stack.callback(server.close)
        engine = when_reached("the node", lambda: _migrated(settings, server, PROMPT), stop)
        stack.callback(engine.dispose)
        yield NodeDatabase(engine, server)


def _migrated(settings: Settings, server: EmbeddedServer | None, limits: Limits) -> Engine:
    if server is not None:
        server.revive_if_dead()
    url = settings.database_url or (server.url if server else "")
    # A migration may take long, and leaves its session without our limits: an engine of its own.
    migrating = connect(url, PATIENT)
    try:
        migrate(migrating)
    except DBAPIError as fault:
        kind = UnreachableError if may_pass(fault) else DatabaseError
        raise kind(f"the database cannot be brought up to date: {first_line(fault)}") from fault
    finally:
        migrating.dispose()
    return connect(url, limits)
