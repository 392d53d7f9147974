"""A store in Milvus, on one host or a cluster: what sites take that outgrow one machine.

A space has a collection, and a second one of one row beside it for the mark, which is written last:
who is killed before that makes the same changes again. All is read with strong consistency.

A copy of a database (a test system, made of production's backup) asks for the same collections, so
the mark names the database that writes; a copy's own leaves them alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from storage.answer import SpaceSummary
from storage.outages import StoreError
from storage.stores.milvus_mark import FIELDS, mark_of, row_of
from storage.stores.milvus_server import MilvusServer
from storage.stores.store import (
    ALL_THERE_IS,
    ANOTHERS,
    NOBODY,
    Mark,
    Measured,
    Shortlisted,
    least_left_out,
    longest_of,
    must_not_be_codes,
    name_of,
)
from storage.vectors.approximate import HNSW_BUILD, HNSW_LINKS
from storage.vectors.choice import Choice, Kind, Precision
from storage.vectors.engine import UNKNOWN
from storage.vectors.metric import Metric, Vectors
from storage.vectors.segment import Ids

MOST_DIMENSIONS = 32_768
MOST_HITS = 16_384
"""What Milvus takes: of a FLOAT_VECTOR, and of one search (quota and limits)."""
FETCHED_MOST = 2000
"""Of so many ids or fewer the vectors are fetched and measured here, which is exact."""
BREADTH = 256
MOST_BREADTH = 4096
"""``ef`` of a graph's search: before it was measured, and at most. Milvus itself has no limit."""
AT_ONCE_BYTES = 8 << 20
"""Of vectors in one message; Milvus takes 64 MB."""
MOST_AT_ONCE = 4096
_METRICS = {Metric.COSINE: "IP", Metric.INNER_PRODUCT: "IP", Metric.L2: "L2"}
_FIELD = "vector"


