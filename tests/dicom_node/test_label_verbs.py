"""The verbs of labels on a real database: in, listed, out, back in, and taken back."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.dicom_node.command_line import Likeness, Ran
from tests.dicom_node.objects import STUDY, radiograph, written
from tests.evaluation.report_rules.documents import FINDING, document, item
from tests.storage.made import add_study, space, unit

NO_SUCH = "1.2.3.4.5"
HEAD = "study_instance_uid,label,value"


@pytest.fixture(autouse=True)
def _archive(engine: Engine) -> None:
    """Three studies."""
    with engine.begin() as connection:
        for uid in ("1.2.1", "1.2.2", STUDY):
            add_study(connection, space(), uid, [unit(1, 0, 0, 0)])


@pytest.fixture
def findings(tmp_path: Path) -> Path:
    """A file of labels."""
    return _file(tmp_path / "findings.csv", "1.2.1,effusion,1", "1.2.1,nodule,-1")


def _file(path: Path, *lines: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def _labels(engine: Engine) -> Sequence[tuple[str, str, int, str]]:
    query = text(
        "SELECT study_instance_uid, name, value, source FROM labels "
        "JOIN studies ON studies.id = study_id ORDER BY 1, 2, 4"
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_labels_are_imported_with_their_source(
    likeness: Likeness, engine: Engine, findings: Path
) -> None:
    assert likeness("labels", "import", findings) == Ran(
        0,
        "2 labels stored\n"
        "  findings.csv, version 1: 2 new\n"
        "  effusion: 1 present\n"
        "  nodule: 1 uncertain\n",
        "",
    )
    assert _labels(engine) == [
        ("1.2.1", "effusion", 1, "findings.csv"),
        ("1.2.1", "nodule", -1, "findings.csv"),
    ]


def test_a_file_imported_again_is_all_that_it_says(
    likeness: Likeness, engine: Engine, findings: Path
) -> None:
    likeness("labels", "import", findings)
    assert "findings.csv: nothing new since version 1" in likeness("labels", "import", findings).out
    _file(findings, "1.2.1,effusion,0", "1.2.2,effusion,1")
    out = likeness("labels", "import", findings).out
    assert "findings.csv, version 2: 1 new, 1 changed, 1 taken back" in out
    assert [row[:3] for row in _labels(engine)] == [
        ("1.2.1", "effusion", 0),
        ("1.2.2", "effusion", 1),
    ]


def test_a_file_may_add_to_what_its_source_said(
    likeness: Likeness, engine: Engine, findings: Path
) -> None:
    likeness("labels", "import", findings, "--source", "Dr. M")
    more = _file(findings.with_name("more.csv"), "1.2.1,nodule,1")
    likeness("labels", "import", more, "--source", "Dr. M", "--add")
    assert [row[1:] for row in _labels(engine)] == [
        ("effusion", 1, "Dr. M"),
        ("nodule", 1, "Dr. M"),
    ]


def test_a_wide_file_is_imported(likeness: Likeness, engine: Engine, tmp_path: Path) -> None:
    path = _file(tmp_path / "w.csv", "1.2.1,1.0,,58", head="StudyInstanceUID,Edema,Mass,Age")
    assert "column Age: '58' is no value" in likeness("labels", "import", path).could_not()
    assert likeness("labels", "import", path, "--leave-out", "Age").code == 0
    assert [row[1:3] for row in _labels(engine)] == [("Edema", 1)]


def test_what_would_be_imported_is_told_as_json(
    likeness: Likeness, engine: Engine, findings: Path
) -> None:
    ran = likeness("labels", "import", findings, "--dry-run", "--json")
    assert json.loads(ran.out) == {
        "dry_run": True,
        "labels": 2,
        "sources": [
            {
                "source": "findings.csv",
                "version": 1,
                "said": 2,
                "added": 2,
                "changed": 0,
                "dropped": 0,
                "unchanged": 0,
            }
        ],
        "counts": {
            "effusion": {"present": 1, "absent": 0, "uncertain": 0},
            "nodule": {"present": 0, "absent": 0, "uncertain": 1},
        },
        "unknown": {},
        "ambiguous": {},
    }
    assert _labels(engine) == []
    assert json.loads(likeness("labels", "list", "--json").out) == []


def test_labels_of_unknown_studies_are_told(likeness: Likeness, tmp_path: Path) -> None:
    path = _file(tmp_path / "findings.csv", f"{NO_SUCH},effusion,1", "1.2.1,effusion,1")
    ran = likeness("labels", "import", path)
    assert ran.code == 1
    assert ran.out.startswith("1 labels stored\n")
    assert ran.err == f"likeness: 1 studies are not in this archive, such as {NO_SUCH}\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["1.2.1,effusion,1", "1.2.1,nodule,maybe"], "line 3: 'maybe' is no value"),
        (["1.2.1,mass,1", "1.2.1,mass,0"], "lines 2 and 3 say 1 and 0 of mass"),
    ],
)
def test_a_faulty_label_file_changes_nothing(
    likeness: Likeness, engine: Engine, tmp_path: Path, lines: list[str], expected: str
) -> None:
    path = _file(tmp_path / "findings.csv", *lines)
    assert expected in likeness("labels", "import", path).could_not()
    assert _labels(engine) == []


def test_sources_are_listed_with_their_versions(likeness: Likeness, findings: Path) -> None:
    assert "there are no labels" in likeness("labels", "list").err
    digest = hashlib.sha256(findings.read_bytes()).hexdigest()
    likeness("labels", "import", findings)
    _file(findings, "1.2.1,effusion,1")
    likeness("labels", "import", findings)
    (source,) = json.loads(likeness("labels", "list", "--json").out)
    assert (source["source"], source["labels"], source["superseded"]) == ("findings.csv", 1, 1)
    first, second = source["versions"]
    assert (first["version"], first["kind"], first["words"], first["sha256"]) == (
        1,
        "csv",
        2,
        digest,
    )
    assert second["version"] == 2
    out = likeness("labels", "list").out
    assert out.startswith("findings.csv: 1 labels, 1 superseded\n  2  ")
    assert f"csv, 2 labels, SHA-256 {digest[:12]}…" in out


def test_what_is_exported_is_imported_again(
    likeness: Likeness, engine: Engine, findings: Path, tmp_path: Path
) -> None:
    likeness("labels", "import", findings)
    coded = _file(
        tmp_path / "coded.csv", "1.2.1.1,effusion,0,60046008,SCT", "1.2.1.1,two\n;lines,1,,",
        head="series_instance_uid,label,value,code,scheme",
    )  # fmt: skip
    coded.write_text(coded.read_text().replace("two\n;lines", '"two\n;lines"'))
    likeness("labels", "import", coded)
    before, path = _labels(engine), tmp_path / "all.csv"
    assert likeness("labels", "export", "-o", path) == Ran(0, "", "4 labels written\n")
    for source in ("findings.csv", "coded.csv"):
        likeness("labels", "remove", source)
    assert _labels(engine) == []
    assert likeness("labels", "import", path).code == 0
    assert _labels(engine) == before
    again = tmp_path / "again.csv"
    likeness("labels", "export", "-o", again)
    assert again.read_bytes() == path.read_bytes()


def test_an_earlier_version_can_be_exported(likeness: Likeness, findings: Path) -> None:
    likeness("labels", "import", findings)
    likeness("labels", "remove", "findings.csv")
    path = findings.with_name("out.csv")
    asked = ("labels", "export", "-o", path, "--source", "findings.csv", "--at-version")
    likeness(*asked, 1)
    with path.open(newline="", encoding="utf-8") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["effusion", "nodule"]
    assert "findings.csv has no version 3" in likeness(*asked, 3).could_not()
    assert path.read_text().count("\n") == 3


def test_labels_are_exported_to_stdout(likeness: Likeness, findings: Path) -> None:
    likeness("labels", "import", findings)
    lines = likeness("labels", "export", "-o", "-", "--source", "findings.csv").out.splitlines()
    assert lines[0].startswith("study_instance_uid,series_instance_uid,sop_instance_uid,label")
    assert len(lines) == 3


@pytest.mark.parametrize("verb", [("remove",), ("export", "-o", "-", "--source")])
def test_a_source_that_never_was_is_named(likeness: Likeness, verb: tuple[str, ...]) -> None:
    assert "no labels ever came from x" in likeness("labels", *verb, "x").could_not()


def test_a_version_needs_its_source(likeness: Likeness) -> None:
    with pytest.raises(SystemExit) as ended:
        likeness("labels", "export", "-o", "-", "--at-version", "1")
    assert ended.value.code == 2


def test_a_source_is_forgotten_for_good(likeness: Likeness, engine: Engine, findings: Path) -> None:
    likeness("labels", "import", findings)
    likeness("labels", "remove", "findings.csv", "--for-good")
    with engine.connect() as connection:
        left = connection.execute(text("SELECT count(*) FROM superseded_labels")).scalar_one()
    assert (left, _labels(engine)) == (0, [])


def test_labels_come_from_reports(likeness: Likeness, engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    report = document(item("TEXT", FINDING, "Small effusion. No pneumothorax."), study="1.2.1")
    written(folder / "a.dcm", report)
    (folder / "1.2.2.txt").write_text("FINDINGS: Possible pneumonia.")
    (folder / f"{STUDY}.txt").write_text("Unremarkable.")
    written(folder / "image.dcm", radiograph())
    ran = likeness("labels", "from-reports", folder)
    assert ran.code == 0
    assert "reports of 3 studies; those of 1 name no finding" in ran.err
    assert "1 files left out: no report of findings" in ran.err
    assert _labels(engine) == [
        ("1.2.1", "Pleural Effusion", 1, "report rules 1"),
        ("1.2.1", "Pneumothorax", 0, "report rules 1"),
        ("1.2.2", "Pneumonia", -1, "report rules 1"),
    ]


def test_a_later_report_stands_for_its_study_alone(
    likeness: Likeness, engine: Engine, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.2.1.txt", tmp_path / "1.2.2.txt"
    for path in (first, second):
        path.write_text("Effusion.")
        likeness("labels", "from-reports", path)
    first.write_text("Edema.")
    likeness("labels", "from-reports", first)
    assert [row[:2] for row in _labels(engine)] == [
        ("1.2.1", "Edema"),
        ("1.2.2", "Pleural Effusion"),
    ]


def test_rules_of_another_version_take_the_earlier_ones_place(
    likeness: Likeness, engine: Engine, tmp_path: Path
) -> None:
    from evaluation.report_rules.rules import ENGLISH

    report, rules = tmp_path / "1.2.1.txt", tmp_path / "rules.toml"
    report.write_text("Effusion.")
    likeness("labels", "from-reports", report)
    rules.write_text(ENGLISH.read_text().replace("version = 1", "version = 2"))
    likeness("labels", "from-reports", report, "--rules", rules)
    assert _labels(engine) == [("1.2.1", "Pleural Effusion", 1, "report rules 2")]


def test_reports_that_cannot_be_read_or_placed_are_told(likeness: Likeness, tmp_path: Path) -> None:
    (tmp_path / f"{NO_SUCH}.txt").write_text("Effusion.")
    (tmp_path / "note.txt").write_text("Effusion.")
    ran = likeness("labels", "from-reports", tmp_path / f"{NO_SUCH}.txt", tmp_path / "note.txt")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "0 labels stored")
    assert "note.txt is not named by its study" in ran.err
    assert f"1 studies are not in this archive, such as {NO_SUCH}" in ran.err


def test_labels_come_from_attributes(likeness: Likeness, engine: Engine, tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.dcm",
        radiograph(AdmittingDiagnosesDescription="Effusion", ReasonForStudy="Pneumonia"),
    )
    assert likeness("labels", "from-dicom", path).code == 0
    source = "DICOM attributes, report rules 1"
    assert _labels(engine) == [
        (STUDY, "Pleural Effusion", 1, source),
        (STUDY, "Pneumonia", -1, source),
    ]
    fault = likeness("labels", "from-dicom", path, "--attribute", "Diagnosis").could_not()
    assert "Diagnosis is no keyword of PS3.6" in fault
