"""Exact answers straight from the database, for the time in which there is no index.

Each search reads all vectors, block after block: some ten seconds for a million of 768 dimensions,
and no more memory than a block.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.answer import SpaceSummary
from storage.vector_stream import live_blocks
from storage.vectors.metric import Metric, VectorError, Vectors
from storage.vectors.numpy_engine import NumpyEngine
from storage.vectors.segment import Candidates, Ids, Neighbour, Segment


class DatabaseIndex:
    """The vectors of one space, as ``storage.searchable.Searchable``, for one question.

    What came after it was made it does not find. A vector that was retired meanwhile is not held
    any more.

    Attributes:
        space_id: the space whose vectors these are.
        watermark: the last change of the space that it holds.
    """

    def __init__(self, connection: Connection, space: SpaceSummary) -> None:
        self.space_id = space.id
        self.watermark = embeddings.newest_change(connection, space_id=space.id)
        self._connection = connection
        self._dimension = space.dimension
        self._metric = Metric(space.metric)

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return embeddings.live_count(self._connection, space_id=self.space_id, upto=self.watermark)

    def ids(self) -> Ids:
        """The embedding ids, ascending."""
        return embeddings.live_ids(self._connection, space_id=self.space_id, upto=self.watermark)

    def vectors(self, ids: Sequence[int] | Ids) -> NDArray[np.float32]:
        """The vectors of ``ids``, shape (len(ids), dimension); KeyError for an id not held."""
        each, places = np.unique(np.asarray(ids, np.int64), return_inverse=True)
        keys, found = self.held(each)
        if len(keys) < len(each):
            missing = np.setdiff1d(each, keys, assume_unique=True)[0]
            raise KeyError(f"embedding {missing} is not in the database any more")
        return found[places]

    def held(self, ids: Sequence[int] | Ids) -> tuple[Ids, NDArray[np.float32]]:
        """Those of some ids that are live, ascending, each once, and their vectors."""
        each = np.unique(np.asarray(ids, np.int64))
        shape = (len(each), self._metric.width(self._dimension))
        keys, found, count = np.empty_like(each), np.empty(shape, self._metric.dtype), 0
        for some, rows in self._blocks(each):
            at = slice(count, count := count + len(some))
            keys[at], found[at] = some, rows
        return keys[:count], found[:count]

    def search_each(
        self, vectors: NDArray[np.float32], k: int, *, among: Ids | None = None
    ) -> list[list[Neighbour]]:
        """The ``k`` nearest to each of several vectors, in one pass; see ``Searchable``.

        Raises:
            VectorError: the vectors have another shape, are not finite or not of unit length, or
                k is below 1.
            UnreachableError: the connection is lost meanwhile.
        """
        if k < 1:
            raise VectorError(f"k is {k}; ask for at least one neighbour")
        asked = self._metric.checked(vectors, self._dimension)
        only = None if among is None else np.unique(among)
        best = [Candidates(np.empty(0, np.int64), np.empty(0)) for _ in asked]
        for ids, rows in self._blocks(only):
            segment = Segment(ids, rows, self._metric, NumpyEngine(rows, self._metric))
            more = segment.nearest(asked, k, None)
            best = [near.joined(others).first(k) for near, others in zip(best, more, strict=True)]
        return [near.neighbours() for near in best]

    def _blocks(self, among: Ids | None) -> Iterator[tuple[Ids, Vectors]]:
        return live_blocks(
            self._connection,
            self.space_id,
            self._dimension,
            self._metric,
            upto=self.watermark,
            among=among,
        )
