"""Who is nearest to whom: every image's neighbours, exactly, many questions at a time.

The node's index answers one question at a time (`storage.vectors`); an evaluation asks for all
images at once, and again within each stratum of a confounder. So each image's list is made once,
deeper than needed, and narrowed; only those whose list runs out are asked for again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from evaluation.collection import Codes, Positions
from evaluation.lots import lots
from storage.vectors.metric import Metric

Vectors = NDArray[Any]
"""Float32 of shape (images, dimension); codes are uint8 of shape (images, dimension / 8)."""
DEPTH = 128
"""Of the lists: with 100,000 images a deeper one costs no more than one of ten."""
SPARE = 8
"""Beyond the k nearest so many are measured in double precision, for those that are as near."""
BLOCK = 256
SLACK = 4e-6
"""By how much products of single precision are wrong, at most, of the squared greatest length."""
NOBODY = -1
LOT_BITS = 48
"""Of a number's 63 so many order those that are equally near; above them is how near."""


class VectorsError(ValueError):
    """Vectors that say nothing of their images; the message says which and why."""


@dataclass(frozen=True)
class Run:
    """Each query's answer, nearest first; those equally near in an order by lot of the query's own.

    Attributes:
        queries: the images that asked, shape (queries,).
        neighbours: those found, shape (queries, k), NOBODY where fewer were eligible.
        similarities: cosine, inner product, or distance with its sign turned; -inf for NOBODY.
    """

    queries: Positions
    neighbours: Positions
    similarities: NDArray[np.float64]

    @property
    def k(self) -> int:
        """How many were asked for."""
        return int(self.neighbours.shape[1])

    @property
    def tied(self) -> float:
        """Share of the queries whose first answer is no nearer than the second; NaN without any.

        There the lot decides, and no likeness. A run of one rank has no second, and so no ties.
        """
        if not len(self.queries):
            return float("nan")
        found = (self.neighbours[:, :2] != NOBODY).all(axis=1)
        alike = self.similarities[:, :1] == self.similarities[:, 1:2]
        return float((found[:, None] & alike).sum() / len(self.queries))

    def first(self, k: int) -> "Run":
        """The same answers, cut after k."""
        return Run(self.queries, self.neighbours[:, :k], self.similarities[:, :k])


