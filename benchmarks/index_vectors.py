"""Vectors that benchmarks of indexes search, questions, and how many answers are right."""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]

K = 10
QUERIES = 200
TUNING = 100
"""Other questions, by which the breadth of a search is chosen."""
FILTERED_QUERIES = 50
SHARES = (0.1, 0.01, 0.001)
CLUSTERS = 1000
SPREAD = 0.6
"""Standard deviation within a cluster, of centres with standard deviation 1."""
ROUNDING = 1e-6
"""Cosines in single precision differ by so much: what is as near as the tenth counts."""
BLOCK = 65536


@dataclass(frozen=True)
class Asked:
    """Questions and what is right: ``tenth`` is the cosine of the tenth nearest to each."""

    queries: Vectors
    tenth: NDArray[np.float64]

    def recall(self, answers: Sequence[Sequence[int]], vectors: Vectors) -> float:
        """The share of the ten nearest that were found."""
        hits = 0
        for query, tenth, found in zip(self.queries, self.tenth, answers, strict=True):
            some = vectors[np.unique(np.array([entry for entry in found if entry >= 0], np.int64))]
            cosines = some.astype(np.float64) @ query.astype(np.float64)
            hits += min(K, int((cosines >= tenth - ROUNDING).sum()))
        return hits / (K * len(self.queries))


def asked(vectors: Vectors, queries: Vectors, among: Ids | None = None) -> Asked:
    """What is right, by brute force in double precision."""
    ids = np.arange(len(vectors)) if among is None else among
    best = np.full((len(queries), K), -np.inf)
    for at in range(0, len(ids), BLOCK):
        some = vectors[at : at + BLOCK] if among is None else vectors[ids[at : at + BLOCK]]
        cosines = queries.astype(np.float64) @ some.astype(np.float64).T
        best = np.sort(np.hstack([best, cosines]), axis=1)[:, -K:]
    return Asked(queries, best[:, 0])


def clustered(count: int, dimension: int) -> tuple[Vectors, Vectors]:
    """Vectors of unit length in clusters, and questions from the same clusters."""
    random = np.random.default_rng(1)
    centres = random.standard_normal((CLUSTERS, dimension), np.float32)
    return _around(random, centres, count), _around(random, centres, QUERIES + TUNING)


def _around(random: np.random.Generator, centres: Vectors, count: int) -> Vectors:
    found = np.empty((count, centres.shape[1]), np.float32)
    for at in range(0, count, BLOCK):
        some = found[at : at + BLOCK]
        some[:] = centres[random.integers(0, len(centres), len(some))]
        some += np.float32(SPREAD) * random.standard_normal(some.shape, np.float32)
    return unit(found)


def unit(vectors: Vectors) -> Vectors:
    """The vectors at unit length, in place."""
    for at in range(0, len(vectors), BLOCK):
        some = vectors[at : at + BLOCK]
        some /= np.linalg.norm(some.astype(np.float64), axis=1, keepdims=True).astype(np.float32)
    return vectors


def of_chest_radiographs(folder: Path) -> tuple[Vectors, Vectors]:
    """The 14 probabilities of each image as a vector; every 30th asks."""
    with gzip.open(folder / "cxr/predictions.csv.gz", "rt", encoding="utf-8") as file:
        rows = [
            [float(row[name]) for name in row if name.startswith("prob_")]
            for row in csv.DictReader(file)
        ]
    every = unit(np.array(rows, np.float32))
    asks = np.arange(len(every)) % 30 == 0
    return every[~asks], every[asks][: QUERIES + TUNING]


def filters(count: int) -> dict[float, Ids]:
    """Ids that filters of some selectivity leave, chosen at random."""
    random = np.random.default_rng(2)
    return {
        share: np.sort(random.choice(count, max(K, round(share * count)), replace=False))
        for share in SHARES
    }
