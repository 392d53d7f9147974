"""The second stage of a volume search: studies compared slice by slice.

Late interaction, or MaxSim, as of ColBERT (Khattab and Zaharia, SIGIR 2020, equation 3), with the
slices of a volume for the words of a text (Khun Jush et al., arXiv:2405.09334; C-MIR,
arXiv:2507.17412): for each slice of the question the most similar one of the other study counts.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

DECIMALS = 9
"""Beyond these the order of summation decides: two equal sets must be equally similar."""
SLICES_AT_ONCE = 1024
"""Of the query: a study may have any number of series."""

Vectors = NDArray[np.float64]


def max_sim(query: Vectors, other: Vectors) -> float:
    """The mean over the query's slices of the cosine of the most similar slice of the other.

    The sum of the published score, divided by the number of the query's slices, so that it lies
    in [-1, 1] and questions of different length can be compared. It is not symmetric: slices of
    the other study that nothing in the query is like do not count.

    Args:
        query: float64, shape (slices, dimension), rows of unit length, one at least.
        other: the same, of as many dimensions.

    Raises:
        ValueError: one has no slices, or the dimensions differ.
    """
    return scores(query, [(0, other)])[0]


def scores(query: Vectors, sets: Iterable[tuple[int, Vectors]]) -> dict[int, float]:
    """The score of each of several studies against the slices of all its sets, by its row.

    All of it in double precision, one set at a time: the score of a study does not depend on
    which others are scored beside it, nor is more than one set in memory.

    Raises:
        ValueError: as ``max_sim``.
    """
    best: dict[int, NDArray[np.float64]] = {}
    for study, other in sets:
        if not len(query) or not len(other):
            raise ValueError("a set without slices is like nothing")
        nearest = np.concatenate([(some @ other.T).max(axis=1) for some in _blocks(query)])
        best[study] = np.maximum(nearest, best.get(study, nearest))
    return {
        study: round(math.fsum(nearest.tolist()) / len(query), DECIMALS)
        for study, nearest in best.items()
    }


def _blocks(query: Vectors) -> Iterator[Vectors]:
    return (query[at : at + SLICES_AT_ONCE] for at in range(0, len(query), SLICES_AT_ONCE))


def places_by_score(ranked: Sequence[tuple[int, str]], scored: Mapping[int, float]) -> list[int]:
    """The places of a first stage's ranking, in the order of the second stage.

    Studies with a score share out among them the places that they have, the highest score first,
    ties by Study Instance UID. A study without one stays where the first stage put it: nothing is
    known of its slices, so it is neither better nor worse than that.

    Args:
        ranked: the first stage's studies in its order: row and Study Instance UID of each.
        scored: scores by row.
    """
    held = [at for at, (study, _) in enumerate(ranked) if study in scored]
    best = sorted(held, key=lambda at: (-scored[ranked[at][0]], ranked[at][1]))
    order = list(range(len(ranked)))
    for place, at in zip(held, best, strict=True):
        order[place] = at
    return order
