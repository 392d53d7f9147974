"""What a question can be narrowed to, counted by hand."""

from sqlalchemy import Engine

from storage import embeddings, facets
from storage.facets import Choice, Facets
from tests.storage.made import Told, add_told, row_of, space, unit

HERE = [
    Told("1.1", unit(1, 0, 0, 0), "DX", "CHEST", "PA", "F", labels=("Effusion", "Mass")),
    Told("1.2", unit(1, 0, 0, 0), "DX", "CHEST", "AP", "M", labels=("Effusion",)),
    Told("1.3", unit(1, 0, 0, 0), "CR", "KNEE", None, "M"),
    Told("1.4", unit(1, 0, 0, 0), "CT", "HEAD", None, "O", labels=("Bleed",)),
]


def _facets(engine: Engine) -> Facets:
    with engine.connect() as connection:
        return facets.of_groups(connection, space_id=space().id, modality_groups=["radiograph"])


def test_each_choice_says_how_many_studies_have_it(engine: Engine) -> None:
    with engine.begin() as connection:
        for told in HERE:
            add_told(connection, space(), told)
    assert _facets(engine) == Facets(
        modalities=(Choice("DX", 2), Choice("CR", 1)),
        body_parts=(Choice("CHEST", 2), Choice("KNEE", 1)),
        views=(Choice("AP", 1), Choice("PA", 1)),
        sexes=(Choice("M", 2), Choice("F", 1)),
        labels=(Choice("Effusion", 2), Choice("Mass", 1)),
    )


def test_an_empty_archive_has_no_choices(engine: Engine) -> None:
    assert _facets(engine) == Facets()


def test_a_study_that_was_taken_out_is_not_counted(engine: Engine) -> None:
    with engine.begin() as connection:
        for told in HERE[:1]:
            add_told(connection, space(), told)
        row = row_of(connection, "1.1")
        embeddings.retire_study(connection, space_id=space().id, study_id=row)
    assert _facets(engine) == Facets()
