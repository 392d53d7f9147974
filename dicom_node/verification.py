"""Proves the index equal to the database, for each space that has one."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.asking import known_space_in_use
from dicom_node.settings import Settings
from dicom_node.store_index import held_still
from storage import embeddings, slices, spaces
from storage.index import INLINE_MOST, SnapshotError, VectorIndex, read_whole, snapshot_path
from storage.index_check import Checkable, Checked, check
from storage.spaces import KnownSpace

UNPROVED = (
    "there is no index to compare, or one that is far behind: the node writes it anew, and "
    "answers come from the database meanwhile"
)


@dataclass(frozen=True)
class Verified:
    """What was found of a space.

    Attributes:
        space: that was looked at.
        is_in_use: whether it is the one that answers.
        checked: what was found.
        count: how many vectors the index holds.
        engine: what finds them.
        unproved: why there was nothing to compare; empty if there was.
    """

    space: KnownSpace
    is_in_use: bool
    checked: Checked
    count: int = 0
    engine: str = ""
    unproved: str = ""

    @property
    def most_that_differ(self) -> float:
        """As ``Checked`` says of a sample; 0 where all were compared."""
        return self.checked.most_that_differ if self.checked.compared < self.count else 0.0


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
    if settings.index.is_store:
        return _verified_in_store(engine, settings, space, is_in_use=is_in_use, sample=sample)
    # the snapshot first: a later one would hold what the database, as it stands below, has not
    index = None
    try:
        index = VectorIndex.load(snapshot_path(settings.index_folder, space.id), space.summary)
    except FileNotFoundError:
        pass
    except SnapshotError as fault:
        faults = [f"the snapshot cannot be trusted: {fault}"]
        return Verified(space, is_in_use, Checked(faults, 0, None))
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    with frozen.connect() as connection:
        index = _caught_up(connection, space, index)
        if index is None:
            return Verified(space, is_in_use, Checked([], 0, None), unproved=UNPROVED)
        checked = _checked(connection, index, space, sample=sample)
        return Verified(space, is_in_use, checked, index.count, str(index.choice))


def _verified_in_store(
    engine: Engine, settings: Settings, space: KnownSpace, *, is_in_use: bool, sample: int | None
) -> Verified:
    with held_still(engine, settings.index, space.summary) as (index, connection):
        if index is None:
            return Verified(space, is_in_use, Checked([], 0, None), unproved=UNPROVED)
        checked = _checked(connection, index, space, sample=sample)
        how = f"{settings.index.engine} {index.choice}"
        return Verified(space, is_in_use, checked, index.count, how)


def _checked(
    connection: Connection, index: Checkable, space: KnownSpace, *, sample: int | None
) -> Checked:
    """The index, and the sets of slices beside it."""
    checked = check(connection, index, sample=sample)
    dimension = space.summary.dimension
    checked.faults.extend(slices.faults(connection, space_id=space.id, dimension=dimension))
    return checked


def _caught_up(
    connection: Connection, space: KnownSpace, index: VectorIndex | None
) -> VectorIndex | None:
    """The index as a start of the node would have it; None where that would write it anew."""
    if index is None:
        return read_whole(connection, space.summary, most=INLINE_MOST)
    after = index.watermark
    if embeddings.has_more_changes(connection, space_id=space.id, after=after, than=INLINE_MOST):
        return None
    index.catch_up(connection)
    return index
