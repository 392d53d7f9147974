"""What the rules of search ask of an index, wherever it keeps its vectors."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from storage.vectors.segment import Neighbour


class Searchable(Protocol):
    """The vectors of one space up to a change.

    Its answers are those of an exact search unless it says otherwise, and come in order of
    distance, ties by id.
    """

    @property
    def space_id(self) -> str:
        """The space whose vectors these are."""

    @property
    def watermark(self) -> int:
        """The last change of the space that it holds."""

    @property
    def count(self) -> int:
        """How many vectors it holds."""

    def search_each(
        self, vectors: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> list[list[Neighbour]]:
        """The ``k`` nearest vectors to each of several, or all where there are fewer.

        Args:
            vectors: float32, shape (n, dimension), of unit length.
            k: at least 1.
            among: the embedding ids to search, shape (n,); None for all. Ids that are not held
                are as if they were not there.
        """

    def vectors(self, ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of ``ids``, shape (len(ids), dimension); KeyError for an id not held."""

    def held(
        self, ids: Sequence[int] | NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Those of some ids that it holds, ascending, and their vectors.

        What was found a moment ago may have left since, where the vectors lie elsewhere.
        """

    def ids(self) -> NDArray[np.int64]:
        """The embedding ids that it holds, ascending."""
