"""Engines that look at a part of the rows, or at coarser forms of them; FAISS's, tuned when built.

What they shortlist is measured with the rows themselves, so that a distance is never a coarse one,
and only whether a row is found at all depends on the engine. How many are found is measured when
an engine is built, with rows that it does not hold yet, and its parameters are raised until that
suffices; where it never does, it must not be used.

An engine is only ever asked for the nearest of all rows. A filter would lead it astray: most of
what a graph or cells pass on the way may be left out by it, and what is left may lie elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from storage.vectors.choice import Choice, Kind, Precision
from storage.vectors.engine import NO_ROW, UNKNOWN, Rows, Shortlist
from storage.vectors.flat import FlatEngine, faiss_metric, reader_of
from storage.vectors.metric import Metric, Vectors
from storage.vectors.sections import Bytes
from storage.vectors.untyped import faiss

TARGET_RECALL = 0.995
"""Of recall@10, measured when an engine is built; 0.99 is promised."""
PROMISED_RECALL = 0.99
MOST_WIDENED = 2048
"""Where so many rows leave fewer than k that have not left, all rows are looked at."""
MOST_BREADTH = 4096
MOST_FACTOR = 64
SAMPLE = 256
"""Rows that an engine is measured with."""
NEIGHBOURS = 10
HNSW_LINKS = 32
HNSW_BUILD = 200
"""FAISS's M, and the breadth of search while the graph is built (efConstruction)."""
FIRST_BREADTH = 32
ADDED_AT_ONCE = 10_000
TRAINED_WITH = 100_000
"""Rows at most that cells are made of."""
_QUANTIZERS = {
    Precision.FP16: faiss.ScalarQuantizer.QT_fp16,
    Precision.INT8: faiss.ScalarQuantizer.QT_8bit,
}


class Progress(Protocol):
    """Told how many rows of how many are built in."""

    def __call__(self, done: int, of: int, /) -> object:
        """See above."""


def quietly(done: int, of: int, /) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True)
class Tuned:
    """What was found out when an engine was built.

    Attributes:
        breadth: of its search: efSearch of a graph, cells that are looked into (nprobe).
        factor: how many times k is shortlisted; more than 1 from coarse forms.
        recall: recall@10 against exact search, of rows that it did not hold yet.
    """

    breadth: int
    factor: int
    recall: float


class _Index:
    """A FAISS index of some kind, searched as widely as is asked for."""

    def __init__(self, index: Any, kind: Kind) -> None:
        self.faiss = index
        self._kind = kind
        self._usual = {1: self._searching(1)}

    def nearest(self, queries: Vectors, k: int, breadth: int) -> NDArray[np.int64]:
        """Rows that are probably nearest to each query, shape (queries, k)."""
        wide = max(breadth, k) if self._kind is Kind.HNSW else breadth
        options = self._usual.get(wide)
        if options is None:
            options = self._searching(wide)
            self._usual = {wide: options}
        rows: NDArray[np.int64]
        _, rows = self.faiss.search(queries, k, params=options)
        return rows

    def _searching(self, breadth: int) -> Any:
        if self._kind is Kind.HNSW:
            return faiss.SearchParametersHNSW(efSearch=breadth)
        if self._kind is Kind.IVF:
            return faiss.SearchParametersIVF(nprobe=breadth)
        return faiss.SearchParameters()


class ApproximateEngine:
    """Shortlists by a FAISS index; where too much of that has left, by exact search.

    Args:
        index: FAISS's, of the same rows in the same order; what it looks into must outlive us.
        choice: what it is.
        tuned: how widely it is searched.
        exact: searches the rows themselves.
    """

    def __init__(self, index: Any, choice: Choice, tuned: Tuned, exact: FlatEngine) -> None:
        self._index = _Index(index, choice.kind)
        self._tuned = tuned
        self._exact = exact

    def shortlist(self, queries: Vectors, k: int, only: Rows | None) -> Shortlist:
        """See ``Engine``; ``only`` are the rows that have not left, not a filter."""
        of = int(self._index.faiss.ntotal)
        least = k if only is None else min(k, only.count)
        wanted, breadth = min(self._tuned.factor * k, of), self._tuned.breadth
        parts: list[tuple[NDArray[np.intp], Shortlist]] = []
        open_ = np.arange(len(queries))
        while len(open_):
            if wanted > MOST_WIDENED:
                parts.append((open_, self._exact.shortlist(queries[open_], k, only)))
                break
            rows = self._index.nearest(queries[open_], wanted, breadth)
            if only is not None:
                rows = np.where(only.has(rows), rows, NO_ROW)
            enough = (rows != NO_ROW).sum(axis=1) >= least
            parts.append((open_[enough], Shortlist(rows[enough], _unknown(open_[enough]))))
            open_ = open_[~enough]
            wanted, breadth = min(4 * wanted, max(of, MOST_WIDENED + 1)), 4 * breadth
        return parts[0][1] if len(parts) == 1 else _together(parts, len(queries))