class Neighbourhood:
    """Lists of the nearest of each query, to be narrowed by `nearest`.

    Args:
        vectors: shape (images, dimension); with COSINE of any length but zero.
        metric: by which they are compared.
        queries: the images that ask.
        index: the images that may answer, in ascending order; all where None.
        asking: vectors of the images as they ask, in the collection's order, where they are others
            than those that answer; None where they are the same.
        seed: of the lots by which ties are broken.

    Raises:
        VectorsError: a vector is not finite, or has no direction; there are none; or as they ask
            they are not as many and as long as when they answer.
    """

    def __init__(
        self,
        vectors: Vectors,
        metric: Metric = Metric.COSINE,
        queries: Positions | None = None,
        index: Positions | None = None,
        asking: Vectors | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.metric = metric
        self._seed = seed
        self._vectors = checked(vectors, metric)
        self._asking = self._vectors if asking is None else checked(asking, metric)
        if self._asking.shape != self._vectors.shape:
            raise VectorsError(
                f"images ask by vectors of shape {self._asking.shape} and answer by those of shape "
                f"{self._vectors.shape}"
            )
        everyone = np.arange(len(vectors), dtype=np.int64)
        self.queries = everyone if queries is None else queries
        self.index = everyone if index is None else index
        if not len(self.index):
            raise VectorsError("no image may answer: the index is empty")
        greatest = max(_greatest_square(one, metric) for one in (self._vectors, self._asking))
        self._slack = SLACK * greatest
        self._lists = self._deep_lists(min(DEPTH, len(self.index)))

    def nearest(self, k: int, *, apart: Codes, strata: Codes | None = None) -> Run:
        """The k nearest of each query among those that may answer it.

        Args:
            k: at least 1.
            apart: an image with the query's own number never answers it (its patient's, say).
            strata: only images with the query's own number answer; -1 neither asks nor answers.

        Raises:
            ValueError: k is below 1.
        """
        if k < 1:
            raise ValueError(f"k is {k}, it must be at least 1")
        if strata is None:
            asks = np.arange(len(self.queries))
        else:
            asks = np.flatnonzero(strata[self.queries] >= 0)
        found = np.full((len(asks), k), NOBODY, np.int64)
        scores = np.full((len(asks), k), -np.inf)
        left = np.ones(len(asks), bool)
        for at in range(0, len(asks), BLOCK):
            some = slice(at, at + BLOCK)
            left[some] = ~self._narrowed(asks[some], k, apart, strata, found[some], scores[some])
        for rows, index in self._asked_again(asks, np.flatnonzero(left), strata):
            for at in range(0, len(rows), BLOCK):
                some_rows = rows[at : at + BLOCK]
                queries = self.queries[asks[some_rows]]
                found[some_rows], scores[some_rows] = self._by_force(queries, index, k, apart)
        return Run(self.queries[asks], found, self._similarities(scores))

    def _deep_lists(self, depth: int) -> tuple[Positions, NDArray[np.float32]]:
        """Each query's candidates and scores, best first: shape (queries, depth)."""
        asking, answering = self._asking[self.queries], self._vectors[self.index]
        if self.metric is Metric.HAMMING:
            found = np.empty((len(asking), depth), np.int64)
            scores = np.empty((len(asking), depth), np.float32)
            for at in range(0, len(asking), BLOCK):
                some = slice(at, at + BLOCK)
                apart = _bits_apart(asking[some], answering)
                drawn = lots(self._seed, self.queries[some], self.index)
                # one number orders by distance, then by lot
                keys = (apart << LOT_BITS) + (drawn >> np.uint64(64 - LOT_BITS)).astype(np.int64)
                best = np.argpartition(keys, depth - 1, axis=1)[:, :depth]
                order = np.argsort(np.take_along_axis(keys, best, axis=1), axis=1, kind="stable")
                found[some] = np.take_along_axis(best, order, axis=1)
                scores[some] = -np.take_along_axis(apart, found[some], axis=1)
            return self.index[found], scores
        flat = faiss.IndexFlatL2 if self.metric is Metric.L2 else faiss.IndexFlatIP
        index = flat(answering.shape[1])
        index.add(answering)
        scores, found = index.search(asking, depth)
        return self.index[found], -scores if self.metric is Metric.L2 else scores

    def _narrowed(
        self,
        asks: Positions,
        k: int,
        apart: Codes,
        strata: Codes | None,
        found: Positions,
        scores: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Fills in the answers that the lists hold; which rows those are."""
        listed, rough = self._lists[0][asks], self._lists[1][asks]
        queries = self.queries[asks]
        may = (apart[listed] != apart[queries][:, None]) & (listed != queries[:, None])
        if strata is not None:
            may &= strata[listed] == strata[queries][:, None]
        wanted = min(k + SPARE, listed.shape[1])
        # those that may answer come first, in the order of the list
        order = np.argsort(~may, axis=1, kind="stable")[:, :wanted]
        taken = np.take_along_axis(listed, order, axis=1)
        here = np.take_along_axis(may, order, axis=1)
        near = np.where(here, np.take_along_axis(rough, order, axis=1), -np.inf).astype(np.float64)
        close = self._too_close(near)
        near[close] = np.where(here[close], self._measured(queries[close], taken[close]), -np.inf)
        best = np.lexsort((lots(self._seed, queries, taken), -near), axis=1)[:, :k]
        count = min(k, wanted)
        nearest = np.take_along_axis(near, best, axis=1)
        found[:, :count] = np.where(
            np.isfinite(nearest), np.take_along_axis(taken, best, axis=1), NOBODY
        )
        scores[:, :count] = nearest
        if wanted < k:
            return np.full(len(asks), listed.shape[1] == len(self.index))
        # whoever was not looked at is at most as near, in single precision, as the last that was:
        # of those that may answer, or of the list where it holds no more of them
        last = np.take_along_axis(rough, order[:, -1:], axis=1)[:, 0]
        edge = np.where(here.all(axis=1), last, rough[:, -1])
        whole = (listed.shape[1] == len(self.index)) & (may.sum(axis=1) <= wanted)
        if self.metric is Metric.HAMMING:  # whose lists are in the right order already
            return np.asarray(whole | here[:, :k].all(axis=1))
        return np.asarray(whole | (edge < nearest[:, -1] - self._slack))

    def _too_close(self, near: NDArray[np.float64]) -> NDArray[np.intp]:
        """Rows in which single precision cannot tell two that follow each other apart."""
        if self.metric is Metric.HAMMING:
            return np.zeros(0, np.intp)
        with np.errstate(invalid="ignore"):
            apart = near[:, :-1] - near[:, 1:]  # NaN where nobody is left
        return np.flatnonzero((apart < 2 * self._slack).any(axis=1))

    def _asked_again(
        self, asks: Positions, rows: Positions, strata: Codes | None
    ) -> Iterator[tuple[Positions, Positions]]:
        """Yield rows, and the images that may answer all of them."""
        if strata is None:
            if len(rows):
                yield rows, self.index
            return
        own = strata[self.queries[asks[rows]]]
        for code in np.unique(own):
            yield rows[own == code], self.index[strata[self.index] == code]

    def _by_force(
        self, queries: Positions, index: Positions, k: int, apart: Codes
    ) -> tuple[Positions, NDArray[np.float64]]:
        """The k nearest of each query among the whole of an index."""
        found = np.full((len(queries), k), NOBODY, np.int64)
        scores = np.full((len(queries), k), -np.inf)
        if not len(index):
            return found, scores
        rough = self._rough(queries, index)
        rough[(apart[index] == apart[queries][:, None]) | (index == queries[:, None])] = -np.inf
        for row, query in enumerate(queries):
            count = min(k, int(np.isfinite(rough[row]).sum()))
            if not count:
                continue
            edge = np.partition(rough[row], len(index) - count)[len(index) - count]
            near = index[np.flatnonzero(rough[row] >= edge - 2 * self._slack)]
            exact = self._measured(query[None], near[None])[0]
            drawn = lots(self._seed, query[None], near)[0]
            best = np.lexsort((drawn, -exact))[:count]
            found[row, :count], scores[row, :count] = near[best], exact[best]
        return found, scores

    def _rough(self, queries: Positions, index: Positions) -> NDArray[np.float64]:
        """Scores of single precision, shape (queries, images); the greater, the nearer."""
        asking, answering = self._asking[queries], self._vectors[index]
        if self.metric is Metric.HAMMING:
            return np.asarray(-_bits_apart(asking, answering), np.float64)
        products = (asking @ answering.T).astype(np.float64)
        if self.metric is Metric.L2:
            squares = np.einsum("ij,ij->i", answering, answering, dtype=np.float64)
            own = np.einsum("ij,ij->i", asking, asking, dtype=np.float64)
            return np.asarray(2 * products - squares - own[:, None])
        return np.asarray(products)

    def _measured(self, queries: Positions, others: Positions) -> NDArray[np.float64]:
        """Scores of double precision of each query's own others, shape (queries, others)."""
        asking, answering = self._asking[queries], self._vectors[others]
        if self.metric is Metric.HAMMING:
            apart = np.bitwise_count(asking[:, None] ^ answering)
            return np.asarray(-apart.sum(axis=2, dtype=np.float64))
        if self.metric is Metric.L2:
            between = answering.astype(np.float64) - asking[:, None]
            return np.asarray(-np.einsum("ijd,ijd->ij", between, between))
        return np.asarray(np.einsum("id,ijd->ij", asking, answering, dtype=np.float64))

    def _similarities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.metric is Metric.L2:
            return np.asarray(-np.sqrt(-scores))
        return scores


def checked(vectors: Vectors, metric: Metric) -> Vectors:
    """The vectors as they are compared: contiguous, with COSINE of unit length.

    Raises:
        VectorsError: they have no two dimensions, a value is not finite, or, with COSINE, a length
            is zero.
    """
    if vectors.ndim != 2 or not vectors.size:
        raise VectorsError(f"vectors have shape (images, dimension), these have {vectors.shape}")
    if metric is Metric.HAMMING:
        if vectors.dtype != np.uint8:
            raise VectorsError(f"binary codes are uint8, eight bits in a byte, not {vectors.dtype}")
        return np.ascontiguousarray(vectors)
    lost = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(lost):
        raise VectorsError(f"{len(lost)} vectors are not finite, such as that of image {lost[0]}")
    if metric is not Metric.COSINE:
        return np.ascontiguousarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    zero = np.flatnonzero(lengths == 0)
    if len(zero):
        raise VectorsError(f"{len(zero)} vectors are all zero, such as that of image {zero[0]}")
    return np.ascontiguousarray(vectors / lengths, np.float32)


def _bits_apart(asking: Vectors, answering: Vectors) -> NDArray[np.int64]:
    """How many bits differ, shape (asking, answering)."""
    apart = np.zeros((len(asking), len(answering)), np.int64)
    for byte in range(asking.shape[1]):
        apart += np.bitwise_count(asking[:, byte, None] ^ answering[None, :, byte])
    return apart


def _greatest_square(vectors: Vectors, metric: Metric) -> float:
    if metric is Metric.HAMMING:
        return 0.0
    return float(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64).max())
