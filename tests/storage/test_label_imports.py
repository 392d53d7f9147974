"""Versions of what a source says: what stands, what stood, and which import each word is of."""

import threading
from collections.abc import Iterator, Mapping
from io import StringIO

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import label_imports, label_versions, label_words
from storage.answer import Label
from storage.label_imports import Origin, Taken, other_versions, take_in
from storage.label_lines import LabelError
from storage.label_places import Key
from tests.storage.made import add_study, space, unit

FIRST, SECOND = "1.2", "1.3"


@pytest.fixture
def archive(engine: Engine) -> Iterator[Connection]:
    """Two studies."""
    with engine.begin() as connection:
        for uid in (FIRST, SECOND):
            add_study(connection, space(), uid, [unit(1, 0, 0, 0)])
        yield connection


def _row(connection: Connection, uid: str) -> int:
    query = text("SELECT id FROM studies WHERE study_instance_uid = :uid")
    row: int = connection.execute(query, {"uid": uid}).scalar_one()
    return row


def _words(connection: Connection, **said: Mapping[str, int]) -> dict[Key, Label]:
    """Words by ``first`` and ``second`` study and by name."""
    rows = {"first": _row(connection, FIRST), "second": _row(connection, SECOND)}
    return {
        (rows[study], "", "", name): Label(name, value)
        for study, values in said.items()
        for name, value in values.items()
    }


def _standing(connection: Connection, source: str = "a", version: int | None = None) -> list[str]:
    file = StringIO()
    label_versions.write_csv(connection, file, only=[source], version=version)
    lines = [line.split(",") for line in file.getvalue().splitlines()[1:]]
    return [f"{line[0]} {line[3]} {line[4]}" for line in lines]


def test_an_import_is_all_that_its_source_says(archive: Connection) -> None:
    take_in(
        archive,
        _words(archive, first={"mass": 1, "nodule": 1}, second={"mass": 0}),
        Origin("a"),
        complete_for=None,
    )
    words = _words(archive, first={"mass": 0, "nodule": 1, "hernia": -1})
    taken = take_in(archive, words, Origin("a"), complete_for=None)
    assert taken == Taken("a", version=2, said=3, added=1, changed=1, dropped=1)
    assert _standing(archive) == ["1.2 hernia -1", "1.2 mass 0", "1.2 nodule 1"]


def test_every_version_stays_readable(archive: Connection) -> None:
    versions = (
        _words(archive, first={"mass": 1, "nodule": 1}),
        _words(archive, first={"mass": 0, "nodule": 1}, second={"mass": 1}),
        _words(archive, second={"mass": 1}),
        _words(archive, first={"mass": 1, "nodule": 1}),
    )
    for words in versions:
        take_in(archive, words, Origin("a"), complete_for=None)
    assert _standing(archive, version=1) == ["1.2 mass 1", "1.2 nodule 1"]
    assert _standing(archive, version=2) == ["1.2 mass 0", "1.2 nodule 1", "1.3 mass 1"]
    assert _standing(archive, version=3) == ["1.3 mass 1"]
    assert _standing(archive, version=4) == _standing(archive) == _standing(archive, version=1)


def test_what_was_superseded_is_in_no_answer(archive: Connection) -> None:
    take_in(archive, _words(archive, first={"mass": 1}), Origin("a"), complete_for=None)
    take_in(archive, {}, Origin("a"), complete_for=None)
    assert label_words.on_study(archive, FIRST) == []
    assert archive.execute(text("SELECT count(*) FROM labels")).scalar_one() == 0


def test_saying_the_same_again_makes_no_version(archive: Connection) -> None:
    words = _words(archive, first={"mass": 1})
    take_in(archive, words, Origin("a"), complete_for=None)
    again = take_in(archive, words, Origin("a", sha256="other"), complete_for=None)
    assert again == Taken("a", version=1, said=1)
    (source,) = label_versions.sources(archive)
    assert len(source.versions) == 1


def test_a_new_code_is_a_change(archive: Connection) -> None:
    words = _words(archive, first={"mass": 1})
    take_in(archive, words, Origin("a"), complete_for=None)
    coded = {key: Label("mass", 1, "4147007", "SCT") for key in words}
    assert take_in(archive, coded, Origin("a"), complete_for=None).changed == 1


def test_words_may_be_added_to_what_stands(archive: Connection) -> None:
    take_in(archive, _words(archive, first={"mass": 1, "nodule": 1}), Origin("a"))
    taken = take_in(archive, _words(archive, first={"mass": 0}), Origin("a"))
    assert (taken.changed, taken.dropped) == (1, 0)
    assert _standing(archive) == ["1.2 mass 0", "1.2 nodule 1"]


def test_words_may_be_complete_for_some_studies(archive: Connection) -> None:
    words = _words(archive, first={"mass": 1}, second={"mass": 1, "nodule": 1})
    take_in(archive, words, Origin("a"), complete_for=None)
    second = _row(archive, SECOND)
    taken = take_in(
        archive, _words(archive, second={"nodule": 1}), Origin("a"), complete_for=[second]
    )
    assert (taken.added, taken.changed, taken.dropped) == (0, 0, 1)
    assert _standing(archive) == ["1.2 mass 1", "1.3 nodule 1"]


