"""Reports before outside judges: dciodvfy, DCMTK's dsrdump and dsr2html, highdicom."""

import re
import subprocess
from dataclasses import dataclass
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import pydicom
import pytest
from pydicom import Dataset

from dicom_node.received import study_facts
from dicom_node.report.codes import Private
from dicom_node.report.encoding import report_file
from dicom_node.report.fallback import as_sop_class
from dicom_node.report.privacy import by_rank
from dicom_node.sop_classes import REPORT_STORAGE
from storage.answer import Answer, StudyRecord
from tests.dicom_node.answers import CASE_NUMBER, answer, hit, made, named, number_of
from tests.dicom_node.objects import STUDY, encoded, radiograph, write_file
from tests.dicom_node.report_kinds import KINDS

DCIODVFY, DCENTVFY, DSRDUMP, DSR2HTML = (
    Path("/usr/bin") / name for name in ("dciodvfy", "dcentvfy", "dsrdump", "dsr2html")
)
IODS = dict(
    zip(REPORT_STORAGE, ("Comprehensive3DSR", "ComprehensiveSR", "EnhancedSR"), strict=True)
)
ALLOWED = (
    "Unrecognized defined term = <99",  # it knows no private scheme, however it is identified
    "needed to build DICOMDIR",  # a query without name or id has none
)
UTF_8 = "W: The VR checker does not support this Specific Character Set: ISO_IR 192"
MODES = {"identified": None, "pseudonymous": CASE_NUMBER}


@dataclass(frozen=True)
class Written:
    """A report of an answer, and the file that the judges get."""

    given: Answer
    report: Dataset
    path: Path


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=KINDS)
def written(request: pytest.FixtureRequest, mode: str, tmp_path: Path) -> Written:
    kind = KINDS[request.param]
    report = made(kind.given, **{"case_number": MODES[mode]} | kind.options)
    path = tmp_path / "report.dcm"
    path.write_bytes(report_file(report))
    return Written(kind.given, report, path)


