"""Whether an index is what the database says: by ids, by vectors, and by what it finds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.index import VectorIndex
from storage.recall import recall
from storage.stores.stored_index import StoredIndex
from storage.vector_stream import live_blocks
from storage.vectors.metric import VectorError

Checkable = VectorIndex | StoredIndex


@dataclass(frozen=True)
class Checked:
    """What was found.

    Attributes:
        faults: every way in which the index differs from the database.
        compared: vectors that were compared number by number.
        recall: the share of the ten nearest that the engine finds, measured with vectors of the
            index; None of an engine that looks at all of them.
    """

    faults: list[str]
    compared: int
    recall: float | None

    @property
    def most_that_differ(self) -> float:
        """Where no compared vector differs, fewer of all do than this share, with 95 % confidence.

        The rule of three: (1 - share) ** compared = 0.05.
        """
        return float(1.0 - 0.05 ** (1.0 / self.compared)) if self.compared else 1.0


def check(connection: Connection, index: Checkable, *, sample: int | None = None) -> Checked:
    """Compares an index that is caught up with the database.

    Args:
        connection: sees one state of the database all the while.
        index: caught up on it.
        sample: so many vectors, chosen at random, are compared; None for all. Ids all are.
    """
    live, held = embeddings.live_ids(connection, space_id=index.space_id), index.ids()
    faults = [f"embedding {key} is not in the index" for key in np.setdiff1d(live, held)]
    faults += [
        f"embedding {key} is in the index but not in the database"
        for key in np.setdiff1d(held, live)
    ]
    both = np.intersect1d(live, held)
    if sample is not None and sample < len(both):
        # other ones each time: who looks every night has seen most of them in a while
        both = np.sort(np.random.default_rng().choice(both, sample, replace=False))
    faults += _that_differ(connection, index, both)
    return Checked(faults, len(both), recall(index))


def _that_differ(connection: Connection, index: Checkable, ids: NDArray[np.int64]) -> Iterator[str]:
    of = (index.space_id, index.dimension, index.metric)
    few = len(ids) < index.count // 4  # to look many up one by one would take longer
    try:
        for keys, vectors in live_blocks(connection, *of, among=ids if few else None):
            chosen = np.isin(keys, ids, assume_unique=True)
            mine = index.vectors(keys[chosen])
            for key in keys[chosen][(vectors[chosen] != mine).any(axis=1)]:
                yield f"embedding {key} differs between index and database"
    except VectorError as fault:
        yield f"the database holds what is no vector of the space: {fault}"
