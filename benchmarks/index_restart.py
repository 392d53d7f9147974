"""How long after its start a process answers, with a snapshot of the index and without.

Run ``python -m benchmarks.index_restart --vectors 1000000``. Vectors of 768 dimensions in clusters
are written to a PostgreSQL of the benchmark's own. Then processes are started that do what a node's
processes do before the first answer, and the time from the start of each, the interpreter and the
imports included, to an exact answer is told: from a good snapshot, with the file in the page cache
and without; and from none, where answers come from the database while the snapshot is written.
Each answer is compared with brute force.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from dicom_node.own_index import OwnIndex
from storage import spaces
from storage.answer import SpaceSummary
from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.index import snapshot_path
from storage.index_reader import SnapshotReader
from storage.migrate import migrate
from storage.searchable import Searchable
from storage.vectors.choice import EXACT

K = 10
CLUSTERS = 1000
SPREAD = 0.6
BLOCK = 2000
TURNS = 3
Vectors = NDArray[np.float32]

FILL = text("""
    INSERT INTO embeddings (change, space_id, study_id, modality_group, sop_instance_uid, image,
                            produced_by, vector)
    SELECT nextval('embedding_changes'), :space, :study, 'CT', '1.2.' || (:first + n), '{}', '{}',
           substring(:rows FROM n * :bytes + 1 FOR :bytes)
    FROM generate_series(0, :count - 1) n
""")
A_STUDY = text("""
    INSERT INTO studies (study_instance_uid, patient_id, issuer_of_patient_id, state, attributes)
    VALUES ('1.2', 'P', '', 'indexed', '{}') RETURNING id
""")


@dataclass(frozen=True)
class Started:
    """What a process told: seconds since its start, and its memory at the end in MB."""

    first_answer_s: float
    answer_s: float
    rebuilt_s: float | None
    own_mb: float
    answer: list[int]


def space(dimension: int) -> SpaceSummary:
    """A space that no encoder made."""
    made = ("made", "1", "", "none", "none", "none", "none")
    return SpaceSummary("space-a", *made, dimension, "cosine")


def blocks(count: int, dimension: int) -> Iterator[Vectors]:
    """Vectors of unit length in clusters, always the same."""
    random = np.random.default_rng(1)
    centres = random.standard_normal((CLUSTERS, dimension), np.float32)
    for at in range(0, count, BLOCK):
        rows = min(BLOCK, count - at)
        found = centres[random.integers(CLUSTERS, size=rows)]
        found += SPREAD * random.standard_normal((rows, dimension), np.float32)
        yield found / np.linalg.norm(found, axis=1, keepdims=True)


def question(dimension: int) -> Vectors:
    """A vector of unit length."""
    (found,) = blocks(1, dimension)
    return found


def fill(engine: Engine, count: int, dimension: int) -> list[int]:
    """Writes the archive; the ids of the nearest to the question, by brute force."""
    asked = question(dimension)[0].astype(np.float64)
    best: list[tuple[float, int]] = []
    with engine.begin() as connection:
        spaces.use(connection, space(dimension))
        study = connection.execute(A_STUDY).scalar_one()
    done = 0
    for rows in blocks(count, dimension):
        with engine.begin() as connection:
            connection.execute(
                FILL,
                {
                    "space": "space-a",
                    "study": study,
                    "first": done,
                    "rows": rows.tobytes(),
                    "bytes": rows[0].nbytes,
                    "count": len(rows),
                },
            )
        distances = 1.0 - (rows.astype(np.float64) * asked).sum(axis=1)
        best += zip(distances.tolist(), range(done + 1, done + len(rows) + 1), strict=True)
        best = sorted(best)[:K]
        done += len(rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE embeddings"))
    return [key for _, key in best]


def read_beside(engine: Engine, path: Path, dimension: int, began: float) -> Started:
    """What a process that only reads does until it has answered, and once more."""
    reader = SnapshotReader(path, space(dimension))
    with engine.connect() as connection:
        answer = nearest(reader.now(connection), dimension)
    first = monotonic()
    with engine.connect() as connection:
        nearest(reader.now(connection), dimension)
    return Started(first - began, monotonic() - first, None, own_mb(), answer)


def own(engine: Engine, path: Path, dimension: int, began: float) -> Started:
    """What the owner does until it has answered, while it rebuilds, and until it has its index."""
    index = OwnIndex(engine, path, space(dimension), EXACT, node="1.2", most=0)
    index.begin()
    try:
        with engine.connect() as connection:
            asked = monotonic()
            answer = nearest(index.now(connection), dimension)
        first = monotonic()
        while not index.held:
            threading.Event().wait(0.1)
        return Started(first - began, first - asked, monotonic() - began, own_mb(), answer)
    finally:
        index.end()


def nearest(index: Searchable, dimension: int) -> list[int]:
    """The ids of the nearest to the question."""
    [found] = index.search_each(question(dimension), K)
    return [neighbour.key for neighbour in found]


def own_mb() -> float:
    """The memory of this process that is no mapped file's (RssAnon of proc(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon"))


def started(kind: str, url: str, path: Path, dimension: int) -> Started:
    """What a process tells that is started now."""
    arguments = [kind, url, str(path), str(dimension), str(monotonic())]
    command = [sys.executable, "-m", "benchmarks.index_restart", "--process", *arguments]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Started(**json.loads(told.stdout))


def process(kind: str, url: str, path: str, dimension: str, began: str) -> None:
    """Entry of a process that is started to be measured; one clock holds for all of a host."""
    engine = connect(url)
    run = {"read": read_beside, "own": own}[kind]
    told = run(engine, Path(path), int(dimension), float(began))
    sys.stdout.write(json.dumps(asdict(told)))
    engine.dispose()


def out_of_page_cache(path: Path) -> None:
    """Has the next reader of a file read the disk; what a hypervisor keeps, stays."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(folder: Path, count: int, dimension: int) -> Iterator[tuple[str, Started]]:
    """Each way to start, some times; raises where an answer is not that of brute force."""
    server = EmbeddedServer(folder / "data")
    try:
        engine = connect(server.url)
        migrate(engine)
        right = fill(engine, count, dimension)
        path = snapshot_path(folder, "space-a")
        ways = [("no snapshot", "own"), ("in the page cache", "read"), ("on the disk", "read")]
        for way, kind in ways:
            for _ in range(1 if kind == "own" else TURNS):
                if way == "on the disk":
                    out_of_page_cache(path)
                told = started(kind, server.url, path, dimension)
                if told.answer != right:
                    raise SystemExit(f"{way}: {told.answer} is not the right answer {right}")
                yield way, told
        engine.dispose()
    finally:
        server.close()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--folder", type=Path, help="where the database lies; removed at the end")
    parser.add_argument("--process", nargs=5, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.process:
        process(*chosen.process)
        return
    from benchmarks.machine import as_list, provenance  # noqa: PLC0415  (torch, for seconds)

    lines = [*as_list(provenance("benchmarks.index_restart")), ""]
    lines += ["| snapshot | first answer after | one answer | index complete after | own memory |"]
    lines += ["|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for way, told in measured(Path(folder), chosen.vectors, chosen.dimension):
            complete = "" if told.rebuilt_s is None else f"{told.rebuilt_s:.1f} s"
            times = f"{told.first_answer_s:.2f} s | {told.answer_s:.3f} s | {complete}"
            lines.append(f"| {way} | {times} | {told.own_mb:.0f} MB |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
