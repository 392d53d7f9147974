"""The vector index beside the database: kept up from the embeddings table, rebuildable from it.

One process owns it and saves; any number on the same host read the same file. What they hold in
memory beyond that file is what came since.
"""

import copy
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.answer import SpaceSummary
from storage.vector_stream import live_blocks
from storage.vectors import base as bases
from storage.vectors.approximate import Progress, quietly
from storage.vectors.base import Base, SnapshotError
from storage.vectors.choice import EXACT, Choice, Kind
from storage.vectors.engine import Engine
from storage.vectors.metric import Metric
from storage.vectors.segment import Neighbour
from storage.vectors.vector_set import VectorSet

__all__ = ["FarBehindError", "SnapshotError", "VectorIndex", "open_index"]

log = logging.getLogger(__name__)

SNAPSHOT_CHANGES = 100
"""A new snapshot is written after this many changes, or one in a hundred vectors."""
INLINE_MOST = 50_000
"""So many vectors are read into memory where there is no good snapshot: a second or two, and
150 MB of 768 dimensions. With more a snapshot is written first, without holding them, and whoever
asks meanwhile is answered from the database."""
BUILD_CHANGES = 10_000
"""A graph or cells are built anew after this many, or one in fifty; until then what came is looked
at row by row, which takes some milliseconds."""


class FarBehindError(SnapshotError):
    """A snapshot that is good, but so old that to write another is quicker than to catch up."""


