"""Reports from files: what is read, what is left out and told, and the labels of each study."""

import hashlib
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from dicom_node.labelling.digests import digest_of, together
from dicom_node.labelling.report_files import ReadReports, lines_of, read_reports
from evaluation.report_rules.rules import Rules, load
from storage.answer import Label
from storage.label_lines import LabelLine
from tests.dicom_node.objects import radiograph, written
from tests.evaluation.report_rules.documents import FINDING, document, item, replacing

EFFUSION = codes.SCT.PleuralEffusion


@pytest.fixture(scope="module")
def rules() -> Rules:
    """Those that come along."""
    return load()


def _report(*items: Dataset, uid: str, study: str = "1.2.3", **attributes: object) -> Dataset:
    return document(*items, uid=uid, study=study, **attributes)


def _read(rules: Rules, folder: Path) -> ReadReports:
    return read_reports(sorted(folder.iterdir()), rules)


def test_reports_are_read_from_sr_text_and_table(tmp_path: Path, rules: Rules) -> None:
    written(tmp_path / "a.dcm", _report(item("TEXT", FINDING, "Effusion."), uid="1.2.3.9"))
    (tmp_path / "1.2.4.txt").write_text("Pneumothorax.", encoding="utf-8-sig")
    (tmp_path / "t.csv").write_text('study_instance_uid,text\n1.2.5,"FINDINGS: Mass.\nEdema."\n')
    read = _read(rules, tmp_path)
    texts = {one.study_instance_uid: one.texts for one in read.documents}
    assert texts == {
        "1.2.3": ("Effusion.",),
        "1.2.4": ("Pneumothorax.",),
        "1.2.5": ("FINDINGS: Mass.\nEdema.",),
    }
    assert (read.faults, read.others, len(read.digests)) == ([], {}, 3)


def test_what_is_no_report_is_counted(tmp_path: Path, rules: Rules) -> None:
    written(tmp_path / "image.dcm", radiograph())
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8" * 200)
    read = _read(rules, tmp_path)
    assert (read.documents, read.faults) == ([], [])
    assert read.others == {
        "no report of findings (SOP class 1.2.840.10008.5.1.4.1.1.1)": 1,
        "no DICOM file, .txt or .csv": 1,
    }


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("report.txt", b"Effusion.", "is not named by its study: STUDY_INSTANCE_UID.txt"),
        ("1.2.txt", b"Erg\xfcsse", "is not UTF-8 text"),
        ("t.csv", b"uid,text\n", "lacks study_instance_uid, or one column text"),
        ("t.csv", b"study_instance_uid,text\n1.2,a\nx,b\n", "line 3: 'x' is no study_instance_uid"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, rules: Rules, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    read = _read(rules, tmp_path)
    assert read.documents == []
    (fault,) = read.faults
    assert name in fault
    assert expected in fault


def test_a_truncated_report_is_told(tmp_path: Path, rules: Rules) -> None:
    path = written(
        tmp_path / "a.dcm", _report(item("TEXT", FINDING, "Effusion. " * 20), uid="1.2.3.9")
    )
    path.write_bytes(path.read_bytes()[:-150])
    read = _read(rules, tmp_path)
    assert len(read.faults) == 1
    assert str(path) in read.faults[0]


def test_a_file_that_is_not_there_is_told(tmp_path: Path, rules: Rules) -> None:
    read = read_reports([tmp_path / "missing.dcm"], rules)
    assert "missing.dcm cannot be read" in read.faults[0]


def test_texts_and_codes_of_a_study_are_taken_together(tmp_path: Path, rules: Rules) -> None:
    absent = item("CODE", FINDING, EFFUSION, item("CODE", FINDING, codes.cid240.Absent))
    present = item("CODE", FINDING, EFFUSION)
    written(tmp_path / "a.dcm", _report(item("TEXT", FINDING, "No mass."), absent, uid="1.2.3.1"))
    written(tmp_path / "b.dcm", _report(item("TEXT", FINDING, "Edema."), present, uid="1.2.3.2"))
    found, coded = lines_of(_read(rules, tmp_path).documents, rules)
    assert [(line.label.name, line.label.value) for line in found] == [
        ("Edema", 1),
        ("Lung Lesion", 0),
        ("Mass", 0),
    ]
    assert coded == [LabelLine("1.2.3", Label("Pleural effusion", 1, "60046008", "SCT"))]


def test_a_report_that_another_replaces_says_nothing(tmp_path: Path, rules: Rules) -> None:
    written(tmp_path / "a.dcm", _report(item("TEXT", FINDING, "Mass."), uid="1.2.3.1"))
    written(
        tmp_path / "b.dcm",
        _report(
            item("TEXT", FINDING, "No effusion."),
            uid="1.2.3.2",
            PredecessorDocumentsSequence=replacing("1.2.3.1"),
        ),
    )
    read = _read(rules, tmp_path)
    found, _ = lines_of(read.documents, rules)
    assert [line.label.name for line in found] == ["Pleural Effusion"]
    assert read.studies == {"1.2.3"}


def test_a_lone_files_digest_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    digest = digest_of(tmp_path / "a")
    assert digest == hashlib.sha256(b"a").hexdigest()
    assert together([digest]) == digest
    assert together(["b", "a"]) == together(["a", "b"]) == hashlib.sha256(b"a\nb").hexdigest()