class MilvusStore:
    """See ``Store``.

    Args:
        server: that keeps the vectors.
        space: whose they are.
        choice: exact or a graph, in single precision.
        archive: tells archives that share a server apart.
        owner: tells a database from its copies.

    Raises:
        StoreError: the server cannot be used, or its collection is not one of such vectors.
    """

    def __init__(
        self,
        server: MilvusServer,
        space: SpaceSummary,
        choice: Choice,
        *,
        archive: str,
        owner: int = NOBODY,
    ) -> None:
        self._metric = Metric(space.metric)
        must_not_be_codes(self._metric)
        _must_fit(space.dimension, choice)
        self._server = server
        self._choice = choice
        self._owner = owner
        self._dimension = space.dimension
        self._name = name_of(space.id, archive)
        self._marks = f"{self._name}_mark"
        self._at_once = max(1, min(MOST_AT_ONCE, AT_ONCE_BYTES // (4 * space.dimension)))
        self._make()

    @property
    def choice(self) -> Choice:
        """See ``Store``."""
        return self._choice

    @property
    def most(self) -> int:
        """See ``Store``."""
        return MOST_HITS

    @property
    def breadths(self) -> tuple[int, int]:
        """See ``Store``."""
        return BREADTH, MOST_BREADTH

    @property
    def filters(self) -> bool:
        """See ``Store``: along a graph a filter loses some."""
        return self._choice.kind is Kind.EXACT

    def close(self) -> None:
        """See ``Store``."""
        self._server.close()

    def _make(self) -> None:
        server = self._server
        is_there = server.has(self._name)
        if is_there:
            self._must_be_ours()
        if not server.has(self._marks):
            flat = {"index_type": "FLAT", "metric_type": "IP"}
            server.make(self._marks, 2, flat, FIELDS)
        server.load(self._marks)
        if not is_there:
            self._forget_what_was()
            server.make(self._name, self._dimension, self._index_of(self._choice))
        server.load(self._name)

    def _forget_what_was(self) -> None:
        """Somebody may have dropped a collection, and left the mark of what was in it."""
        if replace(self._kept(), owner=NOBODY) != Mark():
            self._write_mark(Mark())

    def _must_be_ours(self) -> None:
        dimension, index = self._server.described(self._name, _FIELD)
        metric = index.get("metric_type", "")
        if dimension != self._dimension or metric not in ("", _METRICS[self._metric]):
            raise StoreError(
                f"collection {self._name} of {self._server.shown} holds vectors of {dimension} "
                f"dimensions with metric {metric}, and ours have {self._dimension} with "
                f"{_METRICS[self._metric]}: it is not ours; have it removed or renamed"
            )

    def _index_of(self, choice: Choice) -> dict[str, Any]:
        metric = {"metric_type": _METRICS[self._metric]}
        if choice.kind is Kind.EXACT:
            return {"index_type": "FLAT", **metric}
        made = {"M": HNSW_LINKS, "efConstruction": HNSW_BUILD}
        return {"index_type": "HNSW", **metric, "params": made}

    def mark(self) -> Mark:
        """See ``Store``."""
        kept = self._kept()
        return kept if self._may_write(kept) else ANOTHERS

    def is_whole(self) -> bool:
        """See ``Store``."""
        kept = self._kept()
        if not self._may_write(kept):
            return False
        is_right = abs(self.count() - kept.held) <= kept.unsure
        return is_right or self._kept() != kept

    def _may_write(self, kept: Mark) -> bool:
        return kept.owner in (NOBODY, self._owner)

    def _kept(self) -> Mark:
        rows = self._server.fetched(self._marks, [0], list(FIELDS))
        return mark_of(rows[0]) if rows else Mark()

    def _own(self) -> Mark:
        """The mark as who writes goes on from it; StoreError where another database's is there."""
        kept = self._kept()
        if self._may_write(kept):
            return replace(kept, owner=self._owner)
        if not self.count():
            return Mark(owner=self._owner)
        raise StoreError(
            f"the vectors in collection {self._name} of {self._server.shown} were written by "
            "another database: this one is a copy of it, or was restored to another server. A copy "
            "needs a Milvus of its own (index.milvus_uri), or another index.engine. If the other "
            f"database is no more, have the collections {self._name} and {self._marks} dropped; "
            "they are filled anew"
        )

    def _write_mark(self, mark: Mark) -> None:
        self._server.put(self._marks, [{"id": 0, _FIELD: [1.0, 0.0], **row_of(mark)}])

    def keep_measured(self, measured: Measured) -> None:
        """See ``Store``."""
        self._write_mark(replace(self._own(), measured=measured))

    def count(self) -> int:
        """See ``Store``."""
        return self._server.count(self._name)

    def ids(self) -> Ids:
        """See ``Store``."""
        return np.sort(np.fromiter(self._server.ids(self._name), np.int64))

    def standing(self, ids: Ids) -> Ids:
        """See ``Store``."""
        found = [row["id"] for row in self._rows(np.unique(ids), ["id"])]
        return np.sort(np.array(found, np.int64))

    def vectors(self, ids: Ids) -> tuple[Ids, Vectors]:
        """See ``Store``."""
        rows = list(self._rows(np.unique(ids), [_FIELD]))
        keys, vectors = self._read(rows)
        order = np.argsort(keys)
        return keys[order], vectors[order]

    def _rows(self, ids: Ids, fields: list[str]) -> Iterator[Mapping[str, Any]]:
        for at in range(0, len(ids), self._at_once):
            part = ids[at : at + self._at_once].tolist()
            yield from self._server.fetched(self._name, part, fields)

    def _read(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Ids, Vectors]:
        vectors = np.empty((len(rows), self._dimension), np.float32)
        for number, row in enumerate(rows):
            vectors[number] = row[_FIELD]
        return np.array([row["id"] for row in rows], np.int64), vectors

    def change(self, *, left: Ids, ids: Ids, vectors: Vectors, watermark: int) -> None:
        """See ``Store``; the watermark is written last, and first how much may change."""
        gone = np.setdiff1d(left, ids)
        mark = self._own()
        longest = max(mark.longest, longest_of(vectors))
        unsure = mark.unsure + len(gone) + len(ids)
        mark = replace(mark, longest=longest, unsure=unsure)
        self._write_mark(mark)
        for at in range(0, len(gone), MOST_AT_ONCE):
            self._server.take_out(self._name, gone[at : at + MOST_AT_ONCE].tolist())
        for at in range(0, len(ids), self._at_once):
            some = slice(at, at + self._at_once)
            rows = zip(ids[some].tolist(), vectors[some], strict=True)
            self._server.put(self._name, [{"id": key, _FIELD: row} for key, row in rows])
        self._write_mark(replace(mark, watermark=watermark, held=self.count(), unsure=0))

    def empty(self) -> None:
        """See ``Store``; the collection is made anew."""
        self._write_mark(Mark(owner=self._own().owner))
        self._server.remove(self._name)
        self._make()

    def drop(self) -> None:
        """See ``Store``."""
        self._own()
        self._server.remove(self._name)
        self._server.remove(self._marks)

    def build(self) -> None:
        """See ``Store``; Milvus builds in the background where it is a cluster."""
        self._own()
        self._server.flush(self._name)
        wanted = self._index_of(self._choice)
        _, stands = self._server.described(self._name, _FIELD)
        if stands.get("index_type") != wanted["index_type"]:
            self._server.index_anew(self._name, _FIELD, wanted)

    def nearest(self, queries: Vectors, k: int, among: Ids | None) -> list[Shortlisted]:
        """See ``Store``."""
        if among is not None and len(among) <= FETCHED_MOST:
            everything = Shortlisted(*self.vectors(among), ALL_THERE_IS)
            return [everything for _ in queries]
        mark = self.mark()
        breadth = max(mark.measured.breadth or BREADTH, k)
        params = {} if self._choice.kind is Kind.EXACT else {"ef": breadth}
        return [
            self._shortlisted(query, k, found, mark.longest, among)
            for at in range(0, len(queries), self._together(k))
            for part in [queries[at : at + self._together(k)]]
            for query, found in zip(
                part,
                self._server.nearest(self._name, part, k, params, among, [_FIELD]),
                strict=True,
            )
        ]

    def _together(self, k: int) -> int:
        """Questions whose shortlists fit into one message."""
        return max(1, 4 * AT_ONCE_BYTES // (4 * self._dimension * k))

    def _shortlisted(
        self,
        query: Vectors,
        k: int,
        found: list[Mapping[str, Any]],
        longest: float,
        among: Ids | None,
    ) -> Shortlisted:
        rows = [{"id": hit["id"], _FIELD: hit["entity"][_FIELD]} for hit in found]
        ids, vectors = self._read(rows)
        if len(ids) < k and len(ids) >= self._there_are(among):
            return Shortlisted(ids, vectors, ALL_THERE_IS)
        if len(ids) < k or self._choice.kind is not Kind.EXACT:
            return Shortlisted(ids, vectors, UNKNOWN)
        farthest = self._distance(min(found, key=self._nearness)["distance"])
        bound = least_left_out(self._metric, query, longest, farthest)
        return Shortlisted(ids, vectors, bound)

    def _there_are(self, among: Ids | None) -> int:
        return self.count() if among is None else len(self.standing(among))

    def _nearness(self, hit: Mapping[str, Any]) -> float:
        return -self._distance(hit["distance"])

    def _distance(self, score: float) -> float:
        """Ours, of what Milvus gives: an inner product, or the square of L2."""
        if self._metric is Metric.L2:
            return float(np.sqrt(max(0.0, score)))
        return -score + (1.0 if self._metric is Metric.COSINE else 0.0)


def _must_fit(dimension: int, choice: Choice) -> None:
    if choice.precision is not Precision.FP32:
        raise StoreError("Milvus searches our vectors in fp32 only; change index.precision")
    if dimension > MOST_DIMENSIONS:
        raise StoreError(
            f"Milvus holds vectors of at most {MOST_DIMENSIONS} dimensions, the space's have "
            f"{dimension}; set index.engine = 'exact'"
        )
