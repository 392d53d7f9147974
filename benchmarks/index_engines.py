"""Engines of vector indexes side by side: ours and public ones, as a Markdown table and a plot.

Run ``python -m benchmarks.index_engines --count 100000 --dimension 768``. Vectors are clustered, as
those of images are, or, with ``--data FOLDER``, those of ``cxr/predictions.csv.gz`` in it. Each
engine is built in one process and opened and asked in another, so that memory and start are its
own: build and start in seconds (of pgvector and Milvus with their servers' start), resident memory
of the asking process after the questions (mapped files count, servers do not), bytes on the disk,
milliseconds of single questions, questions a second from 1 and from 8 threads, and recall@10 with
all vectors and with those that filters leave. In each round all engines are asked in turn; times
are of all rounds, other figures their medians. A graph or cells of a library are searched as widely
as they must to find 99.5 % of the ten nearest to other questions, as ours are when they are built;
FAISS's as widely as ours, so that the two rows differ by nothing but our code. Libraries that are
not installed are left out with a word.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index_adapters import ADAPTERS, SAME_BREADTH
from benchmarks.index_plot import draw
from benchmarks.index_processes import Told, ask, build, told_by, widen
from benchmarks.index_vectors import (
    FILTERED_QUERIES,
    QUERIES,
    SHARES,
    Asked,
    Vectors,
    asked,
    clustered,
    filters,
    of_chest_radiographs,
)
from benchmarks.machine import as_list, provenance


def measure(
    vectors: Vectors, queries: Vectors, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yield a row for each engine."""
    right = asked(vectors, queries[:QUERIES])
    tuning = asked(vectors, queries[QUERIES:])
    left = filters(len(vectors))
    some = queries[:FILTERED_QUERIES]
    truth = {1.0: right} | {share: asked(vectors, some, ids) for share, ids in left.items()}
    with tempfile.TemporaryDirectory(prefix="likeness-", dir=options.folder) as name:
        folder = Path(name)
        file = folder / "vectors.npy"
        np.save(file, vectors)
        del vectors
        facts = dict(_built(options.engine or list(ADAPTERS), folder, file, tuning))
        for raw, mine in SAME_BREADTH.items():
            if raw in facts and mine in facts:
                facts[raw]["breadth"] = facts[mine]["breadth"]
        rounds: dict[str, list[Told]] = {engine: [] for engine in facts}
        for _ in range(options.rounds):
            for engine, known in facts.items():
                told = told_by(ask, engine, known["folder"], known["breadth"], right.queries, left)
                if told is not None:
                    rounds[engine].append(told)
        matrix = np.load(file, mmap_mode="r")
        for engine, known in facts.items():
            if rounds[engine]:
                yield {"engine": engine, **_row(known, rounds[engine], truth, matrix)}
            else:
                print(f"left out: {engine} gave no answer", file=sys.stderr)


def _built(
    engines: Sequence[str], folder: Path, file: Path, tuning: Asked
) -> Iterator[tuple[str, Told]]:
    for number, engine in enumerate(engines):
        place = folder / str(number)
        built = told_by(build, engine, place, file)
        wide = None if built is None else told_by(widen, engine, place, file, tuning)
        if built is None or wide is None:
            print(f"left out: {engine} could not be built", file=sys.stderr)
        else:
            print(f"built: {engine} in {built['build_s']:.0f} s", file=sys.stderr)
            yield engine, {**built, **wide, "folder": place}


def _row(
    known: Told, rounds: Sequence[Told], truth: dict[float, Asked], vectors: Vectors
) -> dict[str, Any]:
    def median(of: Callable[[Told], float]) -> float:
        return float(np.median([of(told) for told in rounds]))

    every = np.concatenate([told["all"]["ms"] for told in rounds])

    def percentile(which: float) -> float:
        return float(np.percentile(every, which))

    row = {name: value for name, value in known.items() if name != "folder"} | {
        "memory_mb": median(lambda told: told["memory_mb"]),
        "start_s": median(lambda told: told["start_s"]),
        "p50_ms": percentile(50),
        "p95_ms": percentile(95),
        "p99_ms": percentile(99),
        "per_s_1": median(lambda told: told["per_s"][1]),
        "per_s_8": median(lambda told: told["per_s"][8]),
        "recall": truth[1.0].recall(rounds[0]["all"]["answers"], vectors),
        "filtered": {},
    }
    for share in rounds[0].get("left", {}):
        some = [told["left"][share] for told in rounds]
        row["filtered"][share] = {
            "recall": truth[share].recall(some[0]["answers"], vectors),
            "p50_ms": float(np.median([np.median(told["ms"]) for told in some])),
        }
    return row


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    shares = " | ".join(f"{share:.1%}: recall, p50" for share in SHARES)
    yield (
        "| engine | breadth | build, s | disk, MB | memory, MB | start, s | "
        f"p50 / p95 / p99, ms | a second, 1 / 8 threads | recall@10 | {shares} |"
    )
    yield "|" + "---|" * (9 + len(SHARES))
    for row in rows:
        cells = [
            row["engine"],
            str(row["breadth"] or ""),
            f"{row['build_s']:.1f}",
            f"{row['disk_mb']:.0f}",
            f"{row['memory_mb']:.0f}",
            f"{row['start_s']:.2f}",
            f"{row['p50_ms']:.2f} / {row['p95_ms']:.2f} / {row['p99_ms']:.2f}",
            f"{row['per_s_1']:.0f} / {row['per_s_8']:.0f}",
            f"{row['recall']:.4f}",
        ]
        for share in SHARES:
            some = row["filtered"].get(share)
            cells.append(f"{some['recall']:.3f}, {some['p50_ms']:.2f} ms" if some else "none")
        yield "| " + " | ".join(cells) + " |"


def data_sets(options: argparse.Namespace) -> Iterator[tuple[str, Vectors, Vectors]]:
    """Yield the name, the vectors and the questions of each data set, made when it is its turn."""
    if options.data is not None:
        yield "probabilities of chest radiographs", *of_chest_radiographs(options.data)
        return
    for dimension in options.dimension:
        for count in options.count:
            yield "clustered", *clustered(count, dimension)


def main() -> None:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--count", type=int, nargs="+", default=[100_000], help="clustered vectors (100000)")
    add("--dimension", type=int, nargs="+", default=[768], help="of them (768)")
    add("--data", type=Path, help="folder of the real ones, instead")
    add("--engine", action="append", choices=ADAPTERS, help="only this one; may be repeated")
    add("--rounds", type=int, default=3, help="in which engines are asked in turn (3)")
    add("--folder", type=Path, help="where there is room (the system's)")
    add("--plot", type=Path, metavar="FILE", help="draws times by size, such as engines.svg")
    add("--json", type=Path, metavar="FILE", help="writes every row, as it is measured")
    options = made.parse_args()
    told = provenance("benchmarks.index_engines")
    tables: list[dict[str, Any]] = []
    for name, vectors, queries in data_sets(options):
        count, dimension = vectors.shape
        rows = list(measure(vectors, queries, options))
        tables.append({"data": name, "count": count, "dimension": dimension, "rows": rows})
        print(f"\n{count:,} vectors of {dimension} numbers, {name}:\n")
        print("\n".join(table(rows)), flush=True)
        if options.json:
            options.json.write_text(json.dumps({"run": told, "tables": tables}, indent=2))
    print("\n".join(("", *as_list(told))))
    if options.plot:
        draw(tables, options.plot)


if __name__ == "__main__":
    main()
