"""Communities as a search strategy, and binary codes, beside plain search, as Markdown tables.

Run ``python -m benchmarks.communities --data FOLDER``, where FOLDER holds
``cxr/predictions.csv.gz``: the logits of a network's 14 probabilities are the vectors. Queries are
all images with one of the paper's 13 labels (Haq et al. 2020); the query's patient never answers.
The first table is of those images among each other, as the paper's figures seem to be; the second
of the same questions to all images. A difference is to plain search by the same queries, with its
interval of 95 % over patients. Times of a query are medians of single ones in one thread, k = 10,
of plain search of 64, as the node asks for. ITQ and LSH learn from all vectors, without labels;
with more bits than the 14 dimensions the bits are not of principal directions (`storage.hashing`).
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import median
from typing import TypeVar

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import as_list, provenance
from evaluation import relevance
from evaluation.collection import Codes, Collection, Positions
from evaluation.comparison import Difference, compared
from evaluation.figures import figure
from evaluation.label_sets import consolidated, decided
from evaluation.measures import answers, measure
from evaluation.nearest import NOBODY, Neighbourhood, Run
from evaluation.readers.vectors import read_vectors
from evaluation.scores import FOLLOWING, Scores, scored
from storage.communities.partition import Method
from storage.communities.searching import CommunityIndex
from storage.hashing import SIZES, Hash, hasher
from storage.vectors.metric import Metric
from storage.vectors.vector_set import VectorSet

K = 10
DEPTH = K + FOLLOWING
SHORTLIST = 64
ACG, PRECISION = "acg@10", "p@10"
DEGREES = (10.0, 50.0, 200.0)
TIMED = 200
LEAST_SHARE = 1e-6
"""Of a probability: the logit of 0 has no end."""

Vectors = NDArray[np.float32]
Codewords = NDArray[np.uint8]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Questions:
    """Images that answer, and those of them that ask.

    Attributes:
        vectors: of unit length.
        patients: a number for each image.
        positive: labels, shape (images, labels).
        asking: the images with a label.
    """

    vectors: Vectors
    patients: Codes
    positive: NDArray[np.bool_]
    asking: Positions

    def among_labelled(self) -> "Questions":
        """The same questions to those that ask."""
        some = self.asking
        everyone = np.arange(len(some))
        return Questions(self.vectors[some], self.patients[some], self.positive[some], everyone)

    def apart(self, query: int) -> list[int]:
        """The images of a query's patient."""
        return np.flatnonzero(self.patients == self.patients[query]).tolist()

    def timed(self, ask: Callable[[int], object]) -> float:
        """The median milliseconds of single questions."""
        return median(
            1000 * seconds(partial(ask, one))[0]
            for one in self.asking[:: max(1, len(self.asking) // TIMED)].tolist()
        )


@dataclass(frozen=True)
class Row:
    """A system: its answers, and what they cost."""

    name: str
    run: Run
    build_s: float
    query_ms: float
    found: str = ""


def questions(collection: Collection, probabilities: Vectors) -> Questions:
    """All images with their logits as vectors of unit length."""
    share = probabilities.astype(np.float64).clip(LEAST_SHARE, 1 - LEAST_SHARE)
    logits = np.log(share / (1 - share))
    unit = logits / np.linalg.norm(logits, axis=1, keepdims=True)
    positive = decided(consolidated(collection, "nih13").states, "ignore")[0]
    asking = np.flatnonzero(positive.any(axis=1))
    return Questions(unit.astype(np.float32), collection.patient_codes(), positive, asking)


def seconds(done: Callable[[], Made]) -> tuple[float, Made]:
    began = time.perf_counter()
    made = done()
    return time.perf_counter() - began, made


def plain(asked: Questions) -> Row:
    taken, kept = seconds(partial(held, asked.vectors, Metric.COSINE))
    run = Neighbourhood(asked.vectors, queries=asked.asking).nearest(DEPTH, apart=asked.patients)
    return Row("plain search", run, taken, asked.timed(searching(kept, asked.vectors)))


def hashed(asked: Questions) -> Iterator[Row]:
    for method, bits in product(Hash, SIZES):
        taken, codes = seconds(partial(coded, asked.vectors, method, bits))
        near = Neighbourhood(codes, Metric.HAMMING, asked.asking)
        run = near.nearest(DEPTH, apart=asked.patients)
        query_ms = asked.timed(searching(held(codes, Metric.HAMMING), codes))
        yield Row(f"{method.upper()}, {bits} bits", run, taken, query_ms)


def by_communities(asked: Questions, degrees: Sequence[float]) -> Iterator[Row]:
    ids = np.arange(len(asked.vectors))
    for degree, method in product(degrees, Method):
        taken, index = seconds(partial(CommunityIndex.build, asked.vectors, ids, degree, method))
        run, found = grown(asked, index)
        name = f"communities, degree {degree:g}, {method.title()}"
        yield Row(name, run, taken, asked.timed(growing(asked, index)), found)


def held(vectors: Vectors | Codewords, metric: Metric) -> VectorSet:
    width = vectors.shape[1]
    kept = VectorSet(8 * width if metric is Metric.HAMMING else width, metric)
    ids = np.arange(len(vectors))
    kept.change(left=ids[:0], ids=ids, vectors=vectors)
    return kept


def coded(vectors: Vectors, method: Hash, bits: int) -> Codewords:
    return hasher(method, vectors, bits).codes(vectors)


def searching(kept: VectorSet, vectors: Vectors | Codewords) -> Callable[[int], object]:
    return lambda one: kept.search(vectors[[one]], SHORTLIST)


def growing(asked: Questions, index: CommunityIndex) -> Callable[[int], object]:
    return lambda one: index.search_member(one, K, asked.apart(one))


def grown(asked: Questions, index: CommunityIndex) -> tuple[Run, str]:
    """The answers of a community index, and how they were found."""
    found = np.full((len(asked.asking), DEPTH), NOBODY, np.int64)
    similarities = np.full(found.shape, -np.inf)
    edgeless = partly = 0
    for row, query in enumerate(asked.asking.tolist()):
        answer = index.search_member(query, DEPTH, asked.apart(query))
        edgeless += answer.edges == 0
        partly += 0 < answer.by_region < K
        for rank, one in enumerate(answer.found):
            found[row, rank], similarities[row, rank] = one.key, 1 - one.distance
    sizes = np.sort(index.partition.sizes())[::-1]
    told = (
        f"{index.graph.mean_degree:.1f} | {index.graph.threshold:.4f} | {(sizes > 1).sum()} "
        f"(largest {sizes[0]:,}) | {index.graph.alone:,} | {edgeless:,} | {partly:,}"
    )
    return Run(asked.asking, found, similarities), told


def scores(asked: Questions, run: Run) -> dict[str, Scores]:
    share = relevance.share_of_query(asked.positive, "share of the query's labels")
    shared = relevance.shared(asked.positive, "any label in common")
    everyone = np.arange(len(asked.vectors))
    return {
        name: scored(
            measure(name),
            answers(run, qrels, everyone, apart=asked.patients),
            asked.patients,
        )
        for name, qrels in ((ACG, share), (PRECISION, shared))
    }


def quality(asked: Questions, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table of quality and time, the first row the one compared with."""
    yield ("| system | build, s | query, ms | ACG@10 | less plain | precision@10 | less plain |")
    yield "|---|---|---|---|---|---|---|"
    first = scores(asked, rows[0].run)
    for row in rows:
        own = scores(asked, row.run)
        cells = [row.name, f"{row.build_s:.2f}", f"{row.query_ms:.2f}"]
        for name in (ACG, PRECISION):
            cells.append(f"{figure(own[name]).value:.3f}")
            cells.append("" if row is rows[0] else told(compared(own[name], first[name])[0]))
        yield f"| {' | '.join(cells)} |"
    chances = " | ".join(f"{figure(first[name]).chance:.3f} | " for name in (ACG, PRECISION))
    yield f"| by chance | | | {chances}|"


def told(found: Difference) -> str:
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def graphs(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table of graphs."""
    yield (
        "| graph | mean degree | T | communities of two or more | images joined with none | "
        "queries with no edge | queries with fewer than 10 by growing |"
    )
    yield "|---|---|---|---|---|---|---|"
    yield from (f"| {row.name} | {row.found} |" for row in rows if row.found)


def tables(title: str, asked: Questions, degrees: Sequence[float]) -> Iterator[str]:
    yield (
        f"\n{title}: {len(asked.asking):,} queries of {len(set(asked.patients[asked.asking])):,} "
        f"patients, {len(asked.vectors):,} images answer.\n"
    )
    rows = [plain(asked), *by_communities(asked, degrees), *hashed(asked)]
    yield from quality(asked, rows)
    yield ""
    yield from graphs(rows)


def main() -> None:
    """Measures, and prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with cxr")
    parser.add_argument("--degree", type=float, nargs="+", default=DEGREES, help="10 50 200")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    made = provenance("benchmarks.communities")
    made["versions"] += "".join(f", {one} {version(one)}" for one in ("igraph", "leidenalg"))
    every = questions(*read_vectors(options.data / "cxr/predictions.csv.gz"))
    for title, asked in (
        ("Labelled images among each other", every.among_labelled()),
        ("The same questions to all images", every),
    ):
        print("\n".join(tables(title, asked, options.degree)), flush=True)
    print("\n".join(("", *as_list(made))))


if __name__ == "__main__":
    main()
