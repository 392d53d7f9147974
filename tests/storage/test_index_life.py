"""Index, snapshot, reader and database, through whatever may happen, against brute force."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from storage import embeddings, spaces
from storage.database_index import DatabaseIndex
from storage.index import VectorIndex, open_index, snapshot_path
from storage.index_check import check
from storage.index_reader import SnapshotReader
from storage.index_rebuild import rebuild
from storage.searchable import Searchable
from storage.vectors.choice import EXACT, Choice, Kind, Precision
from storage.vectors.segment import Neighbour
from tests.storage.made import add_study, space, unit

SPACE = space(3)
COORDINATE = st.integers(-2, 2)
VECTORS = st.tuples(*[COORDINATE] * 3).filter(any).map(lambda numbers: unit(*numbers))
STUDIES = st.integers(0, 3).map(lambda number: f"1.{number}")
CHOICES = st.sampled_from([EXACT, EXACT, Choice(Kind.HNSW), Choice(Kind.IVF, Precision.INT8)])
Vector = NDArray[np.float32]


class IndexLife(RuleBasedStateMachine):
    """Studies come and go; the owner saves, switches engines, dies and comes back; a reader reads.

    The model is a dictionary of each study's live vectors. Few coordinates make many ties.
    """

    engine: Engine
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        with self.engine.begin() as connection:
            connection.execute(text("TRUNCATE studies, spaces RESTART IDENTITY CASCADE"))
            connection.execute(text("SELECT setval('embedding_changes', 1, false)"))
            spaces.use(connection, SPACE)
        for left in self.folder.iterdir():
            left.unlink()
        self.path = snapshot_path(self.folder, SPACE.id)
        self.live: dict[str, list[Vector]] = {}
        self.rows: dict[str, int] = {}
        self.owner = self._opened()
        self.reader = SnapshotReader(self.path, SPACE)

    def _opened(self) -> VectorIndex:
        with self.engine.connect() as connection:
            index = open_index(connection, self.folder, SPACE)
        assert index is not None
        return index

    @rule(study=STUDIES, vectors=st.lists(VECTORS, max_size=4))
    def embed(self, study: str, vectors: list[Vector]) -> None:
        """A study's vectors, in place of those it had."""
        with self.engine.begin() as connection:
            self.rows[study] = add_study(connection, SPACE, study, vectors)
        self.live[study] = vectors

    @rule(study=STUDIES)
    def retire(self, study: str) -> None:
        """A study's vectors are taken away."""
        if study in self.rows:
            with self.engine.begin() as connection:
                embeddings.retire_study(connection, space_id=SPACE.id, study_id=self.rows[study])
            self.live[study] = []

    @rule(choice=CHOICES)
    def save(self, choice: Choice) -> None:
        """The owner writes a snapshot, perhaps of an index that lags behind, or another engine."""
        self.owner.save(self.path, choice)

    @rule(half=st.floats(0, 1), spoilt=st.booleans())
    def crash(self, half: float, spoilt: bool) -> None:
        """The owner dies as it writes, and starts again; now and then the disk spoilt the file."""
        content = self.path.read_bytes() if self.path.exists() else b""
        cut = content[: int(half * len(content))]
        for name in (f"{self.path.name}.writing", f"{self.path.name}.building"):
            self.path.with_name(name).write_bytes(cut)
        if spoilt and content:  # another file: who cuts one that is mapped kills whoever reads it
            self.path.unlink()
            self.path.write_bytes(cut)
        self.owner = self._opened()

    @rule(choice=CHOICES)
    def rebuild(self, choice: Choice) -> None:
        """The snapshot is written anew from the database, and the owner starts with it."""
        rebuild(self.engine, self.path, SPACE, choice)
        self.owner = self._opened()

    @rule()
    def begin_to_read(self) -> None:
        """Another process reads the snapshot, if it is good."""
        self.reader = SnapshotReader(self.path, SPACE)

    @rule(query=VECTORS, k=st.integers(1, 9))
    def search(self, query: Vector, k: int) -> None:
        """Owner, reader and database find what brute force over the database finds."""
        with self.engine.connect() as connection:
            self.owner.catch_up(connection)
            answering = (
                self.owner,
                self.reader.now(connection),
                DatabaseIndex(connection, SPACE),
            )
            nearest = self._nearest(query)
            for index in answering:
                _compare(index, query, k, nearest)

    def _nearest(self, query: Vector) -> list[Neighbour]:
        """All live vectors by distance, summed as it is defined, then by id."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT id, vector FROM embeddings WHERE vector IS NOT NULL")
            ).all()
        stored = {row.id: np.frombuffer(row.vector, np.float32) for row in rows}
        held = sorted(vector.tobytes() for vector in stored.values())
        assert held == sorted(vector.tobytes() for study in self.live.values() for vector in study)
        pairs = sorted(
            (float(1.0 - np.sum(vector.astype(float) * query.astype(float))), key)
            for key, vector in stored.items()
        )
        return [Neighbour(key, distance) for distance, key in pairs]

    @rule()
    def verify(self) -> None:
        """Both indexes are the database's equal, vector for vector."""
        with self.engine.connect() as connection:
            self.owner.catch_up(connection)
            for index in (self.owner, self.reader.now(connection)):
                assert isinstance(index, VectorIndex)
                assert check(connection, index).faults == []

    @invariant()
    def no_id_is_held_twice(self) -> None:
        """FAISS would take an id a second time without a word."""
        held = self.owner.ids().tolist()
        assert len(held) == len(set(held))


