"""More like these, less like those; several studies in one question."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import audit, feedback, search
from storage.answer import Answer, Refined
from storage.index import VectorIndex
from storage.search import Marks, NoSuchStudyError, SearchError, Wish, WishError
from tests.storage.made import add_study, row_of, space, unit

ANN = "http:orthanc/ann"


def _ask(connection: Connection, wish: Wish, *, study: str = "1.1", level: float = 0.0) -> Answer:
    index = VectorIndex(space().id, 4)
    index.catch_up(connection)
    question = search.question_of_study(
        connection, row_of(connection, study), space=space(), k=wish.k or 10, level=level
    )
    question = search.wished(connection, question, wish, reader=ANN)
    return search.answer(connection, index, question)


def _uids(answer: Answer) -> list[str]:
    return [hit.study.study_instance_uid for hit in answer.hits]


@pytest.fixture
def archive(engine: Engine) -> Engine:
    """The query along the first axis, and studies between it and the others."""
    vectors = {
        "1.1": [unit(1, 0, 0, 0)],
        "1.2": [unit(4, 3, 0, 0)],
        "1.3": [unit(4, 0, 3, 0)],
        "1.4": [unit(1, 2, 0, 0)],
        "1.5": [unit(1, 0, 2, 0)],
    }
    with engine.begin() as connection:
        for uid, images in vectors.items():
            add_study(connection, space(), uid, images)
        add_study(connection, space(), "2.1", [unit(1, 0, 0, 0)], modality="CT")
        add_study(connection, space(), "2.2", [])
    return engine


def test_a_question_is_moved_as_the_textbook_says(archive: Engine) -> None:
    """q' = q + 0.75 (.8, .6, 0) - 0.15 (.8, 0, .6) = (1.48, .45, -.09), by hand; 1.3 leaves."""
    moved = np.array([1.48, 0.45, -0.09])
    others = {
        "1.2": (0.8, 0.6, 0),
        "1.4": (5**-0.5, 2 * 5**-0.5, 0),
        "1.5": (5**-0.5, 0, 2 * 5**-0.5),
    }
    expected = sorted(others, key=lambda uid: -float(moved @ np.array(others[uid])))
    with archive.begin() as connection:
        plain = _ask(connection, Wish())
        answer = _ask(connection, Wish(marks=Marks(("1.2",), ("1.3",))))
    assert _uids(plain) == ["1.2", "1.3", "1.4", "1.5"]
    assert _uids(answer) == expected == ["1.2", "1.4", "1.5"]
    assert answer.refined == Refined(("1.2",), ("1.3",))


def test_similarities_stay_those_of_the_images(archive: Engine) -> None:
    with archive.begin() as connection:
        answer = _ask(connection, Wish(marks=Marks(more=("1.5",))))
    told = {hit.study.study_instance_uid: hit.similarity for hit in answer.hits}
    assert told == pytest.approx({"1.2": 0.8, "1.3": 0.8, "1.4": 5**-0.5, "1.5": 5**-0.5})
    assert _uids(answer) == ["1.3", "1.5", "1.2", "1.4"]
    assert answer.searched == 4


def test_each_query_image_is_moved_by_the_nearest_image_of_a_marked_study(engine: Engine) -> None:
    """The mark's second image is nearer to the second query image, and moves only that."""
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0), unit(0, 1, 0, 0)])
        add_study(connection, space(), "1.2", [unit(3, 0, 1, 0), unit(0, 3, 0, 1)])
        add_study(connection, space(), "1.3", [unit(1, 0, 1, 0)])
        add_study(connection, space(), "1.4", [unit(1, 0, 0, 1.001)])
        marks = Marks(more=("1.2",))
        assert _uids(_ask(connection, Wish(marks=marks))) == ["1.2", "1.3", "1.4"]
        question = search.question_of_study(
            connection, row_of(connection, "1.1"), space=space(), k=1, level=0
        )
        first, second = search.refined(connection, question, marks).images
    assert first.sought == pytest.approx(_towards(unit(1, 0, 0, 0), unit(3, 0, 1, 0)), abs=1e-6)
    assert second.sought == pytest.approx(_towards(unit(0, 1, 0, 0), unit(0, 3, 0, 1)), abs=1e-6)


