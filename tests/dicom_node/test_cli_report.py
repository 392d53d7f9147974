"""Reports and case numbers from the command line, on a real database."""

import json
import os
import pty
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import Comprehensive3DSRStorage
from sqlalchemy import Engine, text

from dicom_node.cli import main
from storage import case_numbers
from tests.dicom_node.archive_of_made import (
    PIXELS,
    STUDIES,
    UNKNOWN,
    count_of,
    keep_with_picture,
    made_archive,
    set_state,
)
from tests.dicom_node.command_line import Likeness

FIRST = STUDIES[0]


@pytest.fixture
def settings_file(settings_file: Path, engine: Engine, tmp_path: Path) -> Path:
    """Settings without pictures, over an archive of three studies."""
    made_archive(engine, tmp_path)
    with settings_file.open("a") as file:
        file.write("[report]\npicture = false\n")
    return settings_file


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "1.2"],
        ["report", "1.2", "--new"],
        ["report", "1.2", "--picture", "picture.jpg"],
        ["report", "1.2", "--picture", "picture"],
        ["report", "1.2", "-o", "-", "--json"],
        ["report", "--send", "1.2"],
        ["case"],
        ["case", "7F3K-92QD-M4XV", "--of", "1.2"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.startswith("usage: likeness")


def test_a_report_is_written_and_stays_the_same(likeness: Likeness, tmp_path: Path) -> None:
    first, second = tmp_path / "1.dcm", tmp_path / "2.dcm"
    ran = likeness("report", FIRST, "-o", first)
    assert likeness("report", FIRST, "-o", second).code == 0
    report = pydicom.dcmread(first)
    assert report.SOPClassUID == Comprehensive3DSRStorage
    assert (report.StudyInstanceUID, report.PatientID) == (FIRST, FIRST)
    assert first.read_bytes() == second.read_bytes()
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"report {report.SOPInstanceUID} written to {first}\n"


def test_a_new_report_takes_the_place_of_the_one_there_is(
    likeness: Likeness, tmp_path: Path
) -> None:
    path = tmp_path / "report.dcm"
    likeness("report", FIRST, "-o", path)
    first = pydicom.dcmread(path).SOPInstanceUID
    told = json.loads(likeness("report", FIRST, "--new", "-o", path, "--json").out)["report"]
    assert told["predecessor_sop_instance_uid"] == first != told["sop_instance_uid"]
    assert pydicom.dcmread(path).SOPInstanceUID == told["sop_instance_uid"]


def test_a_report_may_go_to_standard_output(
    settings_file: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["--settings", str(settings_file), "report", FIRST, "-o", "-"]) == 0
    report = pydicom.dcmread(BytesIO(capsysbinary.readouterr().out))
    assert report.StudyInstanceUID == FIRST


def test_a_report_does_not_go_to_a_terminal(
    settings_file: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patched:
        patched.setattr("sys.stdout", terminal)
        with pytest.raises(SystemExit, match="2"):
            main(["--settings", str(settings_file), "report", FIRST, "-o", "-"])
    os.close(ours)
    assert count_of(engine, "reports") == 0


@pytest.mark.parametrize("option", ["-o", "--picture"])
def test_a_file_that_cannot_be_written_is_named(
    likeness: Likeness, engine: Engine, tmp_path: Path, option: str
) -> None:
    keep_with_picture(engine, FIRST)
    path = tmp_path / "missing" / "report.dcm"
    fault = likeness("report", FIRST, option, path, "--send", "pacs").could_not()
    assert fault == f"{path} cannot be written: No such file or directory"
    assert count_of(engine, "sends") == 0


@pytest.mark.parametrize("option", [["-o", "x"], ["--json"], ["--send", "pacs"]])
def test_a_study_that_never_came_is_named(likeness: Likeness, option: list[str]) -> None:
    fault = likeness("report", UNKNOWN, *option).could_not()
    assert fault == f"study {UNKNOWN} is not in this archive"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("open", f"study {FIRST} is open: it is not indexed yet"),
        ("queued", f"study {FIRST} is queued: it is not indexed yet"),
        ("failed", f"study {FIRST} failed: no image; `likeness retry {FIRST}` tries again"),
    ],
)
def test_a_study_without_a_report_says_where_it_stands(
    likeness: Likeness, engine: Engine, state: str, expected: str
) -> None:
    reason = "no image" if state == "failed" else None
    with engine.begin() as connection:
        set_state(connection, FIRST, state, reason=reason)
    assert likeness("report", FIRST, "--send", "pacs").could_not() == expected
    ran = likeness("report", FIRST, "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["state"], found["reason"]) == (0, state, reason)
    assert found["report"] is None


def test_looking_makes_no_report(likeness: Likeness, engine: Engine) -> None:
    assert json.loads(likeness("report", FIRST, "--json").out)["report"] is None
    assert count_of(engine, "reports") == count_of(engine, "queries") == 0


def test_a_picture_is_written_as_dicom_and_as_png(
    likeness: Likeness, engine: Engine, tmp_path: Path
) -> None:
    content = keep_with_picture(engine, FIRST)
    dicom, png = tmp_path / "picture.dcm", tmp_path / "picture.PNG"
    assert likeness("report", FIRST, "--picture", dicom).code == 0
    assert likeness("report", FIRST, "--picture", png).err == (
        f"picture 1.9.2.1 written to {png}\n"
    )
    assert dicom.read_bytes() == content
    assert np.array_equal(np.asarray(Image.open(png)), PIXELS)


def test_a_report_without_a_picture_says_so(likeness: Likeness, tmp_path: Path) -> None:
    fault = likeness("report", FIRST, "--picture", tmp_path / "picture.png").could_not()
    assert "report.picture was false in the settings" in fault


def test_a_report_is_queued_for_the_peers_named(likeness: Likeness) -> None:
    ran = likeness("report", FIRST, "--send", "pacs", "pacs")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "queued for pacs: `likeness serve` on this data folder sends it\n"
    (send,) = json.loads(likeness("report", FIRST, "--json").out)["report"]["sends"]
    assert (send["peer"], send["state"], send["reason"]) == ("pacs", "queued", None)


def test_a_report_goes_where_all_reports_go_if_no_peer_is_named(
    likeness: Likeness, settings_file: Path, engine: Engine
) -> None:
    fault = likeness("report", FIRST, "--send").could_not()
    assert fault == "report.send_to names no peer: name one after --send"
    assert count_of(engine, "reports") == 0
    with settings_file.open("a") as file:
        file.write("send_to = ['pacs']\n")
    assert likeness("report", FIRST, "--send").err.startswith("queued for pacs: ")


def test_a_report_that_is_sent_without_its_picture_says_so(
    likeness: Likeness, engine: Engine
) -> None:
    keep_with_picture(engine, FIRST)
    assert "picture" not in likeness("report", FIRST, "--send", "pacs").err
    with engine.begin() as connection:
        connection.execute(text("UPDATE reports SET picture_dicom = NULL"))
    told = likeness("report", FIRST, "--send", "pacs").err
    assert "without its picture: the report's picture was removed" in told
    assert "a new report has one again" in told


def test_an_unknown_peer_gets_nothing(likeness: Likeness, engine: Engine) -> None:
    fault = likeness("report", FIRST, "--send", "pacs", "pcas").could_not()
    assert fault == "the settings name no peer 'pcas' with host and port; known: pacs"
    assert count_of(engine, "reports") == count_of(engine, "sends") == 0


def test_a_report_is_sent_under_the_node_of_the_data_folder(
    likeness: Likeness, settings_file: Path, engine: Engine
) -> None:
    likeness("report", FIRST, "--send", "pacs")
    with engine.connect() as connection:
        node = connection.execute(text("SELECT node FROM sends")).scalar_one()
    assert node == (settings_file.parent / "data" / "device-uid").read_text().strip()


def _number(engine: Engine) -> str:
    with engine.begin() as connection:
        key = case_numbers.key_of_archive(connection)
    return case_numbers.case_number(key, FIRST)


def test_a_case_number_leads_to_its_study(likeness: Likeness, engine: Engine) -> None:
    number = _number(engine)
    ran = likeness("case", number.replace("-", "").lower())
    assert ran.out == (
        f"study instance uid: {FIRST}\npatient id: {FIRST}\n"
        "study date: 20260301\ndescription: made\n"
    )
    assert json.loads(likeness("case", number, "--json").out) == {
        "case_number": number,
        "studies": [
            {
                "study_instance_uid": FIRST,
                "patient_id": FIRST,
                "issuer_of_patient_id": "",
                "study_date": "20260301",
                "description": "made",
            }
        ],
    }


def test_a_study_has_the_same_case_number_each_time(likeness: Likeness, engine: Engine) -> None:
    first = likeness("case", "--of", FIRST).out
    assert first == likeness("case", "--of", FIRST).out == f"{_number(engine)}\n"
    told = json.loads(likeness("case", "--of", FIRST, "--json").out)
    assert (told["case_number"], len(told["studies"])) == (first.strip(), 1)
    fault = likeness("case", "--of", UNKNOWN).could_not()
    assert fault == f"study {UNKNOWN} is not in this archive"


@pytest.mark.parametrize("number", ["7F3K-92QD-M4XV", "", "nonsense", "\u0661", "7F3K"])
def test_a_case_number_of_no_study_is_told(likeness: Likeness, number: str) -> None:
    fault = likeness("case", number).could_not()
    assert fault == f"no study of this archive has the case number {number}".strip()


def test_a_lookup_of_a_patient_leaves_a_trace(likeness: Likeness, engine: Engine) -> None:
    number = _number(engine)
    likeness("case", number)
    likeness("case", "7F3K-92QD-M4XV")
    who = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT asked_by, case_number, found FROM case_lookups ORDER BY id")
        )
        assert [tuple(row) for row in rows] == [
            (f"cli:{who}", number, [FIRST]),
            (f"cli:{who}", "7F3K-92QD-M4XV", []),
        ]


def test_the_conformance_statement_is_printed_or_written(
    likeness: Likeness, tmp_path: Path
) -> None:
    path = tmp_path / "conformance.md"
    printed = likeness("conformance")
    assert likeness("conformance", "-o", path).out == ""
    assert printed.out.rstrip() == path.read_text().rstrip()
    assert "Conformance" in printed.out
