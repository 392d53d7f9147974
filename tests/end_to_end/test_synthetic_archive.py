"""The main job and the demo on synthetic studies: needs nothing beside the checkout."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image

from evaluation.synthetic import SyntheticStudy, make_study
from tests.conftest import find_free_port
from tests.end_to_end.running import (
    INDEXED_CALLER,
    Node,
    dciodvfy_errors,
    dsrdump,
    node_in,
    reports_in,
    viewer,
)
from tests.waiting import wait_until

RADIOGRAPHS, SERIES = 24, 3


def _write(study: SyntheticStudy, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(study.datasets):
        dataset.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)
    return folder


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A running node that holds some synthetic radiographs and CT series."""
    folder = tmp_path_factory.mktemp("archive")
    for index in range(RADIOGRAPHS):
        _write(make_study(index, modality="DX"), folder / "studies" / str(index))
    for index in range(100, 100 + SERIES):
        _write(make_study(index, modality="CT"), folder / "studies" / str(index))
    with node_in(folder) as node:
        node.start()
        node.store(folder / "studies", calling=INDEXED_CALLER)
        node.wait_until_worked(RADIOGRAPHS + SERIES)
        yield node


@pytest.mark.parametrize(("index", "modality"), [(500, "DX"), (501, "CR"), (502, "CT")])
def test_a_study_from_outside_brings_a_sound_report_back(
    archive: Node, tmp_path: Path, index: int, modality: str
) -> None:
    study = make_study(index, modality=modality)
    with viewer(archive.viewer_port, tmp_path / "answers") as answers:
        archive.store(_write(study, tmp_path / "asked"))
        wait_until(lambda: reports_in(answers), f"the report; the log says {archive.log}")
        archive.wait_until_sent()
    [path] = reports_in(answers)
    report = pydicom.dcmread(path)
    assert report.StudyInstanceUID == study.study_instance_uid
    assert report.PatientID == study.patient_id
    assert dciodvfy_errors(path) == []
    assert re.search(r'"Rank"\)="1"', dsrdump(path))


def test_late_images_bring_a_revised_report(archive: Node, tmp_path: Path) -> None:
    """The second report names the first as its predecessor (PS3.3 C.17.2.2)."""
    first = make_study(510, modality="DX")
    late = make_study(511, modality="DX").datasets[0]
    late.StudyInstanceUID, late.PatientID = first.study_instance_uid, first.patient_id
    with viewer(archive.viewer_port, tmp_path / "answers") as answers:
        archive.store(_write(first, tmp_path / "first"))
        wait_until(lambda: len(reports_in(answers)) == 1, "the first report")
        [before] = reports_in(answers)
        late.save_as(tmp_path / "late.dcm", enforce_file_format=True)
        archive.store(tmp_path / "late.dcm")
        wait_until(lambda: len(reports_in(answers)) == 2, "the revised report")
        archive.wait_until_sent()
        [after] = [path for path in reports_in(answers) if path != before]
    predecessor = pydicom.dcmread(after).PredecessorDocumentsSequence[0]
    named = predecessor.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == pydicom.dcmread(before).SOPInstanceUID


def test_the_same_images_again_change_nothing(archive: Node) -> None:
    before = _without_the_disk(archive)
    archive.store(archive.folder / "studies" / "0", calling=INDEXED_CALLER)
    wait_until(lambda: not archive.status()["studies"].get("open"), "no open study")
    assert _without_the_disk(archive) == before


def _without_the_disk(node: Node) -> dict[str, Any]:
    """The node's status but for the room on the disk, which others use too."""
    return {key: value for key, value in node.status().items() if key != "free_gb"}


def test_the_demo_ends_in_a_printed_answer(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dicom_node", "demo", "--once", "--count", "12"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={
            **os.environ,
            "LIKENESS_DICOM_PORT": str(find_free_port()),
            "LIKENESS_HTTP_PORT": str(find_free_port()),
        },
    )
    assert done.returncode == 0, done.stderr
    assert "The report came back" in done.stdout
    assert re.search(
        r"^ +http://127\.0\.0\.1:\d+/ui/studies/2\.25\.\d+$", done.stdout, re.MULTILINE
    )
    assert re.search(r"^1 +\S+ +\d\.\d{4} ", done.stdout, re.MULTILINE)
    assert dciodvfy_errors(tmp_path / "run" / "report.dcm") == []
    with Image.open(tmp_path / "run" / "picture.png") as picture:
        assert picture.width == 1536
