"""What an evaluation costs beside the bare search for neighbours, as a Markdown table.

Run ``python -m benchmarks.evaluation_cost``. Clustered vectors are searched by FAISS (ten nearest
of each, all at once), and judged by the full protocol: the same patient left out, several classes,
chance, intervals over patients, and five attributes as confounders, each with groups by lot.
"""

import argparse
import time
from collections.abc import Callable

import faiss
import numpy as np

from benchmarks.index_vectors import clustered
from benchmarks.machine import as_list, provenance
from evaluation.collection import Collection
from evaluation.evaluating import System, judge
from evaluation.tasks import Rules, any_label, each_label, one_class

CLASSES, LABELS = 10, 14
VALUES = {"view": 2, "sex": 2, "age_band": 5, "scanner": 10, "source": 3}
IMAGES_OF_PATIENT = 3


def made(count: int, vectors: np.ndarray) -> Collection:
    """Images with a class that the vectors show, labels and attributes by lot."""
    random = np.random.default_rng(0)
    planes = random.standard_normal((vectors.shape[1], CLASSES), np.float32)
    classes = (vectors @ planes).argmax(axis=1)
    attributes = {
        name: np.array([f"{name} {at}" for at in range(values)])[random.integers(0, values, count)]
        for name, values in VALUES.items()
    }
    return Collection(
        "clustered",
        tuple(f"i{at}" for at in range(count)),
        tuple(f"p{at // IMAGES_OF_PATIENT}" for at in range(count)),
        tuple(f"label {at}" for at in range(LABELS)),
        (random.random((count, LABELS)) < 0.1).astype(np.int8),
        {"class": np.array([f"c{at}" for at in range(CLASSES)])[classes], **attributes},
    )


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=768)
    options = parser.parse_args()
    vectors, _ = clustered(options.count, options.dimension)
    collection, system = made(options.count, vectors), System("clustered", vectors)
    index = faiss.IndexFlatIP(options.dimension)
    index.add(vectors)
    everybody = np.arange(len(collection))
    bare = seconds(lambda: index.search(vectors, 10))
    print("| | seconds | beside the search |")
    print("|---|---|---|")
    print(f"| the search alone, ten nearest of {options.count:,} | {bare:.1f} | 1 |")
    for task in (
        one_class(collection, "class"),
        any_label(collection, everybody, "ignore"),
        each_label(collection, everybody, "ignore"),
    ):
        for strata in ((), tuple(VALUES)):
            took = seconds(lambda: judge(system, task, collection, Rules(), strata))  # noqa: B023
            what = f"{task.name}, {len(strata)} attributes"
            print(f"| {what} | {took:.1f} | {took / bare:.2f} |", flush=True)
    print("\n".join(("", *as_list(provenance("benchmarks.evaluation_cost")))))


if __name__ == "__main__":
    main()
