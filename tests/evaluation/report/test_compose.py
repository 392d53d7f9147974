"""From an evaluation to a document: what is drawn once, and what is shared out."""

from dataclasses import replace
from pathlib import Path

from evaluation.report.compose import compose
from evaluation.report.drawing import brought
from evaluation.report.wrong_class import MOST_PAIRS
from tests.evaluation.report.made import (
    MADE_WITH,
    as_archive,
    collection_of,
    evaluated,
    pictures,
    unasked,
)


def test_panels_of_labels_are_shown_once() -> None:
    document = compose(evaluated(collection_of(["a", "b"] * 20)), MADE_WITH, maps=False)
    assert {panel.task for panel in document.panels} == {"class", "labels"}
    assert {table.task for table in document.confusions} == {"class", "labels"}


def test_one_page_holds_so_many_pairs(tmp_path: Path) -> None:
    collection = collection_of(["a", "b", "c", "d"] * 60, paths=pictures(tmp_path, 240))
    document = compose(evaluated(collection), MADE_WITH, maps=False)
    shown = [table.shown for table in document.confusions]
    assert 0 < sum(shown) <= MOST_PAIRS
    assert any(table.wrong > table.shown for table in document.confusions)
    wanted = {at for one in document.panels for at in one.images}
    wanted |= {at for one in document.confusions for at in one.images}
    assert set(document.thumbnails) == wanted


def test_maps_of_every_system_by_everything_that_was_looked_at() -> None:
    collection = collection_of(["a", "b"] * 20, views=["AP", "PA", "PA", ""] * 10)
    document = compose(evaluated(collection, strata=("view",)), MADE_WITH)
    titles = [one.title for one in document.pictures if "t-SNE" in one.title]
    assert titles == [
        f"t-SNE of {system} by {column}"
        for system in ("near class", "random")
        for column in ("class", "labels", "view")
    ]


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    collection = collection_of(["a", "b"] * 10, paths=pictures(tmp_path, 20))
    told: list[tuple[int, int]] = []
    compose(evaluated(collection), MADE_WITH, progress=lambda done, of: told.append((done, of)))
    total = 2 * 2 + 20  # two systems by two methods, and all images
    assert told == [(done, total) for done in range(1, total + 1)]


def test_what_could_not_be_drawn_is_noted_once() -> None:
    collection = collection_of(["a", "b"] * 2)
    document = compose(evaluated(collection), MADE_WITH)
    told = [note for note in document.notes if "too few for a map" in note]
    assert told == ["4 images are too few for a map: 5 are needed"]


def test_notes_of_the_collection_stand_first() -> None:
    collection = replace(collection_of(["a", "b"] * 2), notes=("7.png is not there.",))
    notes = compose(evaluated(collection), MADE_WITH).notes
    assert notes[0] == "7.png is not there."
    assert "4 images are too few for a map: 5 are needed" in notes


def test_an_archive_of_which_nothing_is_known_is_mapped_as_a_whole() -> None:
    found = unasked(as_archive(collection_of(["a", "b"] * 30)))
    document = compose(found, MADE_WITH)
    assert document.shadow is found.shadow
    assert (document.tasks, document.judgements, document.comparisons) == ((), (), ())
    (picture,) = document.pictures
    assert picture.title == "t-SNE of near class by source"
    assert picture.says.startswith("All 60 images")


def test_more_pictures_stand_behind_ours() -> None:
    drawn = brought("ablation", "more images help", "<svg/>")
    assert drawn.uri == "data:image/svg+xml;base64,PHN2Zy8+"
    document = compose(
        evaluated(collection_of(["a", "b"] * 5)), MADE_WITH, maps=False, more=[drawn]
    )
    assert document.pictures[-1] is drawn
