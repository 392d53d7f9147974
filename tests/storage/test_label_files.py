"""Label files: read whole or refused with every faulty line."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from storage.answer import Label
from storage.label_files import read_csv
from storage.label_lines import LabelError, LabelLine
from storage.label_values import value_of

HEAD = "study_instance_uid,label,value"


def _file(folder: Path, *lines: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _fault(path: Path, leave_out: Sequence[str] = ()) -> str:
    with pytest.raises(LabelError) as fault:
        read_csv(path, leave_out=leave_out)
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


def test_a_codes_meaning_names_the_label_where_nothing_else_does(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "study_instance_uid,code,scheme,meaning,value",
        "1.2,60046008,SCT,Pleural effusion,1",
    )
    assert read_csv(path) == [LabelLine("1.2", Label("Pleural effusion", 1, "60046008", "SCT"))]


def test_a_line_may_be_of_a_series_an_instance_or_an_accession_number(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "StudyInstanceUID,Series Instance UID,SOP_INSTANCE_UID,AccessionNumber,Label,Value",
        ",1.2.1,,,a,1",
        ",,1.2.1.1,,b,1",
        ",,,A 7,c,1",
        "1.2,1.2.1,1.2.1.1,A 7,d,1",
    )
    assert read_csv(path) == [
        LabelLine("", Label("a"), series_instance_uid="1.2.1"),
        LabelLine("", Label("b"), sop_instance_uid="1.2.1.1"),
        LabelLine("", Label("c"), accession_number="A 7"),
        LabelLine("1.2", Label("d"), "1.2.1", "1.2.1.1", "A 7"),
    ]
    assert [line.place()[1] for line in read_csv(path)] == ["1.2.1", "1.2.1.1", "A 7", "1.2.1.1"]


def test_each_line_may_name_its_source(tmp_path: Path) -> None:
    path = _file(tmp_path, f"{HEAD},source", "1.2,a,1,Dr. M", "1.2,a,0,")
    assert [line.source for line in read_csv(path)] == ["Dr. M", ""]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_cells_are_separated_as_spreadsheets_do(tmp_path: Path, separator: str) -> None:
    path = _file(tmp_path, HEAD.replace(",", separator), separator.join(["1.2", "effusion", "1"]))
    assert read_csv(path) == [LabelLine("1.2", Label("effusion", 1))]


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    path = _file(tmp_path, "reader,value,label,study_instance_uid", "me, 1 , effusion , 1.2 ")
    assert read_csv(path) == [LabelLine("1.2", Label("effusion", 1))]


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"{HEAD}\r\n1.2,Herzvergrößerung,1\r\n,,\r\n", encoding="utf-8-sig")
    assert read_csv(path) == [LabelLine("1.2", Label("Herzvergrößerung", 1))]


def test_a_file_without_lines_holds_no_labels(tmp_path: Path) -> None:
    assert read_csv(_file(tmp_path, HEAD)) == []


WIDE = "study_instance_uid,Pleural Effusion,No Finding,Age"


def test_a_wide_file_has_a_column_for_each_label(tmp_path: Path) -> None:
    """As CheXpert's: 1.0, 0.0, -1.0, and an empty cell where nothing is said."""
    path = _file(tmp_path, WIDE, "1.2,1.0,,58", "1.3,-1.0,0.0,60", "1.4,nan,,")
    assert read_csv(path, leave_out=["Age"]) == [
        LabelLine("1.2", Label("Pleural Effusion", 1)),
        LabelLine("1.3", Label("Pleural Effusion", -1)),
        LabelLine("1.3", Label("No Finding", 0)),
    ]


def test_a_file_may_be_called_wide_though_a_column_is_called_label(tmp_path: Path) -> None:
    path = _file(tmp_path, "study_instance_uid,label,effusion", "1.2,1,0")
    assert read_csv(path, wide=True) == [
        LabelLine("1.2", Label("label", 1)),
        LabelLine("1.2", Label("effusion", 0)),
    ]


