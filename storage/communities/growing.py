"""Searching by growing a region: Algorithm 2 of Haq et al. 2020.

The region begins as the query alone, a community of its own in a graph that has it as a further
node. Step 1 finds the community whose merging with the region gains most weighted modularity
(Eqs. 10 to 13, lambda for finer communities); step 2 takes that community's nodes one by one, each
time the one that gains most within the subgraph of region and community (Eqs. 14 and 15). When
none of them is left, step 1 looks again.

Where the paper is silent, or cannot be followed:

- Only what is joined with the region can be taken, as in line 10 of Algorithm 1. By Algorithm 2 a
  node without any edge, whose gain is 0, would come before every community whose gain is negative.
- It goes on as long as that is so, whatever the sign of the gain, as in the listing: the text would
  stop where nothing gains, with fewer answers than asked for.
- The listing takes a community whole if it is smaller than what is wanted. Here it is always taken
  node by node, so that there is an order; who comes is the same.
- A community that nodes have left for the region is what remains of it.
- A region of one node, and a community of one, have a lambda of 1 (Eq. 6 is 0 / 0).
- Of equal gains the lower number counts.

Nodes that are left out are as if the graph did not have them: neither their edges nor their part in
a community's sums count. The communities stay as they were found with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from storage.communities.graph import Adjacency, ImageGraph, Nodes, Weights, summed
from storage.communities.modularity import Sums, joining_gain, merging_gain
from storage.communities.partition import Labels, sums_of

TIE = 1e-13
"""Gains that differ by less are equal: they are differences of numbers up to 2."""


class Step(NamedTuple):
    """A node that joined the region, and the community that it was of."""

    node: int
    community: int


@dataclass(frozen=True)
class Communities:
    """A graph in its communities, with the sums that a query needs.

    Attributes:
        adjacency: the edges by node.
        labels: each node's community, from 0.
        members: the nodes, one community after the other, ascending within each.
        starts: where each community's begin in them, shape (communities + 1,).
        sums: of each community.
        degrees: of each node.
        own: the part of a node's degree that lies in its community.
        total: L.
    """

    adjacency: Adjacency
    labels: Labels
    members: Nodes
    starts: Nodes
    sums: Sums
    degrees: Weights
    own: Weights
    total: float

    @classmethod
    def of(cls, graph: ImageGraph, labels: Labels) -> Self:
        """Of a graph, and each node's community."""
        members = np.argsort(labels, kind="stable")
        sums = sums_of(graph, labels)
        starts = np.concatenate([[0], np.cumsum(np.bincount(labels))])
        inside = labels[graph.first] == labels[graph.second]
        ends = np.concatenate([graph.first[inside], graph.second[inside]])
        own = summed(ends, np.tile(graph.weights[inside], 2), graph.count)
        return cls(graph.adjacency, labels, members, starts, sums, graph.degrees, own, graph.total)

    def nodes_of(self, community: int) -> Nodes:
        """The nodes of a community, ascending."""
        return self.members[self.starts[community] : self.starts[community + 1]]


def grown(
    communities: Communities, edges: tuple[Nodes, Weights], left_out: Nodes
) -> Iterator[Step]:
    """Yield the nodes of the region in the order in which they join it, as long as any can.

    Who wants K takes the first K: none of them depends on how many are wanted.

    Args:
        communities: the graph.
        edges: of the query, as ``graph.edges_of`` gives them; those to ``left_out`` do not count.
        left_out: nodes that are as if they were not there, each once.
    """
    region = _Region(communities, left_out)
    region.ask(*edges)
    while (community := region.closest()) is not None:
        yield from region.grow_in(community)


