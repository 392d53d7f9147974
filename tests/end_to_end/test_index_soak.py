"""An hour of adds, deletes, searches, saves and kills: the index stays the database's equal.

``LIKENESS_SOAK_MINUTES`` says how long. Vectors come and go in a real PostgreSQL; the process that
owns the index is killed every few seconds, perhaps as it writes or builds; another reads beside it
and compares each answer with the database's own.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.settings import Settings
from dicom_node.verification import verify
from storage import embeddings
from storage.embeddings import NewEmbedding
from storage.index import snapshot_path
from tests.end_to_end.index_processes import DIMENSION, SPACE, question
from tests.storage.made import add_study, reference, row_of

MINUTES = float(os.environ.get("LIKENESS_SOAK_MINUTES", "60"))
WARM_UP = 0.3
"""The share of the time in which the archive grows to its size; from there on memory stays."""
MOST_LIVE = 4000
MOST_IN_STUDY = 12
PACE_S = 0.01
KILL_S = (0.5, 8.0)
SLACK_MB = 24.0
"""What allocators and caches may keep: after the warm-up the archive has its size."""


class Archive:
    """Studies that come, change and go in the database."""

    def __init__(self, engine: Engine, random: np.random.Generator) -> None:
        self._engine = engine
        self._random = random
        self._made = 0
        self.live: dict[str, int] = {}

    def change(self) -> None:
        """One study comes, or another is embedded anew or retired."""
        grows = sum(self.live.values()) < MOST_LIVE
        with self._engine.begin() as connection:
            if not self.live or self._random.random() < (0.6 if grows else 0.4):
                self._made += 1
                uid = f"1.{self._made}"
                self.live[uid] = count = int(self._random.integers(1, MOST_IN_STUDY + 1))
                add_study(connection, SPACE, uid, self._vectors(count))
                return
            uid = str(self._random.choice(list(self.live)))
            if self._random.random() < 0.3:
                self._embed_anew(connection, uid)
            else:
                del self.live[uid]
                study_id = row_of(connection, uid)
                embeddings.retire_study(connection, space_id=SPACE.id, study_id=study_id)

    def _embed_anew(self, connection: Connection, uid: str) -> None:
        new = [
            NewEmbedding(reference(f"{uid}.1.{number}"), vector, b"png", {})
            for number, vector in enumerate(self._vectors(self.live[uid]), start=1)
        ]
        embeddings.replace(connection, space=SPACE, study_id=row_of(connection, uid), new=new)

    def _vectors(self, count: int) -> list[np.ndarray]:
        return [question(self._random)[0] for _ in range(count)]


@contextmanager
def process(kind: str, url: str, folder: Path, seed: int) -> Iterator["subprocess.Popen[bytes]"]:
    """An owner or a reader; killed at the end of the block."""
    command = [sys.executable, "-m", "tests.end_to_end.index_processes"]
    with (folder.parent / f"{kind}.log").open("ab") as log:
        started = subprocess.Popen(
            [*command, kind, url, str(folder), str(seed)], stdout=log, stderr=log
        )
        try:
            yield started
        finally:
            started.kill()
            started.wait()


def own_mb(pid: int) -> float:
    """The memory of a process that is no mapped file's (RssAnon of proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon"))


def mapped(pid: int) -> int:
    """How many snapshots a process has mapped: one that it let go is none of them any more."""
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").count(f"{SPACE.id}.index")


@pytest.mark.long
@pytest.mark.timeout(60 * MINUTES + 300)
def test_the_index_survives_an_hour_of_everything(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(8)
    settings = Settings(data_folder=tmp_path)
    settings.index_folder.mkdir(parents=True)
    archive, pause, began = Archive(engine, random), Event(), monotonic()
    archive.change()
    ends, warm, kills = began + 60 * MINUTES, 0.0, 0
    with process("reader", database_url, settings.index_folder, 0) as reader:
        while monotonic() < ends:
            kills += 1
            with process("owner", database_url, settings.index_folder, kills) as owner:
                kill_at = monotonic() + random.uniform(*KILL_S)
                while monotonic() < kill_at:
                    archive.change()
                    pause.wait(PACE_S)
                assert owner.poll() is None, (tmp_path / "owner.log").read_text()[-2000:]
            assert reader.poll() is None, (tmp_path / "reader.log").read_text()[-2000:]
            if not warm and monotonic() - began > WARM_UP * 60 * MINUTES:
                warm = own_mb(reader.pid)
        grown, maps = own_mb(reader.pid) - warm, mapped(reader.pid)
    asked = (tmp_path / "reader.log").read_text().count(".")
    told = f"{kills} kills, {asked} answers compared, {grown:+.1f} MB on {warm:.1f} MB, {maps} maps"
    (tmp_path / "told").write_text(told)
    [found] = verify(engine, settings)
    assert (found.checked.faults, found.unproved) == ([], ""), told
    assert found.count == sum(archive.live.values()), told
    path = snapshot_path(settings.index_folder, SPACE.id)
    assert [entry.name for entry in path.parent.glob("*.corrupt*")] == [], told
    assert path.exists()
    assert "not rebuilt" not in (tmp_path / "owner.log").read_text(), told
    assert asked > 10 * MINUTES, told
    assert maps <= 2, told
    assert grown < SLACK_MB + 2 * MOST_LIVE * DIMENSION * 4 / 1e6, told
