"""The exact vector index: FAISS, kept up from the embeddings table, rebuildable from it.

One owner adds and saves; FAISS allows concurrent searches only.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage import embeddings, snapshot
from storage.answer import SpaceSummary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Neighbour:
    """The index's answer: an embedding's id and its cosine distance, in [0, 2]."""

    key: int
    distance: float


class VectorIndex:
    """Exact cosine search over the unit vectors of one space.

    Attributes:
        space_id: the space whose vectors these are.
        dimension: length of a vector.
        watermark: the last change of the space that the index holds.
    """

    def __init__(self, space_id: str, dimension: int) -> None:
        self.space_id = space_id
        self.dimension = dimension
        self.watermark = 0
        self._faiss: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))

    @classmethod
    def load(cls, path: Path, space: SpaceSummary) -> Self:
        """An index from its snapshot.

        Raises:
            snapshot.SnapshotError: the file is altered, or of another space or dimension.
            FileNotFoundError: there is no snapshot.
        """
        header, payload = snapshot.read(path)
        if (header.space_id, header.dimension) != (space.id, space.dimension):
            raise snapshot.SnapshotError(
                f"it holds space {header.space_id} of {header.dimension}, "
                f"asked was {space.id} of {space.dimension}"
            )
        index = cls(space.id, space.dimension)
        index._faiss = faiss.deserialize_index(np.frombuffer(payload, dtype=np.uint8))
        if index.count != header.count:
            raise snapshot.SnapshotError(f"it holds {index.count} vectors, not {header.count}")
        index.watermark = header.watermark
        return index

    def save(self, path: Path) -> None:
        """Writes the snapshot aside and renames it over the old one."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        payload = faiss.serialize_index(self._faiss).tobytes()
        header = snapshot.SnapshotHeader(
            format=snapshot.FORMAT,
            space_id=self.space_id,
            dimension=self.dimension,
            count=self.count,
            watermark=self.watermark,
            sha256=snapshot.digest(payload),
        )
        snapshot.write(path, header, payload)

    @property
    def count(self) -> int:
        """How many vectors the index holds."""
        return int(self._faiss.ntotal)

    def ids(self) -> NDArray[np.int64]:
        """The embedding ids held, ascending."""
        return np.sort(faiss.vector_to_array(self._faiss.id_map))

    def vectors(self, ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of ``ids``, shape (len(ids), dimension); KeyError for an id not held."""
        try:
            found = [self._faiss.reconstruct(int(key)) for key in ids]
        except RuntimeError as fault:
            raise KeyError(f"an embedding id is not in the index: {fault}") from fault
        return np.asarray(found, dtype=np.float32).reshape(len(found), self.dimension)

    def catch_up(self, connection: Connection) -> int:
        """Takes in the space's changes since the watermark; returns how many there were."""
        taken = 0
        for batch in embeddings.changes(connection, space_id=self.space_id, after=self.watermark):
            self._apply(batch)
            taken += len(batch)
        return taken

    def _apply(self, batch: Sequence[embeddings.Change]) -> None:
        self._faiss.remove_ids(np.array([change.id for change in batch], dtype=np.int64))
        live = [(change.id, change.vector) for change in batch if change.vector is not None]
        if live:
            self._faiss.add_with_ids(
                np.stack([vector for _, vector in live]),
                np.array([key for key, _ in live], dtype=np.int64),
            )
        self.watermark = batch[-1].change

    def search(
        self, vector: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> list[Neighbour]:
        """The ``k`` nearest vectors, or all where fewer are held, nearest first.

        Args:
            vector: float32, shape (dimension,), unit length.
            k: at least 1.
            among: the embedding ids to search, shape (n,); None for all. Ids that are not held
                are as if they were not there.

        Raises:
            ValueError: the vector has another shape or is not finite, or k is below 1.
        """
        return self.search_each(vector[np.newaxis], k, among=among)[0]

    def search_each(
        self, vectors: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> list[list[Neighbour]]:
        """``search`` with several vectors, shape (n, dimension), in one pass over the index.

        Raises:
            ValueError: as ``search``.
        """
        if vectors.shape[1:] != (self.dimension,) or not np.isfinite(vectors).all():
            raise ValueError(f"a query needs {self.dimension} finite numbers, got {vectors.shape}")
        if k < 1:
            raise ValueError(f"k is {k}; ask for at least one neighbour")
        most = self.count if among is None else min(self.count, len(among))
        if most == 0:
            return [[] for _ in vectors]
        chosen = None if among is None else _only(among)
        cosines, keys = self._faiss.search(vectors, min(k, most), params=chosen)
        return [
            [
                Neighbour(int(key), 1.0 - float(cosine))
                for key, cosine in zip(found, values, strict=True)
                if key >= 0  # FAISS fills up with -1
            ]
            for found, values in zip(keys, cosines, strict=True)
        ]


def _only(ids: NDArray[np.int64]) -> Any:
    parameters: Any = faiss.SearchParameters
    return parameters(sel=faiss.IDSelectorBatch(np.ascontiguousarray(ids, dtype=np.int64)))


def snapshot_path(folder: Path, space_id: str) -> Path:
    """Where a space's snapshot lies."""
    return folder / f"{space_id}.index"


def open_index(connection: Connection, folder: Path, space: SpaceSummary) -> VectorIndex:
    """The space's index, caught up; rebuilt from the database where no good snapshot is.

    For the index's one owner: a snapshot that cannot be trusted is set aside under another name.
    """
    path = snapshot_path(folder, space.id)
    try:
        index = _of_this_database(connection, VectorIndex.load(path, space))
    except FileNotFoundError:
        index = VectorIndex(space.id, space.dimension)
    except snapshot.SnapshotError as fault:
        kept = snapshot.set_aside(path)
        log.warning("index snapshot set aside as %s and rebuilt: %s", kept.name, fault)
        index = VectorIndex(space.id, space.dimension)
    index.catch_up(connection)
    return index


def _of_this_database(connection: Connection, index: VectorIndex) -> VectorIndex:
    """Changes that the database lost, in a restore or a failover, would stay in the index."""
    last = embeddings.last_change(connection)
    if index.watermark > last:
        raise snapshot.SnapshotError(
            f"it has seen change {index.watermark}, the database only {last}: it was restored"
        )
    return index


def differences(connection: Connection, index: VectorIndex) -> list[str]:
    """What keeps the index from being the database's equal, in words; empty if nothing does."""
    found: list[str] = []
    held = set(index.ids().tolist())
    for batch in embeddings.changes(connection, space_id=index.space_id, after=0):
        live = {change.id: change.vector for change in batch if change.vector is not None}
        missing = live.keys() - held
        found += [f"embedding {key} is not in the index" for key in sorted(missing)]
        common = sorted(live.keys() & held)
        for key, vector in zip(common, index.vectors(common), strict=True):
            if not np.array_equal(vector, live[key]):
                found.append(f"embedding {key} differs between index and database")
        held -= live.keys()
    found += [f"embedding {key} is in the index but not in the database" for key in sorted(held)]
    return found