class _Region:
    """A region that grows, and what remains of the graph: sums are kept, not made anew."""

    def __init__(self, communities: Communities, left_out: Nodes) -> None:
        self._graph = communities
        self._free = np.ones(len(communities.labels), np.bool_)
        self._degrees = communities.degrees.copy()
        self._own = communities.own.copy()
        self._counts = np.array(communities.sums.nodes)
        self._inside = np.array(communities.sums.inside)
        self._sums = np.array(communities.sums.degrees)
        self._total = communities.total
        self._to_region = np.zeros(len(communities.labels))
        self._region = Sums(1.0, 0.0, 0.0)
        if len(left_out):
            self._leave_out(left_out)

    def ask(self, nodes: Nodes, weights: Weights) -> None:
        """Puts the query into the graph, a region of one node."""
        here = self._free[nodes]
        nodes, weights = nodes[here], weights[here]
        self._to_region[nodes] = weights
        self._degrees[nodes] += weights
        np.add.at(self._sums, self._graph.labels[nodes], weights)
        self._total += float(weights.sum())
        self._region = Sums(1.0, 0.0, float(weights.sum()))

    def closest(self) -> int | None:
        """The community whose merging with the region gains most; None where none is joined."""
        labels = self._graph.labels
        joined = np.flatnonzero((self._to_region > 0) & self._free)
        if not len(joined):
            return None
        between = summed(labels[joined], self._to_region[joined], len(self._counts))
        some = np.flatnonzero(between)
        others = Sums(self._counts[some], self._inside[some], self._sums[some])
        gains = merging_gain(self._region, others, between[some], self._total)
        return int(some[_first_of_greatest(gains)])

    def grow_in(self, community: int) -> Iterator[Step]:
        """Takes the nodes of a community one by one, as long as one is joined with the region.

        The subgraph of region and community stays the same meanwhile: what leaves the one joins
        the other.
        """
        nodes = self._graph.nodes_of(community)
        nodes = nodes[self._free[nodes]]
        degrees = self._own[nodes] + self._to_region[nodes]
        between = float(self._to_region[nodes].sum())
        count, within = float(self._region.nodes), float(self._region.inside)
        total = within + between + float(self._inside[community])
        sums = 2.0 * within + between
        while True:
            open_ = np.flatnonzero(self._free[nodes] & (self._to_region[nodes] > 0))
            if not len(open_):
                return
            to_region = self._to_region[nodes[open_]]
            gains = joining_gain(Sums(count, within, sums), degrees[open_], to_region, total)
            best = _first_of_greatest(gains)
            count, within = count + 1.0, within + float(to_region[best])
            sums += float(degrees[open_[best]])
            node = int(nodes[open_[best]])
            self._take(node, community)
            yield Step(node, community)

    def _take(self, node: int, community: int) -> None:
        """Moves a node from its community into the region."""
        degree = self._degrees[node]
        self._region = Sums(
            self._region.nodes + 1.0,
            self._region.inside + float(self._to_region[node]),
            self._region.degrees + float(degree),
        )
        self._free[node] = False
        others, weights = self._graph.adjacency.of(node)
        here = self._free[others]
        others, weights = others[here], weights[here]
        self._to_region[others] += weights
        # ``_own`` stays: neighbours of its community follow it before another is looked at
        same = self._graph.labels[others] == community
        self._counts[community] -= 1.0
        self._inside[community] -= weights[same].sum()
        self._sums[community] -= degree

    def _leave_out(self, nodes: Nodes) -> None:
        """Takes nodes and their edges out of the graph."""
        labels, free = self._graph.labels, self._free
        free[nodes] = False
        ones, others, weights = self._graph.adjacency.of_all(nodes)
        # an edge between two that are left out comes twice
        once = np.where(free[others], weights, weights / 2.0)
        same = labels[ones] == labels[others]
        self._total -= float(once.sum())
        np.subtract.at(self._inside, labels[ones[same]], once[same])
        np.subtract.at(self._own, others[same], weights[same])
        np.subtract.at(self._degrees, others, weights)
        np.subtract.at(self._sums, labels[ones], weights)
        stays = free[others]
        np.subtract.at(self._sums, labels[others[stays]], weights[stays])
        np.subtract.at(self._counts, labels[nodes], 1.0)


def _first_of_greatest(gains: NDArray[np.float64]) -> int:
    """The place of the greatest, the first of those that are as great."""
    return int(np.argmax(gains >= gains.max() - TIE))