def test_a_source_may_stand_in_for_others(archive: Connection) -> None:
    both = _words(archive, first={"mass": 1}, second={"mass": 1})
    take_in(archive, both, Origin("rules 1"), complete_for=None)
    new = _words(archive, first={"mass": 0})
    rows = [_row(archive, FIRST)]
    take_in(archive, new, Origin("rules 2"), complete_for=rows, instead_of=["rules 1"])
    assert _standing(archive, "rules 1") == ["1.3 mass 1"]
    assert _standing(archive, "rules 1", version=1) == ["1.2 mass 1", "1.3 mass 1"]
    assert _standing(archive, "rules 2") == ["1.2 mass 0"]


def test_sources_that_differ_in_their_number_are_versions_of_one(archive: Connection) -> None:
    for source in ("report rules 1", "report rules 2", "report rules x", "other rules 1", "a"):
        take_in(archive, _words(archive, first={source: 1}), Origin(source))
    assert other_versions(archive, "report rules 3") == ["report rules 1", "report rules 2"]
    assert other_versions(archive, "report rules 1") == ["report rules 2"]
    assert other_versions(archive, "a") == []


def test_sources_are_told_with_their_versions(archive: Connection) -> None:
    words = _words(archive, first={"mass": 1}, second={"mass": 1})
    take_in(archive, words, Origin("b", "csv", "ab" * 32), complete_for=None)
    take_in(archive, _words(archive, first={"mass": 1}), Origin("b"), complete_for=None)
    take_in(archive, _words(archive, first={"nodule": 1}), Origin("a", "http"))
    a, b = label_versions.sources(archive)
    assert (a.name, a.standing, a.superseded) == ("a", 1, 0)
    assert (b.name, b.standing, b.superseded) == ("b", 1, 1)
    told = [(one.version, one.kind, one.words, one.sha256) for one in b.versions]
    assert told == [(1, "csv", 2, "ab" * 32), (2, "csv", 1, None)]


def test_a_source_can_be_taken_back(archive: Connection) -> None:
    take_in(archive, _words(archive, first={"mass": 1}), Origin("a"))
    take_in(archive, _words(archive, first={"mass": 1}), Origin("b"))
    assert label_imports.remove(archive, "a").dropped == 1
    assert (_standing(archive), _standing(archive, "b")) == ([], ["1.2 mass 1"])
    assert _standing(archive, version=1) == ["1.2 mass 1"]


def test_a_source_can_be_forgotten(archive: Connection) -> None:
    """What came when stays known; what it was does not."""
    for value in (1, 0):
        take_in(archive, _words(archive, first={"mass": value}), Origin("a"))
    label_imports.remove(archive, "a", for_good=True)
    assert [_standing(archive, version=version) for version in (1, 2, 3)] == [[], [], []]
    (source,) = label_versions.sources(archive)
    assert [version.kind for version in source.versions] == ["csv", "csv", "removal"]


def test_labels_go_with_their_study(archive: Connection) -> None:
    for value in (1, 0):
        take_in(archive, _words(archive, first={"mass": value}), Origin("a"))
    archive.execute(text("DELETE FROM embeddings"))
    archive.execute(text("DELETE FROM studies WHERE study_instance_uid = :uid"), {"uid": FIRST})
    assert (_standing(archive), _standing(archive, version=1)) == ([], [])


def test_a_version_that_never_was_is_named(archive: Connection) -> None:
    take_in(archive, _words(archive, first={"mass": 1}), Origin("a"))
    with pytest.raises(LabelError, match=r"^a has no version 2"):
        _standing(archive, version=2)
    with pytest.raises(LabelError, match=r"^no labels ever came from z"):
        _standing(archive, "z")


def test_two_imports_of_one_source_wait_for_each_other(engine: Engine) -> None:
    """The second sees what the first wrote, and is the next version."""
    with engine.begin() as connection:
        add_study(connection, space(), FIRST, [unit(1, 0, 0, 0)])
        add_study(connection, space(), SECOND, [unit(1, 0, 0, 0)])
    began, versions = threading.Event(), []

    def second() -> None:
        began.set()
        with engine.begin() as connection:
            words = _words(connection, first={"mass": 0})
            versions.append(take_in(connection, words, Origin("a"), complete_for=None).version)

    other = threading.Thread(target=second)
    with engine.begin() as connection:
        words = _words(connection, first={"mass": 1})
        versions.append(take_in(connection, words, Origin("a"), complete_for=None).version)
        other.start()
        began.wait(10)
    other.join(30)
    assert versions == [1, 2]


def test_a_callers_word_replaces_all_that_it_said_of_the_study(archive: Connection) -> None:
    take_in(
        archive,
        {(_row(archive, FIRST), "1.2.1", "", "mass"): Label("mass")},
        Origin("http:x", "http"),
    )
    assert label_words.replace(archive, FIRST, [Label("nodule", 0)], source="http:x")
    assert [word.label.name for word in label_words.on_study(archive, FIRST) or []] == ["nodule"]
    assert not label_words.replace(archive, "9.9", [], source="http:x")
