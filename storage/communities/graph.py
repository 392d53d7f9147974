"""The graph of images that are alike: Eqs. 2, 3 and 9 of Haq et al. 2020.

Where the paper cannot be followed:

- Eq. 3 keeps a cosine x where ``x <= T``, which would join what is unlike. Here ``x >= T``.
- Edges are said to be 0 or 1, but Eq. 2 gives them the cosine. Here the weight is the cosine.
- A cosine of 0 or less joins nothing, whatever T is: modularity has no meaning for such weights.
- "In the order of 1e10 edges" are more than the pairs of its 1e5 nodes. Here T follows from the
  mean degree that is asked for: how many edges a node has on average.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from storage.vectors.metric import Metric

Vectors = NDArray[np.float32]
Nodes = NDArray[np.int64]
Weights = NDArray[np.float64]

DECIMALS = 9
"""Of a cosine: beyond these the order of summation decides, and equal pairs must be equal."""
LEAST = 10.0**-DECIMALS
"""The least cosine that joins."""
SLACK = 4e-6
"""By how much a product of two unit vectors is wrong in single precision, at most."""
LOT = 1_000_000
"""Products that are held at once."""


class GraphError(ValueError):
    """A graph that cannot be made as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Adjacency:
    """Each node's neighbours, ascending, one node after the other.

    Attributes:
        starts: where each node's begin, shape (nodes + 1,).
        others: the neighbours, shape (2 * edges,).
        weights: of the edges to them.
    """

    starts: Nodes
    others: Nodes
    weights: Weights

    def of(self, node: int) -> tuple[Nodes, Weights]:
        """The neighbours of a node and the weights of the edges to them."""
        some = slice(int(self.starts[node]), int(self.starts[node + 1]))
        return self.others[some], self.weights[some]

    def of_all(self, nodes: Nodes) -> tuple[Nodes, Nodes, Weights]:
        """The edges of several nodes: from which of them, to whom, and of what weight."""
        counts = self.starts[nodes + 1] - self.starts[nodes]
        ends = np.cumsum(counts)
        at = np.arange(int(counts.sum())) + np.repeat(self.starts[nodes] - ends + counts, counts)
        return np.repeat(nodes, counts), self.others[at], self.weights[at]


@dataclass(frozen=True)
class ImageGraph:
    """Which images are alike, and how much; no image is joined with itself.

    Attributes:
        count: how many nodes it has, numbered from 0 as the vectors stood.
        threshold: the least cosine that joins, T.
        first: of each edge the lower node, shape (edges,), ascending.
        second: the higher one, ascending within the same lower one.
        weights: the cosine, in (0, 1].
    """

    count: int
    threshold: float
    first: Nodes
    second: Nodes
    weights: Weights

    @property
    def mean_degree(self) -> float:
        """Edges of a node on average; above what was asked for where pairs tie at T."""
        return 2 * len(self.weights) / self.count

    @cached_property
    def total(self) -> float:
        """The sum of all weights, L of the paper's Table 2."""
        return float(self.weights.sum())

    @cached_property
    def degrees(self) -> Weights:
        """The sum of the weights at each node, shape (nodes,)."""
        ends = np.concatenate([self.first, self.second])
        return summed(ends, np.tile(self.weights, 2), self.count)

    @property
    def alone(self) -> int:
        """How many nodes have no edge."""
        return int(np.count_nonzero(np.diff(self.adjacency.starts) == 0))

    @cached_property
    def adjacency(self) -> Adjacency:
        """The same edges by node."""
        ends = np.concatenate([self.first, self.second])
        others = np.concatenate([self.second, self.first])
        order = np.lexsort((others, ends))
        starts = np.searchsorted(ends[order], np.arange(self.count + 1))
        return Adjacency(starts, others[order], np.tile(self.weights, 2)[order])


