"""CSV files: what is read of them, and that each fault names file, line, column and remedy."""

from pathlib import Path

import pytest

from evaluation.readers.cells import sex_of
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.table import first_cells, read_lines, read_table
from tests.evaluation.readers.made import write


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x y\n2,\n",
        "\ufeffa,b\n1,x y\n2,\n",  # byte order mark
        "a,b\r\n1,x y\r\n2,\r\n",
        "a,b\n1,x y\n2,",  # no end of line at the end
        '"a","b"\n"1","x y"\n"2",""\n',
        "a , b\n 1, x y \n2,\n",
        "a,b\n1,x y\n\n2,\n",  # an empty line
        "a,b,,\n1,x y\n2,\n",  # columns without a name that rows do not have
        "a,b\n1,x y,,\n2,,\n",  # and the other way round
    ],
)
@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_columns_are_read_however_they_were_saved(tmp_path: Path, name: str, text: str) -> None:
    table = read_table(write(tmp_path / name, text), "a", "b")
    assert (table.column("a"), table.column("b")) == (["1", "2"], ["x y", ""])


def test_quoted_cells_may_hold_commas_and_line_ends(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", 'a,b\n"1,5","two\nlines"\n2,x\n'))
    assert table.column("a") == ["1,5", "2"]
    assert list(table.lines) == [3, 4]


def test_columns_without_a_name_in_the_middle_are_none(tmp_path: Path) -> None:
    # pandas writes its index so
    table = read_table(write(tmp_path / "t.csv", ",a,,b\n0,1,,x\n"))
    assert (table.column("a"), table.column("b")) == (["1"], ["x"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"t\.csv is empty"),
        ("a,b\n", "holds a header and no rows"),
        ("a\n1\n", "no column 'b'; it has 'a': add it, or take the file as it was published"),
        ("a,b,a\n1,2,3\n", "names a column twice: a"),
        ("a,b\n1,2\n1\n", "line 3: 1 cells where the header names 2"),
        ("a,b\n1,2,3\n", "line 2: 3 cells where the header names 2; quote cells"),
    ],
)
def test_a_fault_of_the_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ReaderError, match=reason):
        read_table(write(tmp_path / "t.csv", text), "a", "b")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("t.csv", b"a,b\n\xff\xfe,1\n", "is not UTF-8 text"),
        ("t.csv", b'a,b\n"' + b"x" * 200_000 + b'",1\n', "is no CSV file: field larger"),
        ("t.csv.gz", b"a,b\n1,2\n", "cannot be read: Not a gzipped file"),
        ("t.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0", "cannot be read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ReaderError, match=reason):
        read_table(tmp_path / name, "a", "b")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"there is no file .*absent\.csv; fetch it"):
        read_table(tmp_path / "absent.csv")


def test_a_bad_cell_is_named_by_line_and_column(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "id,sex\n1,M\n2,x\n"))
    with pytest.raises(ReaderError, match=r"t\.csv line 3, column 'sex': 'x' is no sex; write M"):
        table.parsed("sex", sex_of)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,n\na,1\n,2\n", "line 3, column 'id': an empty cell; fill it in"),
        ("id,n\na,1\nb,2\na,3\n", "line 4, column 'id': 'a' stands in line 2 already; remove one"),
    ],
)
def test_ids_are_there_once(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ReaderError, match=reason):
        read_table(write(tmp_path / "t.csv", text)).unique("id")


def test_the_first_of_several_names_that_is_there_is_taken(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "b,c\n1,2\n"))
    assert table.either("a", "c", "b") == "c"
    with pytest.raises(ReaderError, match="no column 'd'"):
        table.either("d", "e")


def test_a_glance_at_a_header_refuses_nothing(tmp_path: Path) -> None:
    assert first_cells(write(tmp_path / "t.csv", "\ufeffa, b\n")) == ("a", "b")
    assert first_cells(tmp_path / "absent.csv") == ()
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff")
    assert first_cells(tmp_path / "image.csv") == ()


def test_lines_of_a_list(tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", "\ufeffa.png\r\nb.png \r\n")
    assert read_lines(path) == ["a.png", "b.png"]
    assert read_lines(path, 1) == ["a.png"]


def test_of_many_names_some_are_told() -> None:
    assert some(list("abc")) == "a, b, c"
    assert some(list("abcdefg")) == "a, b, c, d, e and 2 more"
