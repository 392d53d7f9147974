"""Made tables as text and Markdown."""

import math

from evaluation.figures import Figure
from evaluation.papers import table
from evaluation.papers.named_table import Line, MadeTable, Printed
from evaluation.papers.rendering import blocks, markdown, text

NAN = math.nan


def figure(value: float, name: str = "p@1", mean: str = "micro", undefined: int = 0) -> Figure:
    low, high = value - 0.05, value + 0.05
    return Figure(name, mean, value, low, high, 0.25, 0, 0, 1234, undefined, 10)


def made(*lines: Line, collection: str = "our|set") -> MadeTable:
    return MadeTable(table("papers/2-table2"), collection, "ours", lines, ("told <b>",))


PRINTED = (
    Printed("BiomedCLIP", "p@1", 0.594, where="Table 2"),
    Printed("other", "p@1", 0.1, where="repository"),
)
LINES = (
    Line("a_b", "NIH", "", figure(0.5), PRINTED),
    Line("a_b", "NIH", "", figure(1.0, "p@3", "class_mean", undefined=2)),
    Line("other system", "NIH", "", figure(NAN)),
)


def test_text() -> None:
    found = [" ".join(line.split()) for line in text(made(*LINES)).splitlines()]
    start = found.index("NIH")
    assert found[start + 1 : start + 7] == [
        "p@1 p@3 class mean queries",
        "a_b .500 (.450 to .550) 1.000 (.950 to 1.050) 1,234 (2 without a value)",
        "other system no value no value 1,234",
        "chance .250 .250",
        "paper: BiomedCLIP .594",
        "repository: other .100",
    ]
    assert found[0] == "papers/2-table2: Precision at N on the combined data set"
    assert any(line.startswith("* The code counts P@N within min(N") for line in found)
    assert "our|set, rules: ours" in found


def test_columns_stand_below_each_other() -> None:
    found = text(made(*LINES)).splitlines()
    rows = found[found.index("NIH") + 1 :][:4]
    assert rows[0].index("queries") == rows[1].index("1,234") == rows[2].index("1,234")
    assert rows[0].index("p@1") == rows[1].index(".500") == rows[3].index(".250")


def test_many_measures_are_several_tables_and_the_papers_rows_stand_where_they_have_figures() -> (
    None
):
    names = ("p@1", "p@3", "p@5", "p@10", "rr@5")
    lines = [
        Line("a", "", "", figure(0.5, name, mean), PRINTED if name == "p@1" else ())
        for name in names
        for mean in ("class_mean", "micro")
    ]
    rows = [block.rows for block in blocks(made(*lines))]
    assert [one[0] for one in rows] == [
        ["", "p@1", "p@3", "p@5", "p@10", "queries"],
        ["", "rr@5", *(f"{name} class mean" for name in names[:3]), "queries"],
        ["", "p@10 class mean", "rr@5 class mean", "queries"],
    ]
    assert [[row[0] for row in one[1:]] for one in rows] == [
        ["a", "chance", "paper: BiomedCLIP", "repository: other"],
        ["a", "chance", "paper: BiomedCLIP", "repository: other"],
        ["a", "chance"],
    ]


def test_groups_that_the_paper_does_not_print_are_rows_of_one_table() -> None:
    lines = [
        Line(system, "by class", group, figure(value))
        for system, value in (("a", 0.5), ("b", 0.75))
        for group in ("", "Mass", "Nodule")
    ]
    (found,) = blocks(made(*lines))
    assert found.title == "by class, p@1"
    assert found.rows == (
        ["", "a", "b", "chance", "queries"],
        ["all", ".500 (.450 to .550)", ".750 (.700 to .800)", ".250", "1,234"],
        ["Mass", ".500 (.450 to .550)", ".750 (.700 to .800)", ".250", "1,234"],
        ["Nodule", ".500 (.450 to .550)", ".750 (.700 to .800)", ".250", "1,234"],
    )


def test_markdown_escapes_what_would_be_marked_up() -> None:
    found = markdown(made(*LINES))
    assert "| a\\_b | .500 (.450 to .550) |" in found
    assert "our\\|set, rules: ours." in found
    assert "told \\<b\\>" in found
    rows = [line for line in found.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_ugly_names_stay_in_their_line() -> None:
    ugly = Line("name\nof | two lines", "", "", figure(0.5))
    assert "name of \\| two lines" in markdown(made(ugly))
    assert "name\nof" not in text(made(ugly))


def test_a_table_without_lines() -> None:
    assert "papers/2-table2" in text(made())
    assert "papers/2-table2" in markdown(made())