def image_graph(vectors: Vectors, degree: float) -> ImageGraph:
    """All pairs of images whose cosine is at least T, for the T that gives a mean degree.

    The pairs are found exactly, with each product made once. Lists of each image's k nearest would
    not do: in a dense part of the archive an image has far more than the mean, and lists would cut
    them. Pairs as alike as T all stay, so that equal images have equal edges; the archive's mean
    degree is then above the one asked for. It is below where fewer pairs have a positive cosine.

    Args:
        vectors: float32, shape (n, dimension), of unit length.
        degree: how many edges a node is to have on average.

    Raises:
        GraphError: there are fewer than two vectors, or the degree is below 1 or not below n.
        VectorError: a vector is not finite, or not of unit length.
    """
    count = len(vectors)
    if count < 2:
        raise GraphError(f"a graph needs two vectors at least, there are {count}")
    if not 1 <= degree < count:
        raise GraphError(
            f"the mean degree is {degree:g}; of {count} vectors it is at least 1 and below {count}"
        )
    rows: Vectors = Metric.COSINE.checked(vectors, vectors.shape[-1])
    wanted = min(round(count * degree / 2), count * (count - 1) // 2)
    first, second = _nearest_pairs(rows, wanted)
    weights = _measured(rows, first, second)
    threshold = _threshold(weights, wanted)
    joined = weights >= threshold
    return ImageGraph(count, threshold, first[joined], second[joined], weights[joined])


def edges_of(query: Vectors, vectors: Vectors, threshold: float) -> tuple[Nodes, Weights]:
    """The edges of an image that is not in the graph, Eq. 9: whom it is joined with, how strongly.

    Args:
        query: float32, shape (dimension,), of unit length.
        vectors: of the graph's nodes, shape (n, dimension).
        threshold: the graph's T.

    Returns:
        Nodes, ascending, and the cosines.
    """
    near = np.flatnonzero(vectors @ query >= threshold - SLACK)
    weights = _rounded(np.vecdot(vectors[near], query, dtype=np.float64))
    joined = weights >= threshold
    return near[joined], weights[joined]


def summed(places: Nodes, weights: Weights, count: int) -> Weights:
    """The sum of the weights at each place from 0, shape (count,)."""
    return np.bincount(places, weights, count).astype(np.float64)


def _threshold(weights: Weights, wanted: int) -> float:
    """The cosine that so many pairs reach, or the least that joins."""
    if len(weights) < wanted:
        return LEAST
    at = len(weights) - wanted
    return max(float(np.partition(weights, at)[at]), LEAST)


def _nearest_pairs(rows: Vectors, wanted: int) -> tuple[Nodes, Nodes]:
    """At least the ``wanted`` most alike pairs with a positive cosine, or all that have one.

    By products of single precision, less their error. As better pairs come, worse ones go: at no
    time are more than twice as many held as wanted, and those of a lot, but for ties.
    """
    pairs = np.zeros((2, 0), np.int64)
    products = np.zeros(0, np.float32)
    bound = np.float32(-SLACK)
    step = max(1, LOT // len(rows))
    for at in range(0, len(rows), step):
        lower, higher, found = _pairs_from(rows, at, step, bound)
        pairs = np.concatenate([pairs, [lower, higher]], axis=1)
        products = np.concatenate([products, found])
        if len(products) > 2 * wanted:
            best = np.partition(products, len(products) - wanted)[len(products) - wanted]
            bound = max(bound, best - np.float32(2 * SLACK))
            kept = products >= bound
            pairs, products = pairs[:, kept], products[kept]
    return pairs[0], pairs[1]


def _pairs_from(
    rows: Vectors, at: int, step: int, bound: np.float32
) -> tuple[Nodes, Nodes, NDArray[np.float32]]:
    """The pairs whose lower node is one of ``step`` from ``at``, and whose product reaches it."""
    products = rows[at : at + step] @ rows[at:].T
    lower, higher = np.nonzero(products >= bound)
    once = higher > lower
    lower, higher = lower[once], higher[once]
    return lower + at, higher + at, products[lower, higher]


def _measured(rows: Vectors, first: Nodes, second: Nodes) -> Weights:
    """The cosines of pairs, in double precision, whatever pairs stand beside them."""
    weights = np.empty(len(first))
    for some in _lots(len(first), rows.shape[1]):
        weights[some] = np.vecdot(rows[first[some]], rows[second[some]], dtype=np.float64)
    return _rounded(weights)


def _lots(count: int, width: int) -> Iterator[slice]:
    step = max(1, LOT // width)
    return (slice(at, at + step) for at in range(0, count, step))


def _rounded(cosines: Weights) -> Weights:
    """Cosines that can be compared; above 1 is only what rounding put there."""
    return np.minimum(np.round(cosines, DECIMALS), 1.0)
