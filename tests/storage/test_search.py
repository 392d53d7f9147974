"""The rules of search, against brute force and by hand."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from storage import embeddings, labels, search
from storage.answer import Answer, Label
from storage.index import VectorIndex
from storage.labels import LabelLine
from storage.rules import nearest, priors, wish
from storage.rules.percentiles import similarities_between_patients
from storage.vectors.segment import Neighbour
from tests.storage.leaving import LeavingIndex
from tests.storage.made import add_study, reference, row_of, space, unit


def _ask(
    connection: Connection, study: str, *, k: int = 10, level: float = 0.0, dimension: int = 4
) -> Answer:
    in_space = space(dimension)
    index = VectorIndex(in_space.id, dimension)
    index.catch_up(connection)
    row = row_of(connection, study)
    question = search.question_of_study(connection, row, space=in_space, k=k, level=level)
    return search.answer(connection, index, question)


def _uids(answer: Answer) -> list[str]:
    return [hit.study.study_instance_uid for hit in answer.hits]


def test_hits_come_nearest_first_with_their_cosine(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, space(), "1.2", [unit(1, 1, 0, 0)])
        add_study(connection, space(), "1.3", [unit(3, 4, 0, 0)])
        answer = _ask(connection, "1.1")
        assert _uids(answer) == ["1.2", "1.3"]
        assert [hit.rank for hit in answer.hits] == [1, 2]
        assert answer.hits[0].similarity == pytest.approx(2**-0.5, abs=1e-6)
        assert answer.hits[1].similarity == pytest.approx(0.6, abs=1e-6)
        assert (answer.searched, answer.asked) == (2, 10)


def test_the_same_patient_is_no_hit_but_a_prior(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)], patient="P", issuer="A")
        add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)], patient="P", issuer="A")
        add_study(connection, space(), "1.3", [unit(1, 1, 0, 0)], patient="P", issuer="B")
        answer = _ask(connection, "1.1")
        assert _uids(answer) == ["1.3"]
        assert [prior.study.study_instance_uid for prior in answer.priors] == ["1.2"]
        assert answer.searched == 1


def test_studies_without_a_patient_id_are_not_taken_for_one_patient(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)], patient="")
        add_study(connection, space(), "1.2", [unit(1, 1, 0, 0)], patient="")
        assert _uids(_ask(connection, "1.1")) == ["1.2"]


def test_a_study_counts_by_its_best_image_once(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0), unit(0, 0, 1, 0)])
        add_study(connection, space(), "1.2", [unit(1, 1, 0, 0), unit(0, 0, 1, 0.1)])
        add_study(connection, space(), "1.3", [unit(1, 0.5, 0, 0)])
        answer = _ask(connection, "1.1")
        assert _uids(answer) == ["1.2", "1.3"]
        assert answer.hits[0].image.sop_instance_uid == "1.2.1.2"
        assert answer.image.sop_instance_uid == "1.1.1.2"


def test_each_hit_names_the_image_that_it_was_compared_with(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0), unit(0, 0, 1, 0)], patient="P")
        add_study(connection, space(), "1.2", [unit(1, 0.1, 0, 0)])
        add_study(connection, space(), "1.3", [unit(0, 0, 1, 0.2)])
        add_study(connection, space(), "1.4", [unit(0, 0, 1, 0.1)], patient="P")
        answer = _ask(connection, "1.1")
    compared = [
        (hit.study.study_instance_uid, hit.query_image and hit.query_image.sop_instance_uid)
        for hit in answer.hits + answer.priors
    ]
    assert compared == [("1.2", "1.1.1.1"), ("1.3", "1.1.1.2"), ("1.4", "1.1.1.2")]


def test_what_is_indexed_during_the_question_does_not_disturb_it(engine: Engine) -> None:
    index = VectorIndex(space().id, 4)
    with engine.begin() as connection:
        for number in range(20):
            add_study(connection, space(), f"1.{number}", [unit(1, number, 0, 0)])
        index.catch_up(connection)
    with engine.begin() as another:
        add_study(another, space(), "1.99", [unit(1, 0, 0, 0)])
    with engine.begin() as connection:
        row = row_of(connection, "1.0")
        question = search.question_of_study(connection, row, space=space(), k=3, level=0)
        answer = search.answer(connection, index, question)
    assert (_uids(answer), answer.searched) == (["1.1", "1.2", "1.3"], 19)


def test_a_study_of_very_many_images_is_searched_with_all_of_them(engine: Engine) -> None:
    images = [unit(1, number, 0, 0) for number in range(2 * nearest.IMAGES_AT_ONCE)]
    images.append(unit(0, 0, 0, 1))
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", images)
        add_study(connection, space(), "1.2", [unit(0, 0, 1, 0.5)])
        add_study(connection, space(), "1.3", [images[-1]])
        answer = _ask(connection, "1.1")
    assert _uids(answer)[0] == "1.3"
    assert answer.hits[0].similarity == pytest.approx(1.0)
    assert answer.hits[0].query_image == reference(f"1.1.1.{len(images)}")


def test_only_comparable_modalities_are_searched(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)], modality="DX")
        add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)], modality="CT")
        add_study(connection, space(), "1.3", [unit(0, 1, 0, 0)], modality="CR")
        answer = _ask(connection, "1.1")
        assert _uids(answer) == ["1.3"]
        assert answer.searched == 1


class Counting(VectorIndex):
    """An index that tells how long the shortlists were that it was asked for."""

    lengths: tuple[int, ...] = ()

    def search_each(
        self, vectors: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None
    ) -> list[list[Neighbour]]:
        self.lengths = (*self.lengths, k)
        return super().search_each(vectors, k, among=among)


def test_a_rare_modality_is_not_looked_for_through_everything(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)], modality="MG")
        add_study(connection, space(), "1.2", [unit(0, 0, 0, 1)], modality="MG")
        for number in range(3, 200):
            add_study(connection, space(), f"1.{number}", [unit(1, number, 0, 0)], modality="CT")
        index = Counting(space().id, 4)
        index.catch_up(connection)
        asked = search.question_of_study(
            connection, row_of(connection, "1.1"), space=space(), k=5, level=0.0
        )
        answer = search.answer(connection, index, asked)
    assert _uids(answer) == ["1.2"]
    assert index.lengths == (nearest.SHORTLIST,)


def test_further_studies_have_no_more_images_than_can_be_asked_with(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wish, "MOST_IMAGES", 2)
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, space(), "1.2", [unit(1, 0, 0, number) for number in range(3)])
        asked = search.question_of_study(
            connection, row_of(connection, "1.1"), space=space(), k=5, level=0.0
        )
        with pytest.raises(search.WishError, match="have 3 images, and 2 can be asked with"):
            search.wished(connection, asked, search.Wish(also=("1.2",)), reader="a")


def test_ties_break_by_study_instance_uid(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        for uid in ("1.9", "1.4", "1.7"):
            add_study(connection, space(), uid, [unit(1, 1, 0, 0)])
        assert _uids(_ask(connection, "1.1", k=2)) == ["1.4", "1.7"]


def test_ties_beyond_the_end_of_the_shortlist_are_found(engine: Engine) -> None:
    """The index lists ties by id, and the lowest UIDs came last."""
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        for number in range(90, 9, -1):
            add_study(connection, space(), f"1.2.{number}", [unit(1, 1, 0, 0)])
        answer = _ask(connection, "1.1", k=2)
    assert len(range(10, 91)) > nearest.SHORTLIST
    assert _uids(answer) == ["1.2.10", "1.2.11"]


def test_k_hits_come_though_one_patient_fills_the_shortlist(engine: Engine) -> None:
    """A hundred nearer priors must not crowd out the two studies that may be shown."""
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)], patient="P")
        for number in range(100):
            add_study(connection, space(), f"1.2.{number}", [unit(1, 0.01, 0, 0)], patient="P")
        add_study(connection, space(), "1.3", [unit(0, 1, 0, 0)])
        add_study(connection, space(), "1.4", [unit(0, 0, 1, 0)])
        answer = _ask(connection, "1.1", k=2)
        assert sorted(_uids(answer)) == ["1.3", "1.4"]
        assert (len(answer.priors), answer.priors_found) == (2, 100)


def test_labels_stand_beside_their_hit_and_are_counted(engine: Engine) -> None:
    with engine.begin() as connection:
        for uid in ("1.1", "1.2", "1.3"):
            add_study(connection, space(), uid, [unit(1, 0, 0, 0)])
        lines = [
            LabelLine("1.2", Label("effusion", 1)),
            LabelLine("1.3", Label("effusion", 1)),
            LabelLine("1.3", Label("nodule", 0)),
        ]
        assert labels.store(connection, lines, source="test") == (3, [])
        answer = _ask(connection, "1.1")
        assert answer.label_counts() == {"effusion": 2}
        assert [label.name for label in answer.hits[1].labels] == ["effusion", "nodule"]


def test_a_small_archive_gives_no_percentile(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, space(), "1.2", [unit(1, 1, 0, 0)])
        assert _ask(connection, "1.1", level=99.0).hits[0].percentile is None


def test_no_study_is_called_similar_where_the_best_is_below_the_level(engine: Engine) -> None:
    """Among random directions, an orthogonal neighbour is nothing special."""
    rng = np.random.default_rng(5)
    with engine.begin() as connection:
        for number in range(40):
            vector = unit(*rng.normal(size=3), 0.0)
            add_study(connection, space(), f"1.2.{number}", [vector])
        add_study(connection, space(), "1.1", [unit(0, 0, 0, 1)])
        answer = _ask(connection, "1.1", level=90.0)
        assert (answer.hits, answer.searched) == ((), 40)


@pytest.mark.parametrize(("value", "expected"), [(-1.0, 0.0), (49.5, 50.0), (99.0, 100.0)])
def test_a_percentile_is_the_share_of_pairs_not_above(value: float, expected: float) -> None:
    assert search.percentile(np.arange(100.0), value) == expected


def test_similarities_of_one_patient_are_no_part_of_the_archives_own() -> None:
    vectors = np.stack([unit(1, 0), unit(1, 0), unit(0, 1)])
    between = similarities_between_patients(vectors, [("P", ""), ("P", ""), ("Q", "")])
    assert between.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("k", [0, -1])
def test_asking_for_no_study_is_refused(engine: Engine, k: int) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        with pytest.raises(search.SearchError, match="at least one"):
            _ask(connection, "1.1", k=k)


def test_a_study_without_a_vector_says_so(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [])
        with pytest.raises(search.SearchError, match="not indexed yet"):
            _ask(connection, "1.1")


def _brute_force(
    vectors: dict[str, list[NDArray[np.float32]]], patients: dict[str, str], query: str, k: int
) -> list[str]:
    best = {
        uid: max(search.similarity(own, other) for own in vectors[query] for other in others)
        for uid, others in vectors.items()
        if patients[uid] != patients[query]
    }
    return sorted(best, key=lambda uid: (-best[uid], uid))[:k]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_answers_equal_brute_force(engine: Engine, data: st.DataObject) -> None:
    """Few directions, so that ties are common; several images and studies for a patient."""
    coordinate = st.integers(-2, 2)
    directions = st.tuples(*[coordinate] * 3).filter(any).map(lambda numbers: unit(*numbers))
    count = data.draw(st.integers(2, 12))
    vectors = {
        f"1.{i}": data.draw(st.lists(directions, min_size=1, max_size=3)) for i in range(count)
    }
    patients = {uid: data.draw(st.sampled_from(["P", "Q", "R", "S"])) for uid in vectors}
    k = data.draw(st.integers(1, 6))
    with engine.connect() as connection:
        connection.execute(text("TRUNCATE studies, embeddings CASCADE"))
        for uid, images in vectors.items():
            add_study(connection, space(3), uid, images, patient=patients[uid])
        answer = _ask(connection, "1.0", k=k, dimension=3)
        connection.rollback()
    assert _uids(answer) == _brute_force(vectors, patients, "1.0", k)


@pytest.mark.parametrize("said", ["YES", "NO", None])
def test_an_image_embedded_before_burned_in_annotation_was_read_is_unknown(
    said: str | None,
) -> None:
    image = replace(reference("1.2.1"), burned_in=said)
    stored = asdict(image)
    assert embeddings.image_of(stored) == image
    del stored["burned_in"]
    assert embeddings.image_of(stored).burned_in == "UNKNOWN"


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_of_many_priors_the_most_similar_are_listed_and_all_are_counted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(priors, "AT_ONCE", at_once)
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0), unit(0, 0, 0, 1)], patient="P")
        for number in range(7):  # the fourth is the most alike, then the third and the fifth
            other = unit(1, abs(number - 3) + number / 100, 0, 0)
            add_study(connection, space(), f"1.2.{number}", [other, unit(0, 0, 1, 0)], patient="P")
        add_study(connection, space(), "1.3", [unit(0, 1, 0, 0)])
        answer = _ask(connection, "1.1", k=3)
    listed = [(hit.rank, hit.study.study_instance_uid) for hit in answer.priors]
    assert listed == [(1, "1.2.3"), (2, "1.2.2"), (3, "1.2.4")]
    assert answer.priors[0].image.sop_instance_uid == "1.2.3.1.1"
    assert answer.priors[0].similarity == pytest.approx(1 / np.hypot(1, 0.03), abs=1e-6)
    assert (answer.priors_found, answer.count_priors(), len(answer.hits)) == (7, 7, 1)


def test_a_study_that_leaves_while_a_question_is_answered_is_no_hit(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        leaves = add_study(connection, space(), "1.2", [unit(9, 1, 0, 0)])
        add_study(connection, space(), "1.3", [unit(1, 1, 0, 0), unit(1, 0, 1, 0)])
    with engine.begin() as connection:
        index = LeavingIndex(connection, space(), engine=engine, study_id=leaves)
        row = row_of(connection, "1.1")
        question = search.question_of_study(connection, row, space=space(), k=2, level=0)
        answer = search.answer(connection, index, question)
    assert (_uids(answer), answer.searched) == (["1.3"], 1)


@pytest.mark.parametrize("metric", ["l2", "inner_product", "hamming"])
def test_a_space_of_another_metric_is_refused(engine: Engine, metric: str) -> None:
    """A similarity is 1 - distance, and a percentile one among cosines."""
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        other = replace(space(), metric=metric)
        row = row_of(connection, "1.1")
        question = search.question_of_study(connection, row, space=other, k=2, level=0)
        with pytest.raises(
            search.SearchError, match=f"space space-a goes by {metric}: .* cosine alone"
        ):
            search.answer(connection, VectorIndex(space().id, 4), question)
