"""Whatever comes, the node says why in one line, keeps the file, and goes on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from evaluation.synthetic import make_study
from tests.conftest import find_free_port
from tests.end_to_end.running import Node, node_in, reports_in, viewer
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A running node with an empty archive."""
    with node_in(tmp_path_factory.mktemp("node")) as node:
        node.start()
        yield node


def _write(dataset: pydicom.Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def _radiograph(index: int) -> pydicom.Dataset:
    return make_study(index, modality="DX").datasets[0]


def _failed_reason(node: Node, uid: str) -> str:
    found = json.loads(node.asked("failed", "--json").stdout)
    return next((entry["reason"] for entry in found["studies"] if entry["study"] == uid), "")


def _assert_goes_on(node: Node, tmp_path: Path, index: int) -> None:
    """A good study sent afterwards is searchable."""
    good = _radiograph(index)
    node.store(_write(good, tmp_path / "good.dcm"))
    wait_until(
        lambda: node.is_searchable(good.StudyInstanceUID),
        "the good study to be searchable",
    )


def test_a_study_without_pixels_fails_alone_with_its_reason(node: Node, tmp_path: Path) -> None:
    bad = _radiograph(1000)
    del bad.PixelData
    node.store(_write(bad, tmp_path / "bad.dcm"))
    wait_until(lambda: _failed_reason(node, bad.StudyInstanceUID), "the study to fail")
    assert "pixel" in _failed_reason(node, bad.StudyInstanceUID).lower()
    _assert_goes_on(node, tmp_path, 1001)


def test_truncated_pixels_never_become_a_vector(node: Node, tmp_path: Path) -> None:
    bad = _radiograph(1002)
    bad.PixelData = bad.PixelData[: len(bad.PixelData) // 2]
    node.store(_write(bad, tmp_path / "bad.dcm"))
    wait_until(lambda: _failed_reason(node, bad.StudyInstanceUID), "the study to fail")
    _assert_goes_on(node, tmp_path, 1003)


def test_an_unknown_modality_is_named(node: Node, tmp_path: Path) -> None:
    bad = _radiograph(1004)
    bad.Modality = "ZZ"
    node.store(_write(bad, tmp_path / "bad.dcm"))
    wait_until(lambda: _failed_reason(node, bad.StudyInstanceUID), "the study to fail")
    assert "ZZ" in _failed_reason(node, bad.StudyInstanceUID)
    _assert_goes_on(node, tmp_path, 1005)


def test_a_failed_study_can_be_mended_by_sending_it_again(node: Node, tmp_path: Path) -> None:
    study = _radiograph(1006)
    pixels = study.PixelData
    study.PixelData = pixels[:100]
    node.store(_write(study, tmp_path / "bad.dcm"))
    wait_until(lambda: _failed_reason(node, study.StudyInstanceUID), "the study to fail")
    study.PixelData = pixels
    node.store(_write(study, tmp_path / "mended.dcm"))
    wait_until(
        lambda: node.is_searchable(study.StudyInstanceUID),
        "the mended study to be searchable",
    )


def test_files_that_are_no_dicom_are_refused_and_the_rest_is_taken(
    node: Node, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("not DICOM")
    good = _radiograph(1007)
    _write(good, tmp_path / "good.dcm")
    done = node.likeness("ingest", str(tmp_path))
    assert done.returncode == 1
    assert "notes.txt" in done.stderr
    wait_until(
        lambda: node.is_searchable(good.StudyInstanceUID),
        "the good file to be searchable",
    )


def test_a_peer_that_was_down_gets_its_report_when_it_is_back(node: Node, tmp_path: Path) -> None:
    study = _radiograph(1008)
    node.store(_write(study, tmp_path / "study.dcm"))
    wait_until(lambda: "does not answer" in node.log, "a line on the peer that is down")
    with viewer(node.viewer_port, tmp_path / "answers") as answers:

        def answered() -> bool:
            uids = {pydicom.dcmread(path).StudyInstanceUID for path in reports_in(answers)}
            return study.StudyInstanceUID in uids

        wait_until(answered, "the report to arrive after all", 120)


@pytest.mark.shared_data
def test_every_trap_ends_in_a_reason_and_the_node_lives(
    node: Node, tmp_path: Path, shared_data: Path
) -> None:
    """Through the command line and over the network; afterwards the node still works."""
    traps = shared_data / "dicom" / "traps"
    done = node.likeness("ingest", str(traps))
    assert "Traceback" not in done.stderr
    node.try_to_store(traps)
    wait_until(lambda: not node.status()["studies"].get("open"), "the studies to close")
    wait_until(lambda: not node.status()["studies"].get("queued"), "the studies to be worked")
    failed = json.loads(node.asked("failed", "--json").stdout)
    assert all(entry["reason"] for entry in [*failed["studies"], *failed["files"]])
    assert node.likeness("verify").returncode == 0
    _assert_goes_on(node, tmp_path, 1009)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("databse_url = 'x'", "databse_url: no such setting; did you mean database_url?"),
        ("database_url = 'mysql://127.0.0.1/x'", "only postgresql://"),
        ("encoder = {name = 'basline'}", "baseline"),
        ("encoder = {name = 'monai-densenet121'}", "weights"),
        (
            "encoder = {name = 'monai-densenet121', weights = 'none.safetensors'}",
            "none.safetensors",
        ),
    ],
)
def test_a_node_that_cannot_start_says_why_in_a_line(tmp_path: Path, extra: str, said: str) -> None:
    with node_in(tmp_path, extra=extra) as node:
        done = node.likeness("serve")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named_with_its_remedy(node: Node, tmp_path: Path) -> None:
    with node_in(tmp_path) as other:
        text = other.settings.read_text().replace(f"port = {other.port}", f"port = {node.port}")
        other.settings.write_text(text)
        done = other.likeness("serve")
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{node.port}" in done.stderr
    assert "dicom.port" in done.stderr


def test_two_nodes_never_share_a_data_folder(node: Node) -> None:
    text = node.settings.read_text().replace(f"port = {node.port}", f"port = {find_free_port()}")
    second = node.folder / "second.toml"
    second.write_text(text)
    done = Node(node.folder, second, 0, 0).likeness("serve")
    assert done.returncode == 1
    assert "another node works in" in done.stderr