class VectorIndex:
    """The vectors of one space up to a change; any number of threads may search it.

    Attributes:
        space_id: the space whose vectors these are.
        dimension: length of a vector.
        watermark: the last change of the space that the index holds.
    """

    def __init__(self, space_id: str, dimension: int, metric: Metric = Metric.COSINE) -> None:
        self.space_id = space_id
        self.dimension = dimension
        self.watermark = 0
        self._saved = 0
        self._followed = 0
        self._set = VectorSet(dimension, metric)

    @classmethod
    def empty(cls, space: SpaceSummary) -> Self:
        """An index that holds nothing of a space yet."""
        return cls(space.id, space.dimension, Metric(space.metric))

    @classmethod
    def load(cls, path: Path, space: SpaceSummary) -> Self:
        """An index from its snapshot, which it maps and does not copy.

        Raises:
            SnapshotError: the file is altered, or of another space or dimension.
            FileNotFoundError: there is no snapshot.
        """
        index = cls.empty(space)
        index._take(index._base(path))
        return index

    @property
    def metric(self) -> Metric:
        """Of the space."""
        return self._set.metric

    @property
    def choice(self) -> Choice:
        """The engine that is in use."""
        return self._set.choice

    def save(self, path: Path, choice: Choice = EXACT, progress: Progress = quietly) -> None:
        """Writes the snapshot aside, renames it over the old one, and goes on from it.

        Searches go on meanwhile, and so may the catching up of one other thread.

        Args:
            path: of the snapshot.
            choice: the engine that is built for it.
            progress: told how far it is built; what it raises ends the building.

        Raises:
            OSError: the disk is full, or fails, or another process writes it; the old one stays.
            SnapshotError: the disk does not give back what was written.
        """
        watermark = self.watermark  # before the vectors: to catch up twice does no harm
        self._set.write(
            path, space_id=self.space_id, watermark=watermark, choice=choice, progress=progress
        )
        self._set.adopt(self._base(path))
        self._saved = watermark

    def follow(self, path: Path) -> None:
        """Goes on from a newer snapshot of the owner's, if it is time and there is one.

        For who reads beside the owner, and would keep all that came since in memory.
        """
        if self.changed < save_after(self.count):
            return
        try:
            written = path.stat().st_mtime_ns
            if written == self._followed:
                return
            self._followed = written
            base = self._base(path)
        except (OSError, SnapshotError):
            return  # the owner sees to it, and all vectors are here
        if base.about.watermark > self.watermark:
            self._take(base)
        elif base.about.watermark >= self._saved:
            self._set.adopt(base)
            self._saved = base.about.watermark

    def _base(self, path: Path) -> Base:
        base = bases.load(path)
        about, own = base.about, (self.space_id, self.dimension, self._set.metric)
        if (about.space_id, about.dimension, about.metric) != own:
            raise SnapshotError(
                f"it holds space {about.space_id} of {about.dimension} ({about.metric}), "
                f"asked was {self.space_id} of {self.dimension} ({self._set.metric})"
            )
        return base

    def _take(self, base: Base) -> None:
        self._set = VectorSet.of(base)
        self.watermark = self._saved = base.about.watermark

    def frozen(self) -> Self:
        """The index as it now is, for one question; nothing is copied."""
        made = copy.copy(self)
        made._set = self._set.frozen()
        return made

    def exactly(self) -> Self:
        """The index as it now is, searched exactly, whatever engine it has."""
        made = copy.copy(self)
        made._set = self._set.exactly()
        return made

    def searched_by(self, engine_of: Callable[[Base], Engine]) -> Self:
        """The index as it now is, searched by another engine than the snapshot's."""
        made = copy.copy(self)
        made._set = self._set.searched_by(engine_of)
        return made

    @property
    def count(self) -> int:
        """How many vectors the index holds."""
        return self._set.count

    @property
    def changed(self) -> int:
        """How many vectors came or left since the snapshot."""
        return self._set.changed

    def ids(self) -> NDArray[np.int64]:
        """The embedding ids held, ascending."""
        return self._set.ids()

    def vectors(self, ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of ``ids``, shape (len(ids), dimension); KeyError for an id not held."""
        return self._set.vectors(ids)

    def held(
        self, ids: Sequence[int] | NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Those of some ids that are held, ascending, and their vectors."""
        return self._set.held(ids)

    def catch_up(self, connection: Connection) -> int:
        """Takes in the space's changes since the watermark; returns how many there were.

        One thread at a time; any number may search meanwhile.
        """
        taken = 0 if self.watermark or self.count else self._take_live(connection)
        for batch in embeddings.changes(connection, space_id=self.space_id, after=self.watermark):
            self._apply(batch)
            taken += len(batch)
        return taken

    def _take_live(self, connection: Connection) -> int:
        """All that there is, which is quicker than how it came to be."""
        newest = embeddings.newest_change(connection, space_id=self.space_id)
        of = (self.space_id, self.dimension, self._set.metric)
        for ids, vectors in live_blocks(connection, *of):
            self._set.change(left=np.empty(0, np.int64), ids=ids, vectors=vectors)
        self.watermark = newest
        return self.count

    def _apply(self, batch: Sequence[embeddings.Change]) -> None:
        left = [change.id for change in batch if change.vector is None]
        came = {change.id: change.vector for change in batch if change.vector is not None}
        vectors = np.array(list(came.values()), np.float32).reshape(len(came), self.dimension)
        self._set.change(
            left=np.array(left, np.int64), ids=np.array(list(came), np.int64), vectors=vectors
        )
        self.watermark = batch[-1].change

    def search(
        self, vector: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> list[Neighbour]:
        """The ``k`` nearest vectors, or all where fewer are held, nearest first, ties by id.

        Args:
            vector: float32, shape (dimension,), unit length.
            k: at least 1.
            among: the embedding ids to search, shape (n,); None for all. Ids that are not held
                are as if they were not there.

        Raises:
            VectorError: the vector has another shape, is not finite or not of unit length, or k
                is below 1.
        """
        return self.search_each(vector[np.newaxis], k, among=among)[0]

    def search_each(
        self, vectors: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> list[list[Neighbour]]:
        """``search`` with several vectors, shape (n, dimension), in one pass over the index.

        Raises:
            VectorError: as ``search``.
        """
        return self._set.search(vectors, k, among)


def save_after(count: int, choice: Choice = EXACT) -> int:
    """After how many changes an index of so many vectors is worth a new snapshot."""
    if choice.kind is Kind.EXACT:
        return max(SNAPSHOT_CHANGES, count // 100)
    return max(BUILD_CHANGES, count // 50)


def snapshot_path(folder: Path, space_id: str) -> Path:
    """Where a space's snapshot lies."""
    return folder / f"{space_id}.index"


def forget(folder: Path, space_id: str) -> None:
    """Removes a space's snapshot, and what was set aside or left half written: patient data all."""
    for path in folder.glob(f"{space_id}.index*"):
        path.unlink(missing_ok=True)


def open_index(
    connection: Connection, folder: Path, space: SpaceSummary, *, most: int = INLINE_MOST
) -> VectorIndex | None:
    """The space's index, caught up; where no good snapshot is, read from the database.

    For the index's one owner: a snapshot that cannot be trusted is set aside under another name.

    Args:
        connection: in a transaction.
        folder: of snapshots.
        space: whose index it is.
        most: how many vectors are read into memory; where there are more the answer is None, and
            a snapshot is to be written by ``storage.index_rebuild``.
    """
    path = snapshot_path(folder, space.id)
    bases.being_built(path).unlink(missing_ok=True)  # left by a process that was killed
    try:
        return load_caught_up(connection, path, space, most=most)
    except FileNotFoundError:
        pass
    except FarBehindError as fault:
        log.info("the index snapshot is written anew: %s", fault)
    except SnapshotError as fault:
        kept = set_aside(path)
        log.warning("index snapshot set aside as %s and rebuilt: %s", kept.name, fault)
    return read_whole(connection, space, most=most)


def load_caught_up(
    connection: Connection, path: Path, space: SpaceSummary, *, most: int | None = INLINE_MOST
) -> VectorIndex:
    """The index from its snapshot, caught up.

    Raises:
        FarBehindError: more than ``most`` changes came since, if that is not None.
        SnapshotError: the snapshot is altered, of another space, or ahead of the database.
        FileNotFoundError: there is no snapshot.
    """
    index = _of_this_database(connection, VectorIndex.load(path, space))
    since = index.watermark
    if most is not None and embeddings.has_more_changes(
        connection, space_id=space.id, after=since, than=most
    ):
        raise FarBehindError(f"more than {most} changes came since change {since}")
    index.catch_up(connection)
    return index


def read_whole(
    connection: Connection, space: SpaceSummary, *, most: int = INLINE_MOST
) -> VectorIndex | None:
    """The index without a snapshot, all in memory; None if there are more vectors than ``most``."""
    if embeddings.has_more(connection, space_id=space.id, than=most):
        return None
    index = VectorIndex.empty(space)
    index.catch_up(connection)
    return index


def set_aside(path: Path) -> Path:
    """Renames a snapshot that is not to be trusted, and returns its new name."""
    number = 1
    while (name := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    return path.rename(name)


def _of_this_database(connection: Connection, index: VectorIndex) -> VectorIndex:
    """Changes that the database lost, in a restore or a failover, would stay in the index."""
    last = embeddings.last_change(connection)
    if index.watermark > last:
        raise SnapshotError(
            f"it has seen change {index.watermark}, the database only {last}: it was restored"
        )
    return index
