"""Communities as a search strategy beside the index: build once, ask with any vector.

The order is that in which a region grows from the query (``growing``), not that of distance. Where
it cannot grow, because the query is joined with nothing or all that it is joined with is told, the
nearest follow by distance; each answer says which it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from storage.communities.graph import (
    GraphError,
    ImageGraph,
    Nodes,
    Vectors,
    Weights,
    edges_of,
    image_graph,
)
from storage.communities.growing import Communities, grown
from storage.communities.partition import Method, Partition, partitioned
from storage.vectors.metric import Metric

Keys = NDArray[np.int64]

DEGREE = 50.0
"""Edges of an image on average, where nothing else is said."""
NO_COMMUNITY = -1


class Way(StrEnum):
    """How an image was found: in the region that grew, or as the nearest of what was left."""

    REGION = "region"
    NEAREST = "nearest"


class Grown(NamedTuple):
    """An answer.

    ``distance`` is 1 - cos to the query, in double precision; ``community`` is the image's,
    NO_COMMUNITY where it was found by distance.
    """

    key: int
    distance: float
    way: Way
    community: int


@dataclass(frozen=True)
class CommunityAnswer:
    """What was found, in its order.

    Attributes:
        found: at most k, fewer only where fewer may be found.
        edges: with how many of those that may be found the query is joined; with 0 all of
            ``found`` are plain nearest neighbours.
    """

    found: tuple[Grown, ...]
    edges: int

    @property
    def by_region(self) -> int:
        """How many were found by growing."""
        return sum(one.way is Way.REGION for one in self.found)


@dataclass(frozen=True)
class CommunityIndex:
    """The vectors of a space, their graph and its communities; any number of threads may ask it.

    Attributes:
        keys: of the vectors, ascending.
        vectors: float32, shape (n, dimension), of unit length.
        graph: who is joined with whom.
        partition: the communities.
        communities: the graph as a query needs it.
    """

    keys: Keys
    vectors: Vectors
    graph: ImageGraph
    partition: Partition
    communities: Communities

    @classmethod
    def build(
        cls,
        vectors: Vectors,
        keys: Sequence[int] | Keys,
        degree: float = DEGREE,
        method: Method = Method.LOUVAIN,
        *,
        resolution: float = 1.0,
        seed: int = 0,
        least: int = 1,
    ) -> Self:
        """Of vectors and their keys, which are sorted by key: ties go by it.

        Args:
            vectors: float32, shape (n, dimension), of unit length.
            keys: one for each.
            degree: as ``graph.image_graph`` takes it.
            method: as ``partition.partitioned`` takes it, as are ``resolution``, ``seed`` and
                ``least``.

        Raises:
            GraphError: as these, or keys and vectors differ in number, or a key stands twice.
            LackingError: the extra ``communities`` is not installed.
            VectorError: a vector is not finite, or not of unit length.
        """
        own = np.asarray(keys, np.int64)
        if len(own) != len(vectors):
            raise GraphError(f"{len(own)} keys for {len(vectors)} vectors; each has one")
        order = np.argsort(own, kind="stable")
        own = own[order]
        twice = own[1:][own[1:] == own[:-1]]
        if len(twice):
            raise GraphError(f"key {twice[0]} stands more than once; give each vector its own")
        rows = vectors[order]
        graph = image_graph(rows, degree)
        found = partitioned(graph, method, resolution=resolution, seed=seed, least=least)
        return cls(own, rows, graph, found, Communities.of(graph, found.labels))

    @property
    def count(self) -> int:
        """How many vectors it holds."""
        return len(self.keys)

    def search(self, query: Vectors, k: int, excluded: Iterable[int] = ()) -> CommunityAnswer:
        """The first k that are found from a vector, which need not be in the graph.

        Args:
            query: float32, shape (dimension,), of unit length.
            k: at least 1.
            excluded: keys that are as if they were not there: not found, and of no influence on
                who is. The same patient's, say. A key that is not held changes nothing.

        Raises:
            GraphError: k is below 1.
            VectorError: the vector is not finite, not of unit length, or of another dimension.
        """
        if k < 1:
            raise GraphError(f"k is {k}; ask for at least one")
        query, left_out = self._checked(query), self._rows_of(excluded)
        edges = edges_of(query, self.vectors, self.graph.threshold)
        found = islice(self._each(query, edges, left_out), k)
        return CommunityAnswer(tuple(found), len(np.setdiff1d(edges[0], left_out)))

    def count_edges(self, query: Vectors, excluded: Iterable[int] = ()) -> int:
        """With how many of those that may be found a vector is joined.

        Raises:
            VectorError: as ``search``.
        """
        joined, _ = edges_of(self._checked(query), self.vectors, self.graph.threshold)
        return len(np.setdiff1d(joined, self._rows_of(excluded)))

    def search_member(self, key: int, k: int, excluded: Iterable[int] = ()) -> CommunityAnswer:
        """The first k that are found from a vector that is held: it is taken out and asks.

        Raises:
            GraphError: k is below 1, or the key is not held.
        """
        (row,) = self._rows_of([key]).tolist() or [None]
        if row is None:
            raise GraphError(f"key {key} is not held; ask with its vector instead")
        return self.search(self.vectors[row], k, [key, *excluded])

    def each(self, query: Vectors, excluded: Iterable[int] = ()) -> Iterator[Grown]:
        """All that may be found, in order, for who does not know how many are needed.

        A study has several images: whoever wants k studies takes images until there are so many.

        Raises:
            VectorError: as ``search``.
        """
        query, left_out = self._checked(query), self._rows_of(excluded)
        return self._each(query, edges_of(query, self.vectors, self.graph.threshold), left_out)

    def _each(
        self, query: Vectors, edges: tuple[Nodes, Weights], left_out: Nodes
    ) -> Iterator[Grown]:
        told = np.zeros(self.count, np.bool_)
        told[left_out] = True
        for node, community in grown(self.communities, edges, left_out):
            told[node] = True
            (distance,) = Metric.COSINE.distances(query, self.vectors[node : node + 1]).tolist()
            yield Grown(int(self.keys[node]), distance, Way.REGION, community)
        rest = np.flatnonzero(~told)
        distances = Metric.COSINE.distances(query, self.vectors[rest])
        for at in np.lexsort((rest, distances)).tolist():
            yield Grown(int(self.keys[rest[at]]), float(distances[at]), Way.NEAREST, NO_COMMUNITY)

    def _checked(self, query: Vectors) -> Vectors:
        checked: Vectors = Metric.COSINE.checked(query[None], self.vectors.shape[1])[0]
        return checked

    def _rows_of(self, keys: Iterable[int]) -> Nodes:
        """At which rows the keys stand that are held, ascending, each once."""
        wanted = np.unique(np.fromiter(keys, np.int64))
        rows = np.minimum(np.searchsorted(self.keys, wanted), self.count - 1)
        found: Nodes = rows[self.keys[rows] == wanted]
        return found
