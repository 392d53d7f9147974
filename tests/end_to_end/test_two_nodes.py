"""Two nodes on one PostgreSQL: each works what it received, both answer from the whole archive."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import Engine, text

from evaluation.synthetic import make_study
from tests.end_to_end.running import INDEXED_CALLER, Node, node_in, reports_in, viewer
from tests.waiting import wait_until


@pytest.fixture
def nodes(tmp_path: Path, database_url: str) -> Iterator[tuple[Node, Node]]:
    """Two running nodes with spools of their own and one database."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    extra = f"database_url = '{database_url}'"
    with node_in(folders[0], extra=extra) as first, node_in(folders[1], extra=extra) as second:
        for node in (first, second):
            node.launch()
        for node in (first, second):
            node.wait_until_ready()
        yield first, second


def _radiographs(numbers: Sequence[int]) -> list[pydicom.Dataset]:
    return [make_study(number, modality="DX").datasets[0] for number in numbers]


def _send(node: Node, datasets: Sequence[pydicom.Dataset], folder: Path, calling: str) -> None:
    folder.mkdir()
    for number, dataset in enumerate(datasets):
        dataset.save_as(folder / f"{number:03}.dcm", enforce_file_format=True)
    node.store(folder, calling=calling)


def _hits(node: Node, uid: str) -> set[str]:
    done = node.likeness("search", uid, "--json", "-k", "20")
    assert done.returncode == 0, done.stderr
    return {hit["study_instance_uid"] for hit in json.loads(done.stdout)["hits"]}


def test_each_works_its_own_and_both_answer_from_all(
    nodes: tuple[Node, Node], engine: Engine, tmp_path: Path
) -> None:
    first, second = nodes
    of_first, of_second = _radiographs(range(4)), _radiographs(range(4, 8))
    uids = {dataset.StudyInstanceUID for dataset in (*of_first, *of_second)}
    _send(first, of_first, tmp_path / "1", INDEXED_CALLER)
    _send(second, of_second, tmp_path / "2", INDEXED_CALLER)
    first.wait_until_worked(8)
    with engine.connect() as connection:
        worked = connection.execute(text("SELECT count(*) FROM jobs GROUP BY node")).scalars()
        assert list(worked) == [4, 4]
    asked = of_first[0].StudyInstanceUID
    assert _hits(first, asked) == _hits(second, asked)
    assert _hits(first, asked) <= uids - {asked}
    assert {node.likeness("verify").returncode for node in nodes} == {0}
    (query,) = _radiographs([8])
    with viewer(second.viewer_port, tmp_path / "answers") as answers:
        _send(second, [query], tmp_path / "3", "STORESCU")
        wait_until(lambda: reports_in(answers), f"the report; the log says {second.log}")
        told = str(pydicom.dcmread(reports_in(answers)[0]))
    assert all(uid in told for uid in uids)


def test_a_study_that_came_to_both_is_worked_once_it_is_complete(
    nodes: tuple[Node, Node], engine: Engine, tmp_path: Path
) -> None:
    """A CT sent in two halves, to one node each: one study, one live vector, at either node."""
    slices = make_study(0, modality="CT").datasets
    half = len(slices) // 2
    _send(nodes[0], slices[:half], tmp_path / "1", INDEXED_CALLER)
    _send(nodes[1], slices[half:], tmp_path / "2", INDEXED_CALLER)
    wait_until(lambda: _count(engine, "instances") == len(slices), "all slices to be recorded")
    for node in nodes:
        node.wait_until_worked(1)
        assert node.likeness("verify").returncode == 0
    assert _count(engine, "embeddings WHERE retired_at IS NULL") == 1


def _count(engine: Engine, rows: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {rows}")).scalar_one())
