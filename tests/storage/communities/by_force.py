"""Graphs as plain dictionaries, and all that is defined of them, in loops and from scratch."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from storage.communities.graph import ImageGraph

Edges = Mapping[tuple[int, int], float]
"""Weights by (lower node, higher node)."""
QUERY = -1


def graph_of(count: int, edges: Edges) -> ImageGraph:
    pairs = sorted(edges)
    first = np.array([one for one, _ in pairs], np.int64)
    second = np.array([two for _, two in pairs], np.int64)
    weights = np.array([edges[pair] for pair in pairs], np.float64)
    return ImageGraph(count, 0.5, first, second, weights)


def drawn_edges(random: np.random.Generator, count: int, share: float, equal: bool) -> Edges:
    """Edges by lot, of many weights or of few that tie."""
    return {
        (one, two): float(random.choice([0.3, 0.7]) if equal else random.uniform(0.1, 1.0))
        for one in range(count)
        for two in range(one + 1, count)
        if random.random() < share
    }


def between(edges: Edges, some: Collection[int], others: Collection[int]) -> float:
    return sum(
        weight
        for (one, two), weight in edges.items()
        if (one in some and two in others) or (two in some and one in others)
    )


def modularity(edges: Edges, groups: Sequence[Collection[int]], *, finer: bool = True) -> float:
    """Eqs. 4 to 6."""
    total = sum(edges.values())
    found = 0.0
    for group in groups:
        inside = between(edges, group, group)
        degrees = sum(between(edges, [node], everyone(edges)) for node in group)
        pairs = len(group) * (len(group) - 1) / 2
        density = inside / pairs if finer and pairs else 0.0
        found += (1 + density) * (inside / total - (degrees / (2 * total)) ** 2)
    return found


def everyone(edges: Edges) -> set[int]:
    return {node for pair in edges for node in pair}


def grown_by_force(edges: Edges, groups: Sequence[Collection[int]]) -> list[int]:
    """Algorithm 2, with Q of the whole partition computed before and after each possible step."""
    region, left = {QUERY}, [set(group) for group in groups]
    order: list[int] = []
    while True:
        joined = [at for at, group in enumerate(left) if between(edges, region, group) > 0]
        if not joined:
            return order
        chosen = first_of_greatest(
            joined,
            [
                modularity(edges, [region | left[at], *(left[:at] + left[at + 1 :])])
                - modularity(edges, [region, *left])
                for at in joined
            ],
        )
        taken = _taken_of(edges, region, left[chosen])
        order += taken
        region |= set(taken)
        left[chosen] -= set(taken)


def _taken_of(edges: Edges, region: set[int], group: set[int]) -> list[int]:
    nodes = region | group
    sub = {pair: weight for pair, weight in edges.items() if set(pair) <= nodes}
    inside, free, order = set(region), sorted(group), list[int]()
    while joined := [node for node in free if between(sub, inside, [node]) > 0]:
        gains = []
        for node in joined:
            others = [{other} for other in free if other != node]
            after = modularity(sub, [inside | {node}, *others])
            gains.append(after - modularity(sub, [inside, {node}, *others]))
        best = first_of_greatest(joined, gains)
        inside.add(best)
        free.remove(best)
        order.append(best)
    return order


def first_of_greatest(some: Sequence[int], gains: Sequence[float]) -> int:
    return next(one for one, gain in zip(some, gains, strict=True) if gain >= max(gains) - 1e-13)
