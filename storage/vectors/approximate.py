"""Engines that look at a part of the rows, or at coarser forms of them; FAISS's, tuned when built.

What they shortlist is measured with the rows themselves, so that a distance is never a coarse one,
and only whether a row is found at all depends on the engine. How many are found is measured when
an engine is built, with rows of its own, and its parameters are raised until that suffices.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from storage.vectors.choice import Choice, Kind, Precision
from storage.vectors.engine import NO_ROW, UNKNOWN, Rows, Shortlist
from storage.vectors.flat import FlatEngine, faiss_metric, reader_of, selector
from storage.vectors.metric import Metric, Vectors
from storage.vectors.sections import Bytes
from storage.vectors.untyped import faiss

TARGET_RECALL = 0.995
"""Of recall@10, measured when an engine is built; 0.99 is promised."""
FILTERED_SHARE = 0.8
"""With fewer rows to choose from, all of them are looked at: graphs and cells lose them."""
COARSE_FACTOR = 4
"""How many times k is shortlisted from coarse forms."""
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
        recall: recall@10 against exact search, of rows that it did not hold yet.
    """

    breadth: int
    recall: float


class ApproximateEngine:
    """Shortlists by a FAISS index; where that is no use, by exact search.

    Args:
        index: FAISS's, of the same rows in the same order; what it looks into must outlive us.
        choice: what it is.
        breadth: of a search.
        exact: searches the rows themselves.
    """

    def __init__(self, index: Any, choice: Choice, breadth: int, exact: FlatEngine) -> None:
        self._index = index
        self._choice = choice
        self._breadth = breadth
        self._exact = exact
        self._factor = 1 if choice.precision is Precision.FP32 else COARSE_FACTOR

    def shortlist(self, queries: Vectors, k: int, only: Rows | None) -> Shortlist:
        """See ``Engine``."""
        of = int(self._index.ntotal)
        allowed = of if only is None else only.count
        if self._choice.kind is not Kind.EXACT and allowed < FILTERED_SHARE * of:
            return self._exact.shortlist(queries, k, only)
        wanted = min(self._factor * k, allowed)
        _, rows = self._index.search(queries, wanted, params=self._searching(wanted, only))
        if (rows[:, :k] == NO_ROW).any():  # k there are
            return self._exact.shortlist(queries, k, only)
        return Shortlist(rows, np.full(len(queries), UNKNOWN))

    def _searching(self, wanted: int, only: Rows | None) -> Any:
        made = {
            Kind.EXACT: faiss.SearchParameters,
            Kind.HNSW: faiss.SearchParametersHNSW,
            Kind.IVF: faiss.SearchParametersIVF,
        }[self._choice.kind]
        options: dict[str, Any] = {} if only is None else {"sel": selector(only)}
        if self._choice.kind is Kind.HNSW:
            options["efSearch"] = max(self._breadth, wanted)
        if self._choice.kind is Kind.IVF:
            options["nprobe"] = self._breadth
        return made(**options)


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
    tuned = _tune(index, choice, rows, known, metric, exact)
    _add(index, rows[known:], progress, of=len(rows))
    flags = faiss.IO_FLAG_SKIP_STORAGE if _is_bare_graph(choice) else 0
    return tuned, faiss.serialize_index(index, flags)


def opened(choice: Choice, breadth: int, file: Bytes, exact: FlatEngine) -> ApproximateEngine:
    """The engine that ``build`` built; it looks into ``file``, which must outlive it."""
    if not _is_bare_graph(choice):
        return ApproximateEngine(faiss.read_index(reader_of(file)), choice, breadth, exact)
    index = faiss.read_index(reader_of(file), faiss.IO_FLAG_SKIP_STORAGE)
    index.storage = exact.faiss
    index.own_fields = False
    return ApproximateEngine(index, choice, breadth, exact)


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


def _tune(
    index: Any, choice: Choice, rows: Vectors, known: int, metric: Metric, exact: FlatEngine
) -> Tuned:
    """Widens the search until it finds what exact search finds, of rows not in the index yet."""
    queries = np.ascontiguousarray(rows[known:])
    k = min(NEIGHBOURS, known)
    if not len(queries):
        return Tuned(FIRST_BREADTH, 1.0)
    first = Rows.where(np.arange(len(rows)) < known)
    truth = exact.shortlist(queries, k, first).rows
    limit = known if choice.kind is Kind.HNSW else getattr(index, "nlist", 1)
    breadth = min(FIRST_BREADTH if choice.kind is Kind.HNSW else 1, limit)
    while True:
        found = ApproximateEngine(index, choice, breadth, exact).shortlist(queries, k, None).rows
        recall = _recall(queries, rows, truth, found, metric)
        if recall >= TARGET_RECALL or breadth >= limit:
            return Tuned(breadth, recall)
        breadth = min(2 * breadth, limit)


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
        hits += min(len(nearest), int((metric.distances(query, rows[others]) <= farthest).sum()))
    return hits / truth.size