def _compare(index: Searchable, query: Vector, k: int, nearest: list[Neighbour]) -> None:
    [found] = index.search_each(query[np.newaxis], k)
    if isinstance(index, VectorIndex) and index.choice.kind is not Kind.EXACT:
        assert len(found) == min(k, len(nearest))
        assert set(found) <= set(nearest)
        return
    assert found == nearest[:k]


def test_whatever_happens_all_answer_as_brute_force_does(engine: Engine, tmp_path: Path) -> None:
    IndexLife.engine, IndexLife.folder = engine, tmp_path
    run_state_machine_as_test(
        IndexLife, settings=settings(max_examples=20, stateful_step_count=20, deadline=None)
    )


@pytest.mark.parametrize(
    ("kind", "precision"),
    [(Kind.HNSW, Precision.FP32), (Kind.HNSW, Precision.INT8), (Kind.IVF, Precision.FP16)],
)
def test_an_engine_finds_99_of_100_of_the_nearest(
    engine: Engine, tmp_path: Path, kind: Kind, precision: Precision
) -> None:
    """Recall@10 at default settings, of clustered vectors, after some left and others came."""
    random = np.random.default_rng(3)
    centres = random.standard_normal((40, 24))
    made = centres[random.integers(40, size=3300)] + 0.6 * random.standard_normal((3300, 24))
    vectors = [unit(*row) for row in made]
    of = space(24)
    with engine.connect() as connection:
        gone = add_study(connection, of, "1.1", vectors[:200])
        add_study(connection, of, "1.2", vectors[200:3000])
        index = VectorIndex.empty(of)
        index.catch_up(connection)
        index.save(snapshot_path(tmp_path, of.id), Choice(kind, precision))
        embeddings.retire_study(connection, space_id=of.id, study_id=gone)
        add_study(connection, of, "1.3", vectors[3000:3200])
        index.catch_up(connection)
    assert (index.choice.kind, index.count) == (kind, 3000)
    asked = np.stack(vectors[3200:])
    found = index.search_each(asked, 10)
    cosines = asked.astype(float) @ np.stack(vectors[200:3200]).astype(float).T
    tenth = np.sort(cosines, axis=1)[:, -10]
    hits = sum(
        1.0 - near.distance >= least - 1e-9
        for nearest, least in zip(found, tenth, strict=True)
        for near in nearest
    )
    assert hits >= 0.99 * 10 * len(asked)