def test_a_column_that_is_no_label_is_told_with_the_remedy(tmp_path: Path) -> None:
    fault = _fault(_file(tmp_path, WIDE, "1.2,1.0,,58"))
    assert ": line 2: column Age: '58' is no value: 1, 0, -1 or empty" in fault
    assert "can be left out" in fault


def test_a_column_to_be_left_out_must_be_there(tmp_path: Path) -> None:
    assert "has no Sex to be left out" in _fault(_file(tmp_path, WIDE), leave_out=["Sex"])


PLACES = "study_instance_uid, series_instance_uid, sop_instance_uid"


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("study_instance_uid,label", "lacks value"),
        ("study,label,value", "lacks one of accession_number, " + PLACES),
        ("", "lacks one of accession_number, " + PLACES),
        ("study_instance_uid", "lacks label and value, or a column for each label"),
        ("study_instance_uid,value", "has value, but no label"),
        (f"{HEAD},label", "names label twice"),
    ],
)
def test_missing_columns_are_named(tmp_path: Path, header: str, missing: str) -> None:
    assert _fault(_file(tmp_path, header)).endswith(f"the header line {missing}")


def test_two_spellings_of_one_column_are_told(tmp_path: Path) -> None:
    fault = _fault(_file(tmp_path, f"{HEAD},StudyInstanceUID"))
    assert "'study_instance_uid' and 'StudyInstanceUID' are both study_instance_uid" in fault


NO_VALUE = "is no value: 1 (present), 0 (absent) or -1 (uncertain)"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (",effusion,1", f"gives none of accession_number, {PLACES}"),
        ("1.2E+10,effusion,1", "'1.2E+10' is no study_instance_uid"),
        ("1.2,,1", "names no label"),
        ("1.2,effusion,", f"'' {NO_VALUE}"),
        ("1.2,effusion,2", f"'2' {NO_VALUE}"),
        ("1.2,effusion,maybe", f"'maybe' {NO_VALUE}"),
        ("1.2,effusion,0.5", f"'0.5' {NO_VALUE}"),
        ("1.2", "names no label"),
        ("1.2,effusion,1,60046008", "a code needs its scheme, such as SCT"),
        ("1.2,effusion,1,,SCT", "a code needs its scheme, such as SCT"),
        ("1.2,a\0b,1", "holds a NUL character"),
    ],
)
def test_a_faulty_line_is_told_by_its_number(tmp_path: Path, line: str, expected: str) -> None:
    fault = _fault(_file(tmp_path, f"{HEAD},code,scheme", "1.2,fine,1", line))
    assert f": line 3: {expected}" in fault


def test_a_line_with_more_cells_than_the_header_is_told(tmp_path: Path) -> None:
    fault = _fault(_file(tmp_path, HEAD, "1.2,effusion, small, left,1"))
    assert fault.endswith("line 2 has more cells than the header line")


def test_an_unclosed_quotation_mark_is_told(tmp_path: Path) -> None:
    assert ": behind line 2: " in _fault(_file(tmp_path, HEAD, "1.2,a,1", '1.3,"b,1', "1.4,c,1"))


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    """Empty lines and a quoted line feed count, as they do in an editor."""
    path = _file(tmp_path, HEAD, "", '1.2,"two\nlines",1', "", "1.2,wrong,9")
    assert ": line 6: " in _fault(path)


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, 1) for text in ("1", "1.0", " 1 ", "+1", "yes", "TRUE", "Present", "positive")),
        *((text, 0) for text in ("0", "0.0", "-0", "no", "False", "absent", "negative")),
        *((text, -1) for text in ("-1", "-1.0", "\u22121", "Uncertain")),
        *((text, None) for text in ("", "2", "0.5", "y", "x", "nan", "inf", "1,0", "maybe")),
    ],
)
def test_values_are_read_as_people_write_them(text: str, value: int | None) -> None:
    assert value_of(text) == value
