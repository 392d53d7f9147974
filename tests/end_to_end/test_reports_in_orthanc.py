"""Orthanc sends studies of each kind, and files what comes back in the very same studies."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import generate_uid

from tests.end_to_end.asked_kinds import KINDS, write_study
from tests.end_to_end.orthanc import Orthanc, orthanc_in
from tests.end_to_end.running import INDEXED_CALLER, Node, dciodvfy_errors, dcmtk, dsrdump, node_in
from tests.waiting import wait_until

OTHERS = 2
"""Studies of each kind, by other patients, that the archive holds."""
PEER = """
[report]
privacy = "{privacy}"
[[peers]]
name = "orthanc"
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {port}
reports_to = "orthanc"
storage_commitment = true
"""


@dataclass(frozen=True)
class Archive:
    """Orthanc, and a node beside it that holds studies of other patients."""

    orthanc: Orthanc
    node: Node
    privacy: str
    others: frozenset[str]

    def get(self, path: str) -> Any:
        """What Orthanc's REST interface answers."""
        status, said = self.orthanc.ask("GET", path)
        assert status == 200, said
        return json.loads(said)

    def series(self, study: str) -> dict[str, list[str]]:
        """The study's series in Orthanc: the instances' identifiers by modality."""
        listed = self.get(f"/studies/{study}/series")
        return {entry["MainDicomTags"]["Modality"]: entry["Instances"] for entry in listed}

    def file(self, instance: str) -> bytes:
        """An instance as a DICOM file."""
        status, said = self.orthanc.ask("GET", f"/instances/{instance}/file")
        assert status == 200, said
        return said


@pytest.fixture(scope="module", params=["identified", "pseudonymous"])
def archive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("archive")
    others = set()
    for kind in KINDS:
        for place in range(OTHERS):
            others.add(study := generate_uid(prefix=None))
            patient = f"OTHER-{kind}-{place}".replace(" ", "-")
            write_study(folder / "others" / patient, kind, study=study, patient=patient)
    with orthanc_in(folder / "orthanc") as orthanc:
        extra = PEER.format(privacy=request.param, port=orthanc.dicom_port)
        with node_in(folder, extra=extra) as node:
            orthanc.add_modality("likeness", AET="LIKENESS", Host="127.0.0.1", Port=node.port)
            node.start()
            node.store(folder / "others", calling=INDEXED_CALLER)
            node.wait_until_worked(OTHERS * len(KINDS))
            yield Archive(orthanc, node, request.param, frozenset(others))


def _sent_by_orthanc(archive: Archive, folder: Path) -> str:
    """Puts a study into Orthanc, which sends it to the node; Orthanc's identifier of it."""
    for path in sorted(folder.iterdir()):
        instance = archive.orthanc.upload(path)
    study = str(archive.get(f"/instances/{instance}/study")["ID"])
    status, said = archive.orthanc.ask("POST", "/modalities/likeness/store", study.encode())
    assert status == 200, said
    return study


@pytest.mark.parametrize("kind", KINDS)
def test_report_and_picture_stand_in_the_querys_study(
    archive: Archive, tmp_path: Path, kind: str
) -> None:
    uid = generate_uid(prefix=None)
    study = _sent_by_orthanc(
        archive, write_study(tmp_path / "asked", kind, study=uid, patient="ASKED")
    )
    wait_until(
        lambda: {"SR", "OT"} <= set(archive.series(study)),
        f"report and picture; the log says {archive.node.log}",
    )
    series = archive.series(study)
    report = archive.file(*series["SR"])
    picture = archive.file(*series["OT"])
    _assert_sound(report, tmp_path / "report.dcm")
    _assert_sound(picture, tmp_path / "picture.dcm")
    _assert_rendered(tmp_path / "report.dcm")
    for document in (report, picture):
        read = pydicom.dcmread(BytesIO(document))
        assert (read.PatientID, read.StudyInstanceUID) == ("ASKED", uid)
        told = {other for other in archive.others if other.encode() in document}
        assert not told or (archive.privacy == "identified" and document is report)
    assert b"OTHER-" not in report + picture


def _assert_sound(document: bytes, path: Path) -> None:
    path.write_bytes(document)
    assert dciodvfy_errors(path) == []


def _assert_rendered(path: Path) -> None:
    assert re.search(r'"Rank"\)="1"', dsrdump(path))
    html = subprocess.run(
        [dcmtk("dsr2html"), str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "similar stud" in html.stdout


def test_no_study_but_those_asked_with_is_in_orthanc(archive: Archive, tmp_path: Path) -> None:
    """Nothing that came back opened a study or a patient of its own."""
    uid = generate_uid(prefix=None)
    folder = write_study(tmp_path / "asked", "CR", study=uid, patient="ALONE")
    before = set(archive.get("/studies"))
    study = _sent_by_orthanc(archive, folder)
    wait_until(lambda: {"SR", "OT"} <= set(archive.series(study)), "report and picture")
    assert set(archive.get("/studies")) == before | {study}
    shown = archive.get(f"/studies/{study}")["PatientMainDicomTags"]
    assert (shown["PatientID"], shown["PatientName"]) == ("ALONE", "Made^Up")


def test_orthanc_commits_to_report_and_picture(archive: Archive, tmp_path: Path) -> None:
    """It is asked on one association and answers on another (PS3.4 annex J)."""
    uid = generate_uid(prefix=None)
    _sent_by_orthanc(archive, write_study(tmp_path / "asked", "CR", study=uid, patient="KEPT"))

    def committed() -> bool:
        said = archive.node.likeness("report", uid, "--json")
        report = json.loads(said.stdout)["report"] if said.returncode == 0 else None
        return bool(report and [s["commitment"] for s in report["sends"]] == ["committed"])

    wait_until(committed, f"the commitment; the log says {archive.node.log}")
    report = json.loads(archive.node.likeness("report", uid, "--json").stdout)["report"]
    taken = {entry["sop_instance_uid"] for entry in report["sends"][0]["taken"]}
    assert taken == {report["sop_instance_uid"], report["picture_sop_instance_uid"]}
