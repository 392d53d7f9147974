"""Proves the index equal to the database, for each space that has one."""

from dataclasses import dataclass

from sqlalchemy import Engine

from dicom_node.asking import known_space_in_use
from dicom_node.settings import Settings
from storage import spaces
from storage.index import SnapshotError, VectorIndex, snapshot_path
from storage.index_check import Checked, check
from storage.spaces import KnownSpace


@dataclass(frozen=True)
class Verified:
    """What was found of a space.

    Attributes:
        space: that was looked at.
        is_in_use: whether it is the one that answers.
        checked: what was found.
        count: how many vectors the index holds.
        engine: what finds them.
    """

    space: KnownSpace
    is_in_use: bool
    checked: Checked
    count: int = 0
    engine: str = ""


def verify(engine: Engine, settings: Settings, *, sample: int | None = None) -> list[Verified]:
    """The space in use, then the one that is being filled, then others that have a snapshot.

    So many vectors as ``sample`` says are compared, all if it is None. The index is what a start of
    the node would make of the snapshot on disk; a missing snapshot is no difference (it is
    rebuilt), one that cannot be trusted is.

    Raises:
        SearchError: nothing was ever indexed here.
    """
    with engine.connect() as connection:
        used = known_space_in_use(connection)
        known = spaces.known(connection)
    with_index = [used]
    for space in known:
        has_index = snapshot_path(settings.index_folder, space.id).exists()
        if space.id != used.id and (has_index or space.wanted_since is not None):
            with_index.append(space)
    return [
        _verified(engine, settings, space, is_in_use=space.id == used.id, sample=sample)
        for space in with_index
    ]


def _verified(
    engine: Engine,
    settings: Settings,
    space: KnownSpace,
    *,
    is_in_use: bool,
    sample: int | None,
) -> Verified:
    # the snapshot first: a later one would hold what the database, as it stands below, has not
    try:
        index = VectorIndex.load(snapshot_path(settings.index_folder, space.id), space.summary)
    except FileNotFoundError:
        index = VectorIndex.empty(space.summary)
    except SnapshotError as fault:
        faults = [f"the snapshot cannot be trusted: {fault}"]
        return Verified(space, is_in_use, Checked(faults, 0, None))
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    with frozen.connect() as connection:
        index.catch_up(connection)
        checked = check(connection, index, sample=sample)
        return Verified(space, is_in_use, checked, index.count, str(index.choice))