def _towards(own: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    return unit(*(own.astype(np.float64) + 0.75 * other))


@pytest.mark.parametrize(
    ("marks", "fault", "says"),
    [
        (Marks(more=("9.9",)), NoSuchStudyError, "study 9.9 is not in this archive"),
        (Marks(less=("9.9",)), NoSuchStudyError, "study 9.9 is not in this archive"),
        (Marks(("1.2",), ("1.2",)), WishError, "study 1.2 is to be both more and less alike"),
        (Marks(more=("1.1",)), WishError, "study 1.1 is asked with"),
        (Marks(less=("2.1",)), WishError, "study 2.1 has no image that compares"),
        (Marks(more=("2.2",)), WishError, "study 2.2 has no image that compares"),
    ],
)
def test_a_mark_that_makes_no_sense_is_refused(
    archive: Engine, marks: Marks, fault: type[Exception], says: str
) -> None:
    with archive.begin() as connection, pytest.raises(fault, match=says):
        _ask(connection, Wish(marks=marks))


def _mark(connection: Connection, hit: str, verdict: feedback.Verdict, by: str = ANN) -> None:
    feedback.give(connection, query="1.1", hit=hit, verdict=verdict, given_by=by)


def test_a_reader_refines_by_the_marks_that_he_gave(archive: Engine) -> None:
    """What cannot be compared any more is told; what another said is not asked for."""
    with archive.begin() as connection:
        _mark(connection, "1.2", "similar")
        _mark(connection, "1.3", "not similar")
        _mark(connection, "2.1", "not similar")
        _mark(connection, "1.4", "not similar", by="http:orthanc/bob")
        answer = _ask(connection, Wish(marks=Marks(by_reader=True)))
        audit.record(connection, answer, asked_by=ANN)
        kept = connection.execute(text("SELECT asked_with FROM queries")).scalar_one()
    assert answer.refined == Refined(("1.2",), ("1.3",), ("2.1",), by_reader=True)
    assert _uids(answer) == ["1.2", "1.4", "1.5"]
    told = {"more": ["1.2"], "less": ["1.3"], "left_out": ["2.1"], "by_reader": True}
    assert kept == {"refined": told}


def test_a_mark_given_before_to_what_is_now_asked_with_is_left_out(archive: Engine) -> None:
    with archive.begin() as connection:
        _mark(connection, "1.2", "similar")
        _mark(connection, "1.3", "not similar")
        _mark(connection, "1.4", "similar")
        answer = _ask(connection, Wish(also=("1.2", "1.3"), marks=Marks(by_reader=True)))
    assert answer.refined == Refined(("1.4",), (), ("1.2", "1.3"), by_reader=True)
    assert sorted(_uids(answer)) == ["1.4", "1.5"]


def test_a_reader_without_marks_gets_the_plain_order(archive: Engine) -> None:
    with archive.begin() as connection:
        answer = _ask(connection, Wish(marks=Marks(by_reader=True)))
        assert _uids(answer) == _uids(_ask(connection, Wish()))
    assert answer.refined == Refined(by_reader=True)


def test_k_hits_come_though_many_were_rejected(engine: Engine) -> None:
    rejected = tuple(f"1.2.{number}" for number in range(100))
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        for uid in rejected:
            add_study(connection, space(), uid, [unit(1, 0.01, 0, 0)])
        add_study(connection, space(), "1.3", [unit(0, 1, 0, 0)])
        add_study(connection, space(), "1.4", [unit(0, 0, 1, 0)])
        answer = _ask(connection, Wish(k=2, marks=Marks(less=rejected)))
    assert sorted(_uids(answer)) == ["1.3", "1.4"]


def test_of_several_studies_the_best_image_of_any_counts(archive: Engine) -> None:
    with archive.begin() as connection:
        add_study(connection, space(), "3.1", [unit(0, 0, 1, 0)], patient="Q")
        add_study(connection, space(), "3.2", [unit(0, 0, 1, 0)], patient="Q")
        add_study(connection, space(), "3.3", [unit(1, 0, 0, 0)], patient="1.1")
        answer = _ask(connection, Wish(also=("3.1",)))
    told = [
        (uid, round(hit.similarity, 6)) for uid, hit in zip(_uids(answer), answer.hits, strict=True)
    ]
    assert told == [("1.5", 0.894427), ("1.2", 0.8), ("1.3", 0.8), ("1.4", 0.447214)]
    assert [prior.study.study_instance_uid for prior in answer.priors] == ["3.3"]
    assert (answer.searched, answer.also) == (4, ("3.1",))
    assert answer.image.sop_instance_uid == "1.1.1.1"


def test_studies_of_two_modalities_each_find_their_like(archive: Engine) -> None:
    with archive.begin() as connection:
        add_study(connection, space(), "2.3", [unit(1, 1, 0, 0)], modality="CT")
        answer = _ask(connection, Wish(also=("2.1",), k=2))
    assert _uids(answer) == ["1.2", "1.3"]
    assert answer.searched == 5


@pytest.mark.parametrize(
    ("also", "fault", "says"),
    [
        ("9.9", NoSuchStudyError, "study 9.9 is not in this archive"),
        ("2.2", SearchError, "study 2.2 has no vector in space"),
        ("1.1", WishError, "study 1.1 is asked with twice"),
    ],
)
def test_a_further_study_that_cannot_be_asked_with_is_refused(
    archive: Engine, also: str, fault: type[Exception], says: str
) -> None:
    with archive.begin() as connection, pytest.raises(fault, match=says):
        _ask(connection, Wish(also=(also,)))


def test_a_question_of_several_is_refined_as_a_whole(archive: Engine) -> None:
    with archive.begin() as connection:
        with pytest.raises(WishError, match=r"study 1\.3 is asked with"):
            _ask(connection, Wish(also=("1.3",), marks=Marks(more=("1.3",))))
        answer = _ask(connection, Wish(also=("1.3",), marks=Marks(less=("1.2",))))
    assert _uids(answer) == ["1.5", "1.4"]


def test_a_question_that_is_moved_is_of_unit_length_whatever_is_marked(archive: Engine) -> None:
    """At worst the marks stand opposite: 1 - 0.75 - 0.15 is left."""
    with archive.begin() as connection:
        add_study(connection, space(), "3.1", [-unit(1, 0, 0, 0)])
        add_study(connection, space(), "3.2", [unit(1, 0, 0, 0)])
        question = search.question_of_study(
            connection, row_of(connection, "1.1"), space=space(), k=1, level=0
        )
        moved = search.refined(connection, question, Marks(("3.1",), ("3.2",))).images[0].sought
    assert moved == pytest.approx(unit(1, 0, 0, 0))
