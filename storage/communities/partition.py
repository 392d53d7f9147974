"""A graph divided into communities, by Louvain (the paper's Algorithm 1) or by Leiden.

Both are of libraries under the GPL, which the node never needs: the extra ``communities``.
"""

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.communities.graph import LEAST, GraphError, ImageGraph, summed
from storage.communities.modularity import Sums, coarse_gain, weighted

Labels = NDArray[np.int64]

EXTRA = "likeness-node[communities]"
LEIDEN_ROUNDS = 2
"""Passes of Leiden, as its authors' library has them: more gain little."""
MOST_SEED = 2**31 - 1


class Method(StrEnum):
    """How communities are found.

    ``LOUVAIN`` is that of the paper (Blondel et al. 2008); ``LEIDEN`` (Traag, Waltman and van Eck,
    2019) mends it: each of its communities hangs together.
    """

    LOUVAIN = "louvain"
    LEIDEN = "leiden"


_NEEDS = MappingProxyType({Method.LOUVAIN: ("igraph",), Method.LEIDEN: ("igraph", "leidenalg")})


class LackingError(RuntimeError):
    """A library that is not installed; the message names it and the extra that brings it."""


@dataclass(frozen=True)
class Partition:
    """Each node's community.

    Attributes:
        labels: shape (nodes,), from 0, in the order in which communities are first met.
        method: by which they were found.
        resolution: above 1 there are more and smaller ones.
        seed: of the order in which nodes are looked at.
        least: nodes that a community has, where it is joined with others at all.
    """

    labels: Labels
    method: Method
    resolution: float
    seed: int
    least: int

    @property
    def count(self) -> int:
        """How many communities there are; nodes without edges are one each."""
        return int(self.labels.max()) + 1

    def sizes(self) -> Labels:
        """How many nodes each has."""
        return np.bincount(self.labels)


def partitioned(
    graph: ImageGraph,
    method: Method = Method.LOUVAIN,
    *,
    resolution: float = 1.0,
    seed: int = 0,
    least: int = 1,
) -> Partition:
    """Communities that make plain modularity great, the paper's ``zeta = 0``.

    The same graph, method and seed give the same communities. Louvain's seed goes through the
    random numbers of igraph, which all threads share: divide one graph at a time.

    Args:
        graph: to be divided.
        method: by which.
        resolution: gamma of Reichardt and Bornholdt (2006); 1 is Newman's modularity.
        seed: from 0 to 2**31 - 1.
        least: communities of fewer nodes are given, smallest first, to the one that they are
            joined with and that gains most by Eq. 7. One without any edge outside stays.

    Raises:
        GraphError: a number is out of range.
        LackingError: the library is not installed.
    """
    _check(resolution, seed, least)
    labels = np.arange(graph.count)
    if len(graph.weights):
        find = _louvain if method is Method.LOUVAIN else _leiden
        labels = _grown_to(graph, numbered(np.array(find(graph, resolution, seed))), least)
    return Partition(labels, method, resolution, seed, least)


def must_be_installed(method: Method) -> None:
    """Looks for what a method needs, before a graph is made for it.

    Raises:
        LackingError: a library is not installed.
    """
    for package in _NEEDS[method]:
        _imported(package)


def sums_of(graph: ImageGraph, labels: Labels) -> Sums:
    """Nodes, weights inside and degrees of each community, shape (communities,)."""
    count = int(labels.max()) + 1
    own = labels[graph.first]
    inside = own == labels[graph.second]
    return Sums(
        np.bincount(labels, minlength=count).astype(np.float64),
        summed(own[inside], graph.weights[inside], count),
        summed(labels, graph.degrees, count),
    )


def weighted_modularity(graph: ImageGraph, labels: Labels, *, finer: bool = True) -> float:
    """Q of Eqs. 4 to 6: the sum over communities of lambda times q.

    Args:
        graph: whose partition is judged.
        labels: each node's community, from 0, shape (nodes,).
        finer: lambda is 1 and the density of a community's edges; else 1, and Q is Newman's.

    Raises:
        GraphError: the graph has no edge, or there is not one label for each node.
    """
    if len(labels) != graph.count:
        raise GraphError(f"{len(labels)} labels for {graph.count} nodes; each node has one")
    if not len(graph.weights):
        raise GraphError("a graph without edges has no modularity; ask for a greater degree")
    return float(weighted(sums_of(graph, labels), graph.total, finer=finer).sum())


def numbered(labels: Labels) -> Labels:
    """The same communities, numbered from 0 in the order in which nodes meet them."""
    _, first, code = np.unique(labels, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[code]


def _check(resolution: float, seed: int, least: int) -> None:
    if not 0 < resolution < np.inf:
        raise GraphError(f"the resolution is {resolution:g}; it is above 0, and 1 is usual")
    if not 0 <= seed <= MOST_SEED:
        raise GraphError(f"the seed is {seed}; it is from 0 to {MOST_SEED}")
    if least < 1:
        raise GraphError(f"communities of at least {least} nodes; the least is 1")


def _louvain(graph: ImageGraph, resolution: float, seed: int) -> list[int]:
    igraph = _imported("igraph")
    igraph.set_random_number_generator(random.Random(seed))  # noqa: S311  (no secret)
    try:
        found = _as_igraph(igraph, graph).community_multilevel(
            weights=graph.weights.tolist(), resolution=resolution
        )
    finally:
        igraph.set_random_number_generator(random)
    membership: list[int] = found.membership
    return membership


def _leiden(graph: ImageGraph, resolution: float, seed: int) -> list[int]:
    made = _as_igraph(_imported("igraph"), graph)
    leidenalg = _imported("leidenalg")
    found = leidenalg.find_partition(
        made,
        leidenalg.RBConfigurationVertexPartition,
        weights=graph.weights.tolist(),
        resolution_parameter=resolution,
        n_iterations=LEIDEN_ROUNDS,
        seed=seed,
    )
    membership: list[int] = found.membership
    return membership


def _as_igraph(igraph: ModuleType, graph: ImageGraph) -> Any:
    make: Callable[..., Any] = igraph.Graph
    return make(graph.count, np.column_stack([graph.first, graph.second]).tolist())


def _imported(package: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise LackingError(
            f"communities need {package}, which cannot be imported ({error}); pip install '{EXTRA}'"
        ) from error


def _grown_to(graph: ImageGraph, labels: Labels, least: int) -> Labels:
    """The communities after those of fewer nodes were given to others."""
    while True:
        sums = sums_of(graph, labels)
        sizes = np.asarray(sums.nodes)
        outside = np.asarray(sums.degrees) - 2.0 * np.asarray(sums.inside)
        # half the least weight: less is what rounding leaves of a sum
        small = np.flatnonzero((sizes < least) & (outside > LEAST / 2))
        if not len(small):
            return labels
        given = int(small[np.argmin(sizes[small])])
        labels = numbered(np.where(labels == given, _best_for(graph, labels, sums, given), labels))


def _best_for(graph: ImageGraph, labels: Labels, sums: Sums, small: int) -> int:
    """The community that gains most from a small one, by Eq. 7 with its sums for a node's."""
    _, others, weights = graph.adjacency.of_all(np.flatnonzero(labels == small))
    between = summed(labels[others], weights, len(np.asarray(sums.nodes)))
    between[small] = 0.0
    gains = coarse_gain(sums, float(np.asarray(sums.degrees)[small]), between, graph.total)
    return int(np.argmax(np.where(between > 0, gains, -np.inf)))
