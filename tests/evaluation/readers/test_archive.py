"""The site's own archive as a collection: images, vectors, patients, and whose word counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from evaluation.collection import NEGATIVE, POSITIVE, UNCERTAIN, UNSAID
from evaluation.readers.archive import read, read_archive
from evaluation.readers.archive_labels import label_matrix
from evaluation.readers.fault import ReaderError
from storage import embeddings, labels, spaces, studies
from storage.answer import ImageReference, Label
from storage.archive_images import SaidWord
from storage.embeddings import NewEmbedding
from storage.labels import LabelLine
from tests.storage.made import NODE, received, reference, row_of, space, unit

SPACE = space(3)
MADE_BY = {"scanner": "Acme CR 7"}


def _add(
    connection: Connection,
    uid: str,
    images: Sequence[ImageReference],
    *,
    patient: str = "P1",
    issuer: str = "",
    age: int | None = 50,
    header: Mapping[str, str] | None = None,
) -> None:
    """A study with a vector for each image; they point along the first, second ... axis."""
    arrived = replace(
        received(uid, f"{uid}.1.1", patient=patient, issuer=issuer),
        age=age,
        calling_ae="CR7",
        header=header,
    )
    studies.record(connection, arrived, received_by=NODE)
    spaces.use(connection, SPACE)
    new = [
        NewEmbedding(image, unit(*np.eye(3)[at % 3]), b"png", {}) for at, image in enumerate(images)
    ]
    embeddings.replace(connection, space=SPACE, study_id=row_of(connection, uid), new=new)


def _image(uid: str, series: str, **told: object) -> ImageReference:
    return replace(reference(uid), series_instance_uid=series, **told)  # type: ignore[arg-type]


@pytest.fixture
def archive(engine: Engine) -> Engine:
    """1.2 of two series and three images; 1.3 of two frames; 1.4 of an unknown patient."""
    with engine.begin() as connection:
        first = _image("1.2.1.1", "1.2.1", body_part="CHEST", view="PA")
        second = _image("1.2.1.2", "1.2.1", view="LL", laterality="L")
        _add(connection, "1.2", [first, second, _image("1.2.2.1", "1.2.2", modality="CT")])
        frames = [_image("1.3.1.1", "1.3.1", frame_number=number) for number in (3, 7)]
        _add(connection, "1.3", frames, issuer="HOSPITAL", age=None)
        _add(connection, "1.4", [_image("1.4.1.1", "1.4.1")], patient="", age=81, header=MADE_BY)
    return engine


def _say(engine: Engine, source: str, *lines: LabelLine) -> None:
    with engine.begin() as connection:
        assert labels.store(connection, lines, source=source)[1] == []


def test_every_live_image_is_there_with_its_vector(archive: Engine) -> None:
    collection, vectors = read(archive)
    assert collection.ids == ("1.2.1.1", "1.2.1.2", "1.2.2.1", "1.3.1.1#3", "1.3.1.1#7", "1.4.1.1")
    assert collection.studies == ("1.2", "1.2", "1.2", "1.3", "1.3", "1.4")
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.eye(3)[[0, 1, 2, 0, 1, 0]])


def test_a_patient_is_an_id_and_its_issuer_and_an_unknown_one_his_study(archive: Engine) -> None:
    patients = read(archive)[0].patients
    assert patients == ("P1", "P1", "P1", "HOSPITAL\\P1", "HOSPITAL\\P1", "\\study 1.4")


def test_attributes_are_told_as_far_as_they_are_kept(archive: Engine) -> None:
    collection, _ = read(archive)
    found = {name: column.tolist() for name, column in collection.attributes.items()}
    assert found == {
        "modality": ["CR", "CR", "CT", "CR", "CR", "CR"],
        "body_part": ["CHEST", "", "", "", "", ""],
        "view": ["PA", "LL", "", "", "", ""],
        "laterality": ["", "L", "", "", "", ""],
        "sex": ["F"] * 6,
        # of 1.2 only the first instance was recorded
        "source": ["CR7", "", "", "CR7", "CR7", "CR7"],
        # 1.2 and 1.3 came before it was kept
        "scanner": ["", "", "", "", "", "Acme CR 7"],
        "age_band": ["40-59", "40-59", "40-59", "", "", "80+"],
    }
    np.testing.assert_array_equal(collection.numbers["age"], [50, 50, 50, np.nan, np.nan, 81])


def test_a_retired_image_is_not_there(archive: Engine) -> None:
    with archive.begin() as connection:
        study = row_of(connection, "1.2")
        embeddings.retire_study(connection, space_id=SPACE.id, study_id=study)
    assert read(archive)[0].studies == ("1.3", "1.3", "1.4")


def test_the_finest_word_counts(archive: Engine) -> None:
    _say(
        archive,
        "a",
        LabelLine("1.2", Label("mass", 1)),
        LabelLine("1.2", Label("mass", 0), "1.2.1"),
        LabelLine("", Label("mass", -1), "", "1.2.1.1"),
        LabelLine("1.3", Label("nodule", 0)),
    )
    collection, _ = read(archive)
    assert collection.label_names == ("mass", "nodule")
    assert collection.label("mass").tolist() == [
        UNCERTAIN, NEGATIVE, POSITIVE, UNSAID, UNSAID, UNSAID,
    ]  # fmt: skip
    assert collection.label("nodule").tolist() == [
        UNSAID, UNSAID, UNSAID, NEGATIVE, NEGATIVE, UNSAID,
    ]  # fmt: skip


def test_words_that_differ_are_uncertain_and_counted(archive: Engine) -> None:
    _say(archive, "a", LabelLine("1.2", Label("mass", 1)), LabelLine("1.3", Label("mass", 1)))
    _say(archive, "b", LabelLine("1.2", Label("mass", 0)), LabelLine("1.3", Label("mass", 1)))
    found = read_archive(archive)
    assert found.collection.label("mass").tolist() == [-1, -1, -1, 1, 1, UNSAID]
    assert found.contradictions == {"mass": 1}
    assert [note.partition(": ")[2] for note in found.collection.notes] == [
        "1 images have no Patient ID; their study stands for it",
        "labels are uncertain where what is said differs: mass (1 times)",
    ]


def test_a_finer_word_contradicts_no_coarser_one(archive: Engine) -> None:
    _say(archive, "a", LabelLine("1.2", Label("mass", 1)))
    _say(archive, "b", LabelLine("1.2", Label("mass", 0), "1.2.1"))
    found = read_archive(archive)
    assert found.collection.label("mass").tolist() == [0, 0, 1, UNSAID, UNSAID, UNSAID]
    assert found.contradictions == {}


def test_sources_and_labels_can_be_chosen(archive: Engine) -> None:
    _say(archive, "a", LabelLine("1.2", Label("mass", 1)), LabelLine("1.2", Label("nodule", 1)))
    _say(archive, "b", LabelLine("1.2", Label("mass", 0)))
    collection, _ = read(archive, sources=["a"], labels=["mass"])
    assert collection.label_names == ("mass",)
    assert collection.label("mass")[0] == POSITIVE


def test_an_archive_without_labels_is_one(archive: Engine) -> None:
    collection, _ = read(archive)
    assert collection.states.shape == (6, 0)


def test_superseded_words_are_not_read(archive: Engine) -> None:
    _say(archive, "a", LabelLine("1.2", Label("mass", 1)))
    _say(archive, "a", LabelLine("1.2", Label("mass", 0)))
    assert read(archive)[0].label("mass")[0] == NEGATIVE


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"space_id": "other"}, "there is no space other; there are space-a"),
        ({"labels": ["hernia"]}, "nobody says anything of hernia, but of mass"),
        ({"sources": ["z"]}, "no labels ever came from z"),
    ],
)
def test_what_is_not_there_is_named(
    archive: Engine, asked: dict[str, object], expected: str
) -> None:
    _say(archive, "a", LabelLine("1.2", Label("mass", 1)))
    with pytest.raises(ReaderError, match=expected):
        read(archive, **asked)  # type: ignore[arg-type]


def test_an_empty_archive_is_told(engine: Engine) -> None:
    with pytest.raises(ReaderError, match="has no vector space yet"):
        read(engine)
    with engine.begin() as connection:
        spaces.use(connection, SPACE)
    with pytest.raises(ReaderError, match="no image is embedded into space-a yet"):
        read(engine)


def test_many_images_come_in_blocks(engine: Engine) -> None:
    """More than the stream and the cursor give at once, and each vector with its own image."""
    count = 6001
    with engine.begin() as connection:
        _add(connection, "1.2", [_image("1.2.1.1", "1.2.1")])
        connection.execute(
            text(
                "INSERT INTO embeddings (change, space_id, study_id, modality_group, "
                "sop_instance_uid, image, produced_by, vector) "
                "SELECT nextval('embedding_changes'), space_id, study_id, modality_group, "
                "'n' || n, image, '{}', "
                "CASE WHEN n % 2 = 0 THEN vector ELSE "
                "decode('00000000' || '0000803f' || '00000000', 'hex') END "
                "FROM embeddings, generate_series(2, :count) AS n"
            ),
            {"count": count},
        )
    collection, vectors = read(engine)
    assert (len(collection), vectors.shape) == (count, (count, 3))
    numbers = np.array([int(uid.removeprefix("n")) for uid in collection.ids[1:]])
    np.testing.assert_array_equal(vectors[1:, 1], numbers % 2)


def test_labels_agree_with_brute_force() -> None:
    """Random words on three levels: the finest level that speaks; there, words that agree."""
    random = np.random.default_rng(7)
    study_ids = random.integers(0, 4, 40)
    series = [f"{study}.{random.integers(3)}" for study in study_ids]
    instances = [f"{one}.{at // 2}" for at, one in enumerate(series)]
    places = [
        *((int(study), "", "") for study in study_ids),
        *zip(study_ids.tolist(), series, [""] * 40, strict=True),
        *zip(study_ids.tolist(), series, instances, strict=True),
        (99, "", ""),
    ]
    words = [
        SaidWord(*places[random.integers(len(places))], f"l{random.integers(3)}", int(value))
        for value in random.integers(-1, 2, 150)
    ]
    found = label_matrix(study_ids, series, instances, [words[:70], words[70:]])
    for at in range(40):
        own = [
            (int(study_ids[at]), series[at], instances[at]),
            (int(study_ids[at]), series[at], ""),
        ]
        for name in found.names:
            said = [
                {word.value for word in words if word[:3] == place and word.name == name}
                for place in (*own, (int(study_ids[at]), "", ""))
            ]
            values = next((some for some in said if some), {UNSAID})
            expected = values.pop() if len(values) == 1 else UNCERTAIN
            assert found.states[at, found.names.index(name)] == expected
