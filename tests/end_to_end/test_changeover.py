"""The archive embedded by another encoder and changed over to it, while questions are answered."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Engine, text

from dicom_node.settings_file import load_settings
from evaluation.synthetic import make_study
from storage import studies
from tests.conftest import find_free_port
from tests.dicom_node.changeover_archive import become_older, image, lay, npz, wanted
from tests.dicom_node.objects import written
from tests.encoders.test_monai_nets import network, save
from tests.end_to_end.http_asker import HttpAsker
from tests.end_to_end.running import INDEXED_CALLER, Node, node_in
from tests.waiting import wait_until

DEFAULT = "baseline"


@dataclass(frozen=True)
class Case:
    """An archive of one image in each study, and the encoder that it changes over to."""

    count: int
    make: Callable[[int], Dataset]
    name: str
    weights: Callable[[Path], Path]


def _synthetic(number: int) -> Dataset:
    return make_study(number, modality="DX").datasets[0]


def _network(folder: Path) -> Path:
    save(network(), folder / "w.safetensors", {"size": "64"})
    return folder / "w.safetensors"


QUICK = Case(150, image, "precomputed", lambda folder: npz(folder / "v.npz", range(151), 32))
FULL = Case(2000, _synthetic, "monai-densenet121", _network)


@pytest.fixture
def node(tmp_path: Path, database_url: str) -> Iterator[Node]:
    """A node that embeds by the baseline, four images at a time."""
    extra = f"database_url = '{database_url}'\nencoder = {{batch = 4}}"
    with node_in(tmp_path, extra=extra, http_port=find_free_port()) as made:
        yield made


def _store(node: Node, folder: Path, made: Sequence[Dataset]) -> list[str]:
    """Sends images, one for each study; returns the Study Instance UIDs."""
    folder.mkdir()
    for number, dataset in enumerate(made):
        written(folder / f"{number:04}.dcm", dataset)
    node.store(folder, calling=INDEXED_CALLER)
    return [dataset.StudyInstanceUID for dataset in made]


def _asker(node: Node, uids: Sequence[str]) -> HttpAsker:
    made = node.likeness("token", "create", "asker", "--scope", "read")
    return HttpAsker(_http_port(node), made.stdout.strip(), uids)


def _http_port(node: Node) -> int:
    port = load_settings(node.settings, {}).http.port
    assert port is not None
    return port


def _count(engine: Engine, rows: str, **values: Any) -> int:
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT count(*) FROM {rows}"), values)
        return int(found.scalar_one())


def _embedded(engine: Engine, name: str) -> int:
    """How many vectors the spaces of an encoder hold."""
    of = "(SELECT id FROM spaces WHERE maker ->> 'name' = :name)"
    return _count(engine, f"embeddings WHERE retired_at IS NULL AND space_id IN {of}", name=name)


@contextmanager
def _slowly(engine: Engine) -> Iterator[None]:
    """Vectors enter one in thirty milliseconds, so that there is a middle to be killed in."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END $$; "
                "CREATE TRIGGER slowly BEFORE INSERT ON embeddings FOR EACH ROW "
                "EXECUTE FUNCTION slowly()"
            )
        )
    yield
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER slowly ON embeddings"))


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
    "case", [QUICK, pytest.param(FULL, marks=pytest.mark.long)], ids=["quick", "full"]
)
def test_no_question_fails_while_the_archive_changes_over(
    node: Node, engine: Engine, tmp_path: Path, case: Case
) -> None:
    """And back; killed in the middle, the process alone and then the whole node."""
    weights = case.weights(tmp_path)
    node.start()
    uids = _store(node, tmp_path / "archive", [case.make(n) for n in range(case.count)])
    node.wait_until_worked(case.count, 2 * case.count)
    _verified(node)
    with _asker(node, uids) as asker:
        wait_until(lambda: asker.answers, "the first answer")
        with _slowly(engine):
            before = _children(node)
            _add(node, case.name, "--weights", str(weights), "--no-wait")
            _wait_for(engine, case, 0.1)
            _kill_changeover(node, before)
            _store(node, tmp_path / "late", [case.make(case.count)])
            _wait_for(engine, case, 0.3)
            with asker.silent():
                node.kill_all()
                assert 0 < _embedded(engine, case.name) < case.count
                node.start()
            _verified(node)
        _wait_for_answers(asker, case.name)
        node.wait_until_worked(case.count + 1)
        _verified(node)
        made = _count(engine, "embeddings")
        _add(node, DEFAULT)
        _wait_for_answers(asker, DEFAULT)
    assert asker.failures == []
    assert _encoders(asker) == [DEFAULT, case.name, DEFAULT]
    assert _count(engine, "embeddings") == made
    assert _embedded(engine, case.name) == _embedded(engine, DEFAULT) == case.count + 1
    assert node.status()["studies"] == {"indexed": case.count + 1}
    assert _errors(node) == {"dicom_node.child_process: the changeover died (exit code -9)"}
    for answer in asker.answers[:: max(1, len(asker.answers) // 60)]:
        _is_of_one_space(engine, answer)


def _add(node: Node, *arguments: str) -> None:
    done = node.likeness("encoders", "add", *arguments)
    assert done.returncode == 0, done.stderr


def _wait_for(engine: Engine, case: Case, share: float) -> None:
    wait_until(
        lambda: _embedded(engine, case.name) > share * case.count,
        f"{share:.0%} of the images to be embedded",
        300,
    )


def _wait_for_answers(asker: HttpAsker, name: str) -> None:
    wait_until(lambda: asker.answers[-1]["encoder"] == name, f"an answer by {name}", 1200)


def _errors(node: Node) -> set[str]:
    return {line.split(" ERROR ")[1] for line in node.log.splitlines() if " ERROR " in line}


def _encoders(asker: HttpAsker) -> list[str]:
    """Whose answers there were, one after the other."""
    return [name for name, _ in itertools.groupby(answer["encoder"] for answer in asker.answers)]


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


def _readyz(node: Node) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", _http_port(node), timeout=30)
    connection.request("GET", "/readyz")
    response = connection.getresponse()
    found = response.status, response.read().decode()
    connection.close()
    return found


def _states(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return studies.count_by_state(connection)


def _wait_for_states(engine: Engine, **states: int) -> None:
    wait_until(lambda: _states(engine) == states, f"the studies to be {states}")


def test_after_an_upgrade_studies_wait_until_the_archive_is_embedded_again(
    node: Node, engine: Engine, tmp_path: Path
) -> None:
    """Here for ever, since it holds no pixels: until somebody changes over without them."""
    [asked, *_] = lay(engine, load_settings(node.settings, {}), range(3))
    space = become_older(engine)
    node.start()
    node.wait_until_it_says("the worker waits: space 0000000000000000 answers")
    wait_until(lambda: _readyz(node)[0] == 503, "the node to be not ready")
    assert f"embedded again by baseline into space {space.id}" in _readyz(node)[1]
    _store(node, tmp_path / "late", [image(3)])
    _wait_for_states(engine, indexed=3, queued=1)
    assert node.likeness("search", asked).returncode == 0
    _wait_for_progress(engine, missing=3)
    told = node.status()
    assert "encoder_version is" in told["waiting"]
    assert told["changeover"]["missing"] == 3
    _verified(node)
    done = node.likeness("encoders", "use", space.id, "--incomplete")
    assert done.returncode == 0, done.stderr
    _wait_for_states(engine, failed=3, indexed=1)
    wait_until(lambda: _readyz(node)[0] == 200, "the node to be ready")
    [error] = [line for line in node.log.splitlines() if " ERROR " in line]
    assert f"`likeness encoders use {space.id} --incomplete` goes on without them" in error
    _store(node, tmp_path / "again", [image(number) for number in range(3)])
    _wait_for_states(engine, indexed=4)
    _verified(node)


def _wait_for_progress(engine: Engine, *, missing: int) -> None:
    def is_told() -> bool:
        found = wanted(engine)
        return found is not None and found.progress.get("missing") == missing

    wait_until(is_told, f"{missing} images to be missed")
