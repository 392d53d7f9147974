"""Files of a report: all of them, each whole or not at all."""

from pathlib import Path

import pytest

from evaluation.report import writing
from evaluation.report.compose import compose
from evaluation.report.writing import write
from tests.evaluation.report.made import MADE_WITH, collection_of, evaluated, everything, unasked

FILES = [
    "report.json",
    "figures.csv",
    "classes.csv",
    "confounders.csv",
    "comparisons.csv",
    "confusions.csv",
    "neighbours.csv",
    "report.html",
]


def test_all_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    made = evaluated(collection_of(["a", "b"] * 10))
    document = compose(made, MADE_WITH, maps=False)
    folder = tmp_path / "new" / "folder"
    found = write(document, made.collection, folder)
    assert [path.name for path in found] == FILES
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    first = {path.name: path.read_bytes() for path in found}
    assert all(first.values())
    write(document, made.collection, folder)
    assert {path.name: path.read_bytes() for path in found} == first


def test_tables_of_what_was_asked_for_and_none_of_an_earlier_report(tmp_path: Path) -> None:
    made = everything()
    written = write(compose(made, MADE_WITH, maps=False), made.collection, tmp_path)
    more = {"probes.csv", "ablations.csv", "abstentions.csv", "drifts.csv"}
    assert {path.name for path in written} == {*FILES, *more}
    kept = tmp_path / "vectors.npy"
    kept.write_bytes(b"ours")
    bare = unasked(made.collection)
    write(compose(bare, MADE_WITH, maps=False), bare.collection, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*FILES, "abstentions.csv", "drifts.csv", "vectors.npy"}
    # of a question that was not asked the head of its table is left
    assert (tmp_path / "figures.csv").read_text().count("\n") == 1


def test_what_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = evaluated(collection_of(["a", "b"] * 10))
    document = compose(made, MADE_WITH, maps=False)
    write(document, made.collection, tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def fails(_: object) -> str:
        raise RuntimeError("stopped")

    monkeypatch.setattr(writing, "page", fails)
    with pytest.raises(RuntimeError, match="stopped"):
        write(document, made.collection, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_text_that_is_no_unicode(tmp_path: Path) -> None:
    made = evaluated(collection_of(["a\udc80", "b"] * 10, name="damaged \udcff"))
    found = write(compose(made, MADE_WITH, maps=False), made.collection, tmp_path)
    for path in found:
        path.read_text(encoding="utf-8")
