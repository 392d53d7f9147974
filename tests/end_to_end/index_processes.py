"""Processes of the index's soak: its owner, which may be killed at any moment, and a reader.

Run ``python -m tests.end_to_end.index_processes owner|reader URL FOLDER SEED``.
"""

import sys
import threading
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from dicom_node.own_index import OwnIndex
from storage.database import connect
from storage.database_index import DatabaseIndex
from storage.index import INLINE_MOST, VectorIndex, snapshot_path
from storage.index_reader import SnapshotReader
from storage.vectors.choice import EXACT, Choice, Kind, Precision
from tests.storage.made import space

DIMENSION = 64
SPACE = space(DIMENSION)
K = 10
PAUSE_S = 0.05
GRAPH = Choice(Kind.HNSW, Precision.INT8)


def own(engine: Engine, path: Path, seed: int) -> None:
    """Keeps the index and asks it, until killed; now and then with a graph, or rebuilding first."""
    random = np.random.default_rng(seed)
    choice = GRAPH if random.random() < 0.3 else EXACT
    most = 0 if random.random() < 0.3 else INLINE_MOST
    index = OwnIndex(engine, path, SPACE, choice, node=f"2.25.{seed}", most=most)
    index.begin()
    pause = threading.Event()
    while not pause.wait(PAUSE_S):
        with engine.connect() as connection:
            index.now(connection).search_each(question(random), K)
        index.look()


def read(engine: Engine, path: Path, seed: int) -> None:
    """Asks an index that follows the owner's file, until killed; ends where an answer is wrong.

    Within one transaction the index is caught up to what the database itself answers by.
    """
    random = np.random.default_rng(seed)
    frozen = engine.execution_options(isolation_level="REPEATABLE READ")
    reader, pause = SnapshotReader(path, SPACE), threading.Event()
    while not pause.wait(PAUSE_S):
        asked = question(random)
        with frozen.connect() as connection:
            index, truth = reader.now(connection), DatabaseIndex(connection, SPACE)
            if isinstance(index, VectorIndex):
                index = index.exactly()
            answers = index.search_each(asked, K), truth.search_each(asked, K)
            if answers[0] != answers[1] or index.count != truth.count:
                sys.exit(f"{index.count} of {truth.count}: {answers[0]} is not {answers[1]}")
        sys.stdout.write(".")
        sys.stdout.flush()


def question(random: np.random.Generator) -> np.ndarray:
    """A vector of unit length, shape (1, dimension)."""
    found = random.standard_normal((1, DIMENSION), np.float32)
    return found / np.linalg.norm(found)


def main() -> None:
    """Entry of a process."""
    kind, url, folder, seed = sys.argv[1:]
    run = {"owner": own, "reader": read}[kind]
    run(connect(url), snapshot_path(Path(folder), SPACE.id), int(seed))


if __name__ == "__main__":
    main()
