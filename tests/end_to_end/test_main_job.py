"""The main job with real parts: DCMTK sends, PostgreSQL keeps, DCMTK receives the report."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from tests.end_to_end.chest import write_chest_studies
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

CHEST_STUDIES = 101


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Node]:
    """A running node that holds 100 chest studies, one CT and one MR, and a 101st chest unsent."""
    folder = tmp_path_factory.mktemp("archive")
    write_chest_studies(shared_data, folder / "chest", CHEST_STUDIES)
    (folder / "asked").mkdir()
    shutil.move(folder / "chest" / f"{CHEST_STUDIES - 1:04d}.dcm", folder / "asked" / "chest.dcm")
    with node_in(folder) as node:
        node.start()
        series = shared_data / "dicom" / "series"
        node.store(
            folder / "chest",
            series / "ct_head_neck",
            series / "mr_head_t1",
            calling=INDEXED_CALLER,
        )
        node.wait_until_worked(CHEST_STUDIES - 1 + 2)
        yield node


def _ask(node: Node, asked: Path, answers: Path) -> Path:
    with viewer(node.viewer_port, answers):
        node.store(asked)
        wait_until(lambda: reports_in(answers), f"the report; the log says {node.log}")
        node.wait_until_sent()
    return reports_in(answers)[0]


@pytest.mark.shared_data
def test_a_chest_study_brings_its_report_back(archive: Node, tmp_path: Path) -> None:
    asked = archive.folder / "asked" / "chest.dcm"
    path = _ask(archive, asked, tmp_path / "answers")
    query, report = pydicom.dcmread(asked), pydicom.dcmread(path)
    assert report.PatientID == query.PatientID
    assert report.StudyInstanceUID == query.StudyInstanceUID
    assert report.AccessionNumber == query.AccessionNumber
    assert dciodvfy_errors(path) == []
    text = dsrdump(path)
    done = archive.likeness("search", query.StudyInstanceUID, "--json")
    answer = json.loads(done.stdout)
    assert len(answer["hits"]) == 10
    places = [text.index(hit["study_instance_uid"]) for hit in answer["hits"]]
    assert places == sorted(places)
    assert query.PatientID not in {hit["patient_id"] for hit in answer["hits"]}
    assert {hit["modality"] for hit in answer["hits"]} <= {"CR", "DX"}


@pytest.mark.shared_data
def test_all_studies_became_searchable_and_the_index_agrees(archive: Node) -> None:
    status = archive.status()
    assert status["studies"].get("failed", 0) == 0
    done = archive.likeness("verify")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.shared_data
def test_a_ct_without_its_like_is_answered_so(archive: Node, shared_data: Path) -> None:
    """The archive holds one CT: asked with another, that one is all there is to compare."""
    path = shared_data / "dicom" / "syntaxes" / "CT1_JPLL.dcm"
    done = archive.likeness("search", str(path), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [hit["modality"] for hit in answer["hits"]] == ["CT"]
    assert answer["searched"] == 1


@pytest.mark.shared_data
def test_the_slice_that_stands_for_a_series_is_its_geometric_middle(
    archive: Node, shared_data: Path
) -> None:
    """Sixty slices 3 mm apart: by hand, the one nearest the middle of the extent, lower of two."""
    slices = [
        pydicom.dcmread(path, stop_before_pixels=True)
        for path in (shared_data / "dicom" / "series" / "ct_head_neck").iterdir()
    ]
    ordered = sorted(slices, key=lambda one: float(one.ImagePositionPatient[2]))
    done = archive.likeness(
        "search", str(shared_data / "dicom" / "syntaxes" / "CT1_JPLL.dcm"), "--json"
    )
    hit = json.loads(done.stdout)["hits"][0]
    middle = {ordered[29].SOPInstanceUID, ordered[30].SOPInstanceUID}
    assert hit["sop_instance_uid"] in middle
