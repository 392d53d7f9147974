"""Proves the index equal to the database."""

from sqlalchemy import Engine

from dicom_node.asking import space_in_use
from dicom_node.settings import Settings
from storage import snapshot
from storage.index import VectorIndex, differences, snapshot_path


def verify(engine: Engine, settings: Settings) -> tuple[int, list[str]]:
    """How many vectors the index holds, and every way in which it differs from the database.

    The index is what a start of the node would make of the snapshot on disk; a missing snapshot
    is no difference (it is rebuilt), one that cannot be trusted is.
    """
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    with frozen.connect() as connection:
        space = space_in_use(connection)
        try:
            index = VectorIndex.load(snapshot_path(settings.index_folder, space.id), space)
        except FileNotFoundError:
            index = VectorIndex(space.id, space.dimension)
        except snapshot.SnapshotError as fault:
            return 0, [f"the snapshot cannot be trusted: {fault}"]
        index.catch_up(connection)
        return index.count, differences(connection, index)