def _unknown(queries: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.full(len(queries), UNKNOWN)


def _together(parts: Sequence[tuple[NDArray[np.intp], Shortlist]], count: int) -> Shortlist:
    width = max(short.rows.shape[1] for _, short in parts)
    rows, bounds = np.full((count, width), NO_ROW, np.int64), np.full(count, UNKNOWN)
    for numbers, short in parts:
        rows[numbers, : short.rows.shape[1]] = short.rows
        bounds[numbers] = short.bounds
    return Shortlist(rows, bounds)


def build(
    choice: Choice, rows: Vectors, metric: Metric, exact: FlatEngine, progress: Progress
) -> tuple[Tuned, Bytes]:
    """Builds an engine; its parameters, and the bytes of FAISS's file of it.

    Args:
        choice: any but exact in single precision, which needs nothing built.
        rows: shape (n, width), n at least 1.
        metric: any but Hamming.
        exact: searches the same rows.
        progress: told how far it is.
    """
    index = _empty(choice, rows, metric)
    known = len(rows) - min(SAMPLE, len(rows) // 10)
    _add(index, rows[:known], progress, of=len(rows))
    tuned = _tuned(index, choice, rows, known, metric, exact)
    _add(index, rows[known:], progress, of=len(rows))
    flags = faiss.IO_FLAG_SKIP_STORAGE if _is_bare_graph(choice) else 0
    return tuned, faiss.serialize_index(index, flags)


def opened(choice: Choice, tuned: Tuned, file: Bytes, exact: FlatEngine) -> ApproximateEngine:
    """The engine that ``build`` built; it looks into ``file``, which must outlive it."""
    if not _is_bare_graph(choice):
        return ApproximateEngine(faiss.read_index(reader_of(file)), choice, tuned, exact)
    index = faiss.read_index(reader_of(file), faiss.IO_FLAG_SKIP_STORAGE)
    index.storage = exact.faiss
    index.own_fields = False
    return ApproximateEngine(index, choice, tuned, exact)


def _is_bare_graph(choice: Choice) -> bool:
    """Whether the rows themselves are what the graph's edges lead to."""
    return choice == Choice(Kind.HNSW, Precision.FP32)


def _empty(choice: Choice, rows: Vectors, metric: Metric) -> Any:
    if metric is Metric.HAMMING:
        raise ValueError("codes with Hamming distance are searched exactly; set engine = 'exact'")
    width, number = rows.shape[1], faiss_metric(metric)
    coarse = _QUANTIZERS.get(choice.precision)
    match choice.kind:
        case Kind.EXACT:
            index: Any = faiss.IndexScalarQuantizer(width, coarse, number)
        case Kind.HNSW if coarse is None:
            index = faiss.IndexHNSWFlat(width, HNSW_LINKS, number)
        case Kind.HNSW:
            index = faiss.IndexHNSWSQ(width, coarse, HNSW_LINKS, number)
        case Kind.IVF:
            cells = max(1, min(round(4 * len(rows) ** 0.5), len(rows) // 39))
            quantizer = faiss.IndexFlat(width, number)
            if coarse is None:
                index = faiss.IndexIVFFlat(quantizer, width, cells, number)
            else:
                index = faiss.IndexIVFScalarQuantizer(quantizer, width, cells, coarse, number)
            index.cp.spherical = metric is Metric.COSINE
            # FAISS would like 39 rows for each cell, and says so on stderr: what recall comes of
            # fewer is measured anyway
            index.cp.min_points_per_centroid = 1
    if choice.kind is Kind.HNSW:
        index.hnsw.efConstruction = HNSW_BUILD
    if not index.is_trained:
        chosen = np.random.default_rng(0).permutation(len(rows))[:TRAINED_WITH]
        index.train(np.ascontiguousarray(rows[np.sort(chosen)]))
    return index


def _add(index: Any, rows: Vectors, progress: Progress, *, of: int) -> None:
    for at in range(0, len(rows), ADDED_AT_ONCE):
        index.add(np.ascontiguousarray(rows[at : at + ADDED_AT_ONCE]))
        progress(int(index.ntotal), of)


def _tuned(
    index: Any, choice: Choice, rows: Vectors, known: int, metric: Metric, exact: FlatEngine
) -> Tuned:
    """Widens the search until it finds what exact search finds, of rows not in the index yet."""
    queries = np.ascontiguousarray(rows[known:])
    k = min(NEIGHBOURS, known)
    first = Tuned(FIRST_BREADTH if choice.kind is Kind.HNSW else 1, 1, 1.0)
    if not len(queries):
        return first
    truth = exact.shortlist(queries, k, Rows.where(np.arange(len(rows)) < known)).rows
    searched = _Index(index, choice.kind)

    def measured(breadth: int, factor: int) -> Tuned:
        found = searched.nearest(queries, min(factor * k, known), breadth)
        return Tuned(breadth, factor, _recall(queries, rows, truth, found, metric))

    tuned = measured(first.breadth, first.factor)
    while tuned.recall < TARGET_RECALL:
        ways = _wider(tuned, choice, index, known)
        if not ways:
            break
        tuned = max((measured(*way) for way in ways), key=lambda entry: entry.recall)
    return tuned


def _wider(tuned: Tuned, choice: Choice, index: Any, known: int) -> list[tuple[int, int]]:
    """In which ways a search can be widened: its breadth and its factor then."""
    limits = {
        Kind.EXACT: 1,
        Kind.HNSW: min(MOST_BREADTH, known),
        Kind.IVF: getattr(index, "nlist", 1),
    }
    limit = limits[choice.kind]
    ways = []
    if tuned.breadth < limit:
        ways.append((min(2 * tuned.breadth, limit), tuned.factor))
    if choice.precision is not Precision.FP32 and tuned.factor < MOST_FACTOR:
        ways.append((tuned.breadth, 2 * tuned.factor))
    return ways


def _recall(
    queries: Vectors,
    rows: Vectors,
    truth: NDArray[np.int64],
    found: NDArray[np.int64],
    metric: Metric,
) -> float:
    """The share of the nearest that were found; one that is as near as the last of them counts."""
    hits = 0
    for query, nearest, others in zip(queries, truth, found, strict=True):
        farthest = metric.distances(query, rows[nearest]).max()
        there = rows[others[others != NO_ROW]]
        hits += min(len(nearest), int((metric.distances(query, there) <= farthest).sum()))
    return hits / truth.size
