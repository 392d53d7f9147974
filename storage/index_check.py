"""Whether an index is what the database says: by ids, by vectors, and by what it finds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.index import VectorIndex
from storage.vectors.choice import Kind

QUERIES = 200
"""Vectors that an engine is asked with, to see what it finds."""
NEIGHBOURS = 10
SEED = 0


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


def check(connection: Connection, index: VectorIndex, *, sample: int | None = None) -> Checked:
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
        both = np.sort(np.random.default_rng(SEED).choice(both, sample, replace=False))
    faults += _that_differ(connection, index, both)
    return Checked(faults, len(both), _recall(index))


def _that_differ(
    connection: Connection, index: VectorIndex, ids: NDArray[np.int64]
) -> Iterator[str]:
    for some, vectors in embeddings.vectors_of(connection, ids):
        for key, vector, mine in zip(some, vectors, index.vectors(some), strict=True):
            if not np.array_equal(vector, mine):
                yield f"embedding {key} differs between index and database"


def _recall(index: VectorIndex) -> float | None:
    if index.choice.kind is Kind.EXACT or not index.count:
        return None
    ids = index.ids()
    asked = index.vectors(ids[:: max(1, len(ids) // QUERIES)][:QUERIES])
    k = min(NEIGHBOURS + 1, len(ids))  # each finds itself
    truth, found = index.exactly().search_each(asked, k), index.search_each(asked, k)
    hits = sum(
        sum(entry.distance <= nearest[-1].distance for entry in some)
        for nearest, some in zip(truth, found, strict=True)
    )
    return (hits - len(asked)) / max(1, len(asked) * (k - 1))
