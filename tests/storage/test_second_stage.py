"""The order of an answer by slices: which studies it touches, what it tells, what stays."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings, search, slices
from storage.answer import Answer, Refined, SecondStage
from storage.embeddings import NewEmbedding
from storage.filters import Filters
from storage.index import VectorIndex
from storage.slices import NewSlices, SliceImage
from tests.storage.made import add_study, reference, row_of, space, unit

Vector = NDArray[np.float32]
X, Y, Z, W = (unit(*row) for row in np.eye(4))
NEAR, FAR, FARTHER = unit(9, 1, 0, 0), unit(5, 4, 0, 0), unit(4, 5, 0, 0)


def a_set(*vectors: Vector) -> NewSlices:
    return NewSlices(np.stack(vectors), [SliceImage(f"{at}") for at in range(len(vectors))])


def add(
    connection: Connection,
    study: str,
    middle: Vector,
    *own: Vector,
    modality: str = "CT",
    patient: str | None = None,
) -> int:
    """A study by its middle slice, and the slices of its set if there are any."""
    row = add_study(connection, space(), study, [], patient=patient)
    new = NewEmbedding(
        reference(f"{study}.1.1", modality), middle, b"", {}, a_set(*own) if own else None
    )
    embeddings.replace(connection, space=space(), study_id=row, new=[new])
    return row


def archive(connection: Connection) -> None:
    """By the middle slice 1.2, 1.3, 1.4 are nearest to 1.1; by their slices 1.4 is, then 1.2."""
    add(connection, "1.1", X, X, Z)
    add(connection, "1.2", NEAR, NEAR, W)
    add(connection, "1.3", FAR)
    add(connection, "1.4", FARTHER, X, Z)


def question(connection: Connection, study: str = "1.1", *, k: int = 10) -> search.Question:
    row = row_of(connection, study)
    return search.question_of_study(connection, row, space=space(), k=k, level=0)


def answered(connection: Connection, asked: search.Question, rerank: int = 10) -> Answer:
    index = VectorIndex(space().id, 4)
    index.catch_up(connection)
    return search.answer(connection, index, asked, rerank=rerank)


def uids(answer: Answer) -> list[str]:
    return [hit.study.study_instance_uid for hit in answer.hits]


@pytest.mark.parametrize(
    ("rerank", "k", "expected", "stage"),
    [
        (0, 9, ["1.2", "1.3", "1.4"], None),
        (9, 9, ["1.4", "1.3", "1.2"], SecondStage(2, 3, 2)),  # 1.3 has no set, and stays
        (9, 1, ["1.4"], SecondStage(2, 3, 2)),  # from beyond the first stage's k best
        (2, 9, ["1.2", "1.3", "1.4"], SecondStage(2, 2, 1)),  # 1.4 is not compared
        (1, 9, ["1.2", "1.3", "1.4"], SecondStage(2, 1, 1)),
    ],
)
def test_the_order(
    engine: Engine, rerank: int, k: int, expected: Sequence[str], stage: SecondStage | None
) -> None:
    with engine.begin() as connection:
        archive(connection)
        answer = answered(connection, question(connection, k=k), rerank)
    assert (uids(answer), answer.second_stage) == (expected, stage)
    assert [hit.rank for hit in answer.hits] == list(range(1, len(expected) + 1))


def test_both_similarities_are_told(engine: Engine) -> None:
    """Of 1.2 the best cosines are 0.9939 of X with its own, and 0 of Z."""
    with engine.begin() as connection:
        archive(connection)
        first, second, third = answered(connection, question(connection)).hits
    assert first.slice_similarity == pytest.approx(1.0)
    assert first.similarity == pytest.approx(4 / 41**0.5, abs=1e-6)
    assert second.slice_similarity is None
    assert third.slice_similarity == pytest.approx(9 / 82**0.5 / 2, abs=1e-4)
    assert third.similarity == pytest.approx(9 / 82**0.5, abs=1e-6)


def test_a_question_without_a_set_is_answered_by_images(engine: Engine) -> None:
    with engine.begin() as connection:
        archive(connection)
        answer = answered(connection, question(connection, "1.3"))
        plain = answered(connection, question(connection, "1.3"), rerank=0)
    assert answer.second_stage == SecondStage(0, 0, 0)
    assert answer == replace(plain, second_stage=answer.second_stage)


def test_slices_that_are_in_no_database_ask_as_well(engine: Engine) -> None:
    """Of a study that is only answered."""
    own = slices.as_kept(a_set(X, Z))
    with engine.begin() as connection:
        archive(connection)
        kept = answered(connection, question(connection))
        asked = question(connection)
        asked = replace(
            asked,
            study=replace(asked.study, id=0),
            images=[replace(image, slices=own) for image in asked.images],
        )
        assert answered(connection, asked).hits == kept.hits


def test_slices_of_other_modalities_do_not_compare(engine: Engine) -> None:
    with engine.begin() as connection:
        archive(connection)
        row = row_of(connection, "1.4")
        both = [
            NewEmbedding(reference("1.4.1.1", "CT"), FARTHER, b"", {}, a_set(W)),
            NewEmbedding(reference("1.4.1.2", "MR"), X, b"", {}, a_set(X, Z)),
        ]
        embeddings.replace(connection, space=space(), study_id=row, new=both)
        assert uids(answered(connection, question(connection))) == ["1.2", "1.3", "1.4"]


def test_the_patients_priors_stay_in_the_order_of_their_images(engine: Engine) -> None:
    with engine.begin() as connection:
        add(connection, "1.1", X, X, Z, patient="P")
        add(connection, "1.2", NEAR, NEAR, W, patient="P")
        add(connection, "1.4", FARTHER, X, Z, patient="P")
        answer = answered(connection, question(connection))
    assert [prior.study.study_instance_uid for prior in answer.priors] == ["1.2", "1.4"]
    assert {prior.slice_similarity for prior in answer.priors} == {None}


def test_filters_come_first(engine: Engine) -> None:
    with engine.begin() as connection:
        archive(connection)
        asked = replace(question(connection), filters=Filters(modalities=("MR",)))
        answer = answered(connection, asked)
    assert (uids(answer), answer.second_stage) == ([], SecondStage(2, 0, 0))


def test_a_study_is_asked_with_beside_another_by_whichever_is_more_alike(engine: Engine) -> None:
    with engine.begin() as connection:
        archive(connection)
        add(connection, "1.5", Y, W, W, W)
        other = search.query_study(connection, row_of(connection, "1.5"), space=space())
        asked = replace(question(connection), also=[other])
        answer = answered(connection, asked)
    told = {hit.study.study_instance_uid: hit.slice_similarity for hit in answer.hits}
    assert told["1.2"] == pytest.approx(1.0)  # W is there, for each of the three slices
    assert told["1.4"] == pytest.approx(1.0)
    assert answer.second_stage == SecondStage(5, 3, 2)


def test_what_marks_have_moved_keeps_its_order(engine: Engine) -> None:
    with engine.begin() as connection:
        archive(connection)
        marks = search.Marks(more=("1.3",))
        asked = search.refined(connection, question(connection), marks)
        answer = answered(connection, asked)
        assert answer == answered(connection, asked, rerank=0)
    assert answer.second_stage is None


def test_marks_of_which_none_is_of_use_leave_the_order_of_the_slices(engine: Engine) -> None:
    with engine.begin() as connection:
        archive(connection)
        add(connection, "2.1", X, modality="MR")
        marks = search.Marks(more=("2.1", "9.9"), by_reader=True)
        asked = search.refined(connection, question(connection), marks)
        answer = answered(connection, asked)
    assert answer.refined == Refined(left_out=("2.1", "9.9"), by_reader=True)
    assert uids(answer) == ["1.4", "1.3", "1.2"]


def test_whether_anything_is_similar_is_said_by_the_images(engine: Engine) -> None:
    """The study that slices put first is not alike by its image; another one is."""
    with engine.begin() as connection:
        archive(connection)
        for number in range(20):
            add(connection, f"2.{number}", unit(1, 3, number - 10, 3))
        asked = replace(question(connection, k=1), level=90.0)
        answer = answered(connection, asked)
        (hit,) = answer.hits
        assert hit.study.study_instance_uid == "1.4"
        assert hit.percentile is not None
        best = answered(connection, asked, rerank=0).hits[0].percentile
        assert best is not None
        between = replace(asked, level=(hit.percentile + best) / 2)
        assert hit.percentile < best
        assert uids(answered(connection, between)) == ["1.4"]
        assert uids(answered(connection, replace(asked, level=100.0))) == []
