"""Labels in the database: what a source says, of several sources, and of parts of a study."""

from sqlalchemy import Engine

from storage import labels
from storage.answer import Label
from storage.labels import LabelLine
from tests.storage.made import add_study, row_of, space, unit


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


def test_what_a_source_said_of_other_findings_stands(engine: Engine) -> None:
    with engine.begin() as connection:
        study = add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)])
        for name in ("nodule", "effusion"):
            labels.store(connection, [LabelLine("1.2", Label(name))], source="a")
        found = labels.of_studies(connection, [study])
    assert [label.name for label in found[study]] == ["effusion", "nodule"]


def test_unknown_studies_are_returned_and_the_others_stored(engine: Engine) -> None:
    lines = [LabelLine(uid, Label("nodule", 1)) for uid in ("1.9", "1.2", "1.8")]
    with engine.begin() as connection:
        add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)])
        assert labels.store(connection, lines, source="a") == (1, ["1.8", "1.9"])


def test_several_images_words_are_one_label_of_the_study(engine: Engine) -> None:
    """Present if in any, else uncertain if in any; each source for itself."""
    lines = [
        LabelLine("1.2", Label("nodule", 0)),
        LabelLine("1.2", Label("nodule", 1), series_instance_uid="1.2.1"),
        LabelLine("1.2", Label("mass", 0), series_instance_uid="1.2.1"),
        LabelLine("", Label("mass", -1), sop_instance_uid="1.2.1.1"),
        LabelLine("1.2", Label("hernia", 0)),
    ]
    with engine.begin() as connection:
        study = add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)])
        assert labels.store(connection, lines, source="a") == (5, [])
        labels.store(connection, [LabelLine("1.2", Label("nodule", 0))], source="b")
        found = labels.of_studies(connection, [study])[study]
    said = [(label.name, label.value) for label in found]
    assert said == [("hernia", 0), ("mass", -1), ("nodule", 1), ("nodule", 0)]
