"""The archive embedded by another encoder and changed over to it, while questions are answered."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Engine, text

from evaluation.synthetic import make_study
from tests.conftest import find_free_port
from tests.dicom_node.changeover_archive import image
from tests.dicom_node.objects import written
from tests.encoders.test_monai_nets import network, save
from tests.end_to_end.http_asker import HttpAsker
from tests.end_to_end.running import INDEXED_CALLER, Node, node_in
from tests.waiting import wait_until

NETWORK = "monai-densenet121"


@pytest.fixture
def node(tmp_path: Path, database_url: str) -> Iterator[Node]:
    """A node that embeds by the baseline, four images at a time."""
    extra = f"database_url = '{database_url}'\nencoder = {{batch = 4}}"
    with node_in(tmp_path, extra=extra, http_port=find_free_port()) as made:
        yield made


def _small(number: int) -> list[Dataset]:
    return [image(number)]


def _synthetic(number: int) -> list[Dataset]:
    return list(make_study(number, modality="DX").datasets[:1])


def _store(node: Node, folder: Path, made: Sequence[Dataset]) -> list[str]:
    """Sends images, one for each study; returns the Study Instance UIDs."""
    folder.mkdir()
    for number, dataset in enumerate(made):
        written(folder / f"{number:04}.dcm", dataset)
    node.store(folder, calling=INDEXED_CALLER)
    return [dataset.StudyInstanceUID for dataset in made]


def _asker(node: Node, uids: Sequence[str]) -> HttpAsker:
    made = node.likeness("token", "create", "asker", "--scope", "read")
    port = next(
        int(line.split("=")[1])
        for line in node.settings.read_text().split("[http]")[1].splitlines()
        if line.startswith("port")
    )
    return HttpAsker(port, made.stdout.strip(), uids)


def _count(engine: Engine, rows: str, **values: Any) -> int:
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT count(*) FROM {rows}"), values)
        return int(found.scalar_one())


def _in_new_space(engine: Engine) -> int:
    wanted = "(SELECT id FROM spaces WHERE maker ->> 'name' = :name)"
    live = f"embeddings WHERE retired_at IS NULL AND space_id = {wanted}"
    return _count(engine, live, name=NETWORK)


def _verified(node: Node) -> None:
    done = node.likeness("verify")
    assert done.returncode == 0, done.stdout + done.stderr


def _kill_changeover(node: Node, others: set[int]) -> None:
    assert node.process is not None
    children = psutil.Process(node.process.pid).children()
    [changing] = [child for child in children if child.pid not in others]
    changing.kill()


def _children(node: Node) -> set[int]:
    assert node.process is not None
    return {child.pid for child in psutil.Process(node.process.pid).children()}


@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    ("count", "make"), [(150, _small), pytest.param(2000, _synthetic, marks=pytest.mark.long)]
)
def test_no_question_fails_while_the_archive_changes_over(
    node: Node, engine: Engine, tmp_path: Path, count: int, make: Callable[[int], list[Dataset]]
) -> None:
    """From the baseline to a network and back; killed in the middle, alone and with its node."""
    save(network(), tmp_path / "w.safetensors", {"size": "64"})
    node.start()
    uids = _store(node, tmp_path / "archive", [one for n in range(count) for one in make(n)])
    node.wait_until_worked(count, 2 * count)
    _verified(node)
    with _asker(node, uids) as asker:
        wait_until(lambda: asker.answers, "the first answer")
        before = _children(node)
        added = node.likeness(
            *("encoders", "add", NETWORK, "--weights", str(tmp_path / "w.safetensors")), "--no-wait"
        )
        assert added.returncode == 0, added.stderr
        wait_until(lambda: _in_new_space(engine) > count // 10, "a tenth to be embedded", 300)
        _kill_changeover(node, before)
        late = _store(node, tmp_path / "late", make(count))
        wait_until(lambda: _in_new_space(engine) > count // 3, "a third to be embedded", 300)
        with asker.silent():
            node.kill_all()
            assert 0 < _in_new_space(engine) < count
            node.start()
        _verified(node)
        wait_until(lambda: NETWORK in _encoders(asker), "an answer in the new space", 2 * count)
        node.wait_until_worked(count + 1)
        _verified(node)
        made = _count(engine, "embeddings")
        back = node.likeness("encoders", "add", "baseline")
        assert back.returncode == 0, back.stderr
        answers = len(asker.answers)
        wait_until(lambda: len(asker.answers) > answers + 5, "answers in the old space")
    assert asker.failures == []
    assert _encoders(asker) == {"baseline", NETWORK}
    assert [asker.answers[n]["encoder"] for n in (0, -1)] == ["baseline", "baseline"]
    assert _count(engine, "embeddings") == made
    assert node.status()["studies"] == {"indexed": count + 1}
    assert _in_new_space(engine) == count + len(late)
    assert {line.split(" ERROR ")[1] for line in node.log.splitlines() if " ERROR " in line} == {
        "dicom_node.child_process: the changeover died (exit code -9)"
    }
    for answer in asker.answers[:: max(1, len(asker.answers) // 60)]:
        _is_of_one_space(engine, answer)


def _encoders(asker: HttpAsker) -> set[str]:
    return {answer["encoder"] for answer in asker.answers}


def _is_of_one_space(engine: Engine, answer: dict[str, Any]) -> None:
    """Every hit is of the answer's space, and as similar as its vectors there are."""
    rows = """
        SELECT study_instance_uid, vector FROM embeddings JOIN studies ON studies.id = study_id
        WHERE space_id = :space AND retired_at IS NULL
    """
    with engine.connect() as connection:
        found = connection.execute(text(rows), {"space": answer["space"]}).all()
    vectors = {uid: np.frombuffer(vector, "<f4").astype(float) for uid, vector in found}
    asked = vectors[answer["query"]["study_instance_uid"]]
    assert len(answer["hits"]) == 10
    for hit in answer["hits"]:
        expected = asked @ vectors[hit["study_instance_uid"]]
        assert hit["similarity"] == pytest.approx(expected, abs=1e-9)
