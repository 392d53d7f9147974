"""Weighted modularity and its gains: Eqs. 4 to 7 and 10 to 15 of Haq et al. 2020.

All sums are of edge weights (the paper's Eq. 8): ``inside`` has each edge within a community once,
as Eq. 4 needs, ``degrees`` is the sum over a community's nodes of all weights at the node, and
``total`` is L, each edge of the graph once. Numbers may be arrays, one entry for each community.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Numbers = Values | float


class Sums(NamedTuple):
    """Of a community: ``nodes`` is n, ``inside`` l and ``degrees`` d of the paper's Table 2."""

    nodes: Numbers
    inside: Numbers
    degrees: Numbers


def weight_term(sums: Sums, *, finer: bool = True) -> Values:
    """Lambda, Eqs. 5 and 6: 1, and for finer communities the density of their edges beside it.

    A community of one node has no pair, and Eq. 6 is 0 / 0; its lambda is 1, as Eq. 15 has it.
    """
    nodes, inside = np.broadcast_arrays(sums.nodes, sums.inside)
    pairs = np.asarray(nodes * (nodes - 1.0) / 2.0)
    density = np.divide(inside, pairs, out=np.zeros(pairs.shape), where=pairs > 0)
    return np.asarray(1.0 + density if finer else np.ones(pairs.shape))


def quality(sums: Sums, total: float) -> Values:
    """q of Eq. 4: the share of the edges inside, less what it would be in an order drawn by lot."""
    return np.asarray(sums.inside / total - (sums.degrees / (2.0 * total)) ** 2)


def weighted(sums: Sums, total: float, *, finer: bool = True) -> Values:
    """Lambda times q: what a community gives to Eq. 4."""
    return np.asarray(weight_term(sums, finer=finer) * quality(sums, total))


def merged(one: Sums, other: Sums, between: Numbers) -> Sums:
    """The sums of two communities made one, Eq. 13; ``between`` is l_ext, the edges from one to
    the other."""
    return Sums(
        one.nodes + other.nodes,
        one.inside + other.inside + between,
        one.degrees + other.degrees,
    )


def coarse_gain(community: Sums, node_degree: Numbers, between: Numbers, total: float) -> Values:
    """What plain modularity gains if a node that is its own community joins another, Eq. 7.

    As printed, Eq. 7 has l_c and l_ext over 2 L, and by Eq. 8 an edge inside counts twice in l_c
    but once in l_ext, so that the gain of the edges is halved. Here each edge counts once, over L,
    as in Eq. 4, and the gain is the difference of Eq. 4 after and before.
    """
    alone = Sums(1.0, 0.0, node_degree)
    after = quality(merged(community, alone, between), total)
    return np.asarray(after - quality(community, total) - quality(alone, total))


def merging_gain(region: Sums, other: Sums, between: Numbers, total: float) -> Values:
    """What weighted modularity gains if a region and a community are made one, Eqs. 10 to 13.

    ``total`` is that of the graph with the query in it, L + d^{i_q} of Eqs. 11 and 12.
    """
    after = weighted(merged(region, other, between), total)
    return np.asarray(after - weighted(region, total) - weighted(other, total))


def joining_gain(region: Sums, node_degree: Numbers, between: Numbers, total: float) -> Values:
    """What it gains if a node that is its own community joins the region, Eqs. 14 and 15.

    Degrees and ``total`` are those of the subgraph of region and community, G_s. Eq. 15 is Eq. 10
    for a community of one node: |R| + 1 nodes have |R| (|R| + 1) / 2 pairs.
    """
    return merging_gain(region, Sums(1.0, 0.0, node_degree), between, total)