def judged(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")


def complaints(path: Path, iod: str) -> list[str]:
    lines = judged(DCIODVFY, "-new", path).stderr.splitlines()
    assert iod in lines
    return [
        line
        for line in lines
        if line.startswith(("Error", "Warning")) and not any(term in line for term in ALLOWED)
    ]


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy (package dicom3tools) is not here")
def test_dciodvfy_finds_nothing_to_complain_about(written: Written, tmp_path: Path) -> None:
    found = written.report.SOPClassUID
    for plainer in REPORT_STORAGE[REPORT_STORAGE.index(found) :]:
        path = tmp_path / "plainer.dcm"
        path.write_bytes(report_file(as_sop_class(written.report, plainer)))
        assert complaints(path, IODS[plainer]) == []


@pytest.mark.skipif(not DSRDUMP.exists(), reason="dsrdump (package dcmtk) is not here")
def test_dsrdump_shows_the_groups_in_order(written: Written) -> None:
    shown = judged(DSRDUMP, "+Pl", written.path)
    assert shown.returncode == 0
    assert shown.stderr.splitlines() in ([], [UTF_8])
    ranks = [int(rank) for rank in re.findall(r'"Rank"\)="(\d+)"', shown.stdout)]
    kinds = re.findall(r'"Finding"\)=\((11[23]),', shown.stdout)
    assert sorted(zip(kinds, ranks, strict=True)) == list(zip(kinds, ranks, strict=True))


@pytest.mark.skipif(not DSRDUMP.exists(), reason="dsrdump (package dcmtk) is not here")
def test_dsrdump_shows_hits_in_rank_order_whatever_their_order(tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    hits = (hit(2, 102), hit(3, 103, similarity=-0.25), hit(1, 101))
    path.write_bytes(report_file(made(answer(hits=hits, priors=()))))
    lines = [line.strip() for line in judged(DSRDUMP, "+Pl", path).stdout.splitlines()]
    assert [x.split("=")[1][:3] for x in lines if '"Rank")' in x] == ['"1"', '"2"', '"3"']
    similar = [float(x.split('"')[3]) for x in lines if '"Cosine similarity")' in x]
    assert similar == pytest.approx([0.972029321, 0.956404321, -0.25])
    assert sum('"Cardiomegaly")=(52101004,SCT,"Present")' in x for x in lines) == 3


@pytest.mark.skipif(not DSR2HTML.exists(), reason="dsr2html (package dcmtk) is not here")
def test_dsr2html_renders_summary_and_ranks(written: Written) -> None:
    rendered = judged(DSR2HTML, "+U8", written.path)
    assert rendered.returncode == 0
    assert rendered.stderr.splitlines() in ([], [UTF_8])
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", rendered.stdout)).split())
    assert "not reviewed by a person; not for diagnosis." in text
    ranks = [int(rank) for rank in re.findall(r"Rank: (\d+)", text)]
    shown = [*by_rank(written.given.hits), *by_rank(written.given.priors)]
    assert ranks == [one.rank for one in shown]


def test_highdicom_reads_the_tree_as_tid_1500(written: Written) -> None:
    document = highdicom.sr.srread(BytesIO(written.path.read_bytes()))
    assert document.SOPInstanceUID == written.report.SOPInstanceUID
    found = document.content.get_image_measurement_groups()
    search, similar, prior = (
        [Private.SIMILAR_FOUND if written.given.hits else Private.NONE_FOUND],
        [Private.SIMILAR_STUDY] * len(written.given.hits),
        [Private.PRIOR_STUDY] * len(written.given.priors),
    )
    findings = [kind.value.value for kind in (*search, *similar, *prior)]
    assert [group.finding_type.value for group in found] == findings


def test_pydicom_reads_back_the_same_hits(written: Written) -> None:
    back = pydicom.dcmread(written.path)
    shown = [*by_rank(written.given.hits), *by_rank(written.given.priors)]
    found = [g for g in named(back, "Measurement Group") if named(g, "Rank")]
    assert [number_of(g, "Rank") for g in found] == [one.rank for one in shown]
    similarities = [number_of(g, "Cosine similarity") for g in found]
    assert similarities == [one.similarity for one in shown]


ODD_QUERIES: dict[str, dict[str, Any]] = {
    "whole": {
        "AccessionNumber": "A1", "StudyID": "7", "StudyTime": "101112.5", "PatientAge": "074Y",
        "ReferringPhysicianName": "Doc^Tor", "StudyDescription": "Chest",
        "IssuerOfPatientID": "HOSPITAL",
    },
    "bare": {"PatientName": None, "PatientSex": None, "PatientBirthDate": None, "StudyDate": None},
    # it compares bytes, so that the same name in another character set is another to it
    "greek": {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Διονυσιος"},
    "too long": {"AccessionNumber": "ACCESSION-NUMBER-OF-A-CARELESS-RIS"},
}  # fmt: skip


@pytest.mark.skipif(not DCENTVFY.exists(), reason="dcentvfy (package dicom3tools) is not here")
@pytest.mark.parametrize("attributes", ODD_QUERIES.values(), ids=ODD_QUERIES)
def test_dcentvfy_finds_query_and_report_of_one_patient_and_study(
    attributes: dict[str, Any], tmp_path: Path
) -> None:
    query = radiograph(**attributes)
    record = StudyRecord(id=1, study_instance_uid=STUDY, **study_facts(query))
    paths = [
        write_file(tmp_path / "query.dcm", encoded(query)),
        tmp_path / "report.dcm",
    ]
    paths[1].write_bytes(report_file(made(answer(query=record, hits=(hit(1, 7),)))))
    judgement = judged(DCENTVFY, *paths)
    found = [x for x in judgement.stderr.splitlines() if x.startswith("Error")]
    assert (judgement.returncode, found) == (0, [])
