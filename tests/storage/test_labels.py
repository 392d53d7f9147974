"""Label files: read whole or refused with every faulty line; and what the database keeps."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage import labels
from storage.answer import Label
from storage.labels import LabelError, LabelLine, read_csv
from tests.storage.made import add_study, row_of, space, unit

HEAD = "study_instance_uid,label,value"


def _file(folder: Path, *lines: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _fault(path: Path) -> str:
    with pytest.raises(LabelError) as fault:
        read_csv(path)
    assert str(fault.value).startswith(str(path))
    return str(fault.value)


def test_lines_are_read_in_their_order(tmp_path: Path) -> None:
    path = _file(tmp_path, HEAD, "1.2,effusion,1", "1.2,nodule,0", "1.3,nodule,-1")
    assert read_csv(path) == [
        LabelLine("1.2", Label("effusion", 1)),
        LabelLine("1.2", Label("nodule", 0)),
        LabelLine("1.3", Label("nodule", -1)),
    ]


def test_codes_are_kept_and_may_be_left_out(tmp_path: Path) -> None:
    path = _file(
        tmp_path, f"{HEAD},code,scheme", "1.2,effusion,1,60046008,SCT", "1.2,odd,1,,", "1.2,bare,1"
    )
    found = [(line.label.code, line.label.scheme) for line in read_csv(path)]
    assert found == [("60046008", "SCT"), (None, None), (None, None)]


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    path = _file(tmp_path, "reader,value,label,study_instance_uid", "me, 1 , effusion , 1.2 ")
    assert read_csv(path) == [LabelLine("1.2", Label("effusion", 1))]


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"{HEAD}\r\n1.2,Herzvergrößerung,1\r\n", encoding="utf-8-sig")
    assert read_csv(path) == [LabelLine("1.2", Label("Herzvergrößerung", 1))]


def test_a_file_without_lines_holds_no_labels(tmp_path: Path) -> None:
    assert read_csv(_file(tmp_path, HEAD)) == []


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("study_instance_uid,label", "value"),
        ("study,label,value", "study_instance_uid"),
        ("study_instance_uid;label;value", "study_instance_uid, label, value"),
        ("", "study_instance_uid, label, value"),
    ],
)
def test_missing_columns_are_named(tmp_path: Path, header: str, missing: str) -> None:
    assert _fault(_file(tmp_path, header)).endswith(f"the header line lacks {missing}")


@pytest.mark.parametrize(
    "line",
    [",effusion,1", "1.2,,1", "1.2,effusion,", "1.2,effusion,2", "1.2,effusion,yes", "1.2"],
)
def test_a_faulty_line_is_told_by_its_number(tmp_path: Path, line: str) -> None:
    fault = _fault(_file(tmp_path, HEAD, "1.2,fine,1", line))
    assert fault.endswith(": line 3: needs a study UID, a label and a value of 1, 0 or -1")


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    """Empty lines and a quoted line feed count, as they do in an editor."""
    path = _file(tmp_path, HEAD, "", '1.2,"two\nlines",1', "", "1.2,wrong,9")
    assert ": line 6: " in _fault(path)


def test_what_postgresql_cannot_hold_is_told(tmp_path: Path) -> None:
    assert ": line 2: holds a NUL character" in _fault(_file(tmp_path, HEAD, "1.2,a\0b,1"))


def test_all_faults_are_counted_and_ten_told(tmp_path: Path) -> None:
    fault = _fault(_file(tmp_path, HEAD, *["1.2,effusion,9"] * 13))
    assert fault.count("line ") == 10
    assert fault.endswith(" and 3 more")


def test_a_file_that_is_no_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(f"{HEAD}\n1.2,Größe,1\n".encode("latin-1"))
    assert " is not UTF-8 text: " in _fault(path)


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    assert " cannot be read: " in _fault(tmp_path / name)


def test_a_source_corrects_its_own_word_and_no_other(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)])
        study = row_of(connection, "1.2")
        first, second = LabelLine("1.2", Label("nodule", 1)), LabelLine("1.2", Label("nodule", 0))
        labels.store(connection, [first], source="a")
        labels.store(connection, [first], source="b")
        assert labels.store(connection, [first, second], source="a") == (1, [])
        found = labels.of_studies(connection, [study])
    assert [label.value for label in found[study]] == [0, 1]


def test_unknown_studies_are_returned_and_the_others_stored(engine: Engine) -> None:
    lines = [LabelLine(uid, Label("nodule", 1)) for uid in ("1.9", "1.2", "1.8")]
    with engine.begin() as connection:
        add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)])
        assert labels.store(connection, lines, source="a") == (1, ["1.8", "1.9"])
