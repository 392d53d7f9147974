"""Filters stay exact: against brute force over made archives, and case by case."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings, labels, search
from storage.answer import Answer, Label
from storage.embeddings import NewEmbedding
from storage.filters import Filters
from storage.index import VectorIndex
from storage.labels import LabelLine
from tests.storage.made import Told, add_study, add_told, reference, row_of, space, unit

ASKED = Told("9.9", unit(1, 0, 0, 0))
KNOWN = Told(
    "1.1",
    unit(1, 1, 0, 0),
    modality="DX",
    body_part="CHEST",
    view="PA",
    sex="F",
    age=40,
    study_date="20260301",
    labels=("Effusion",),
)


def _ask(connection: Connection, filters: Filters, *, k: int = 10) -> Answer:
    index = VectorIndex(space().id, 4)
    index.catch_up(connection)
    question = search.question_of_study(
        connection, row_of(connection, ASKED.uid), space=space(), k=k, level=0, filters=filters
    )
    return search.answer(connection, index, question)


def _uids(answer: Answer) -> list[str]:
    return [hit.study.study_instance_uid for hit in answer.hits]


@pytest.fixture
def archive(engine: Engine) -> Iterator[Connection]:
    """The study asked with, one that tells everything, and one that tells nothing."""
    with engine.begin() as connection:
        for told in (ASKED, KNOWN, Told("1.2", unit(1, 2, 0, 0))):
            add_told(connection, space(), told)
        yield connection


FITS = [
    Filters(modalities=("DX",)),
    Filters(modalities=("MG", "DX")),
    Filters(body_parts=("CHEST",)),
    Filters(views=("PA", "AP")),
    Filters(sex="F"),
    Filters(age_min=40),
    Filters(age_max=40),
    Filters(date_from=date(2026, 3, 1)),
    Filters(date_to=date(2026, 3, 1)),
    Filters(labels=("Edema", "Effusion")),
]
FITS_NOT = [
    Filters(modalities=("MG",)),
    Filters(body_parts=("chest",)),
    Filters(views=("AP",)),
    Filters(sex="M"),
    Filters(age_min=41),
    Filters(age_max=39),
    Filters(date_from=date(2026, 3, 2)),
    Filters(date_to=date(2026, 2, 28)),
    Filters(labels=("Edema",)),
    Filters(sex="F", views=("AP",)),
]


@pytest.mark.parametrize("filters", FITS)
def test_a_filter_leaves_what_fits_and_nothing_that_does_not_tell(
    archive: Connection, filters: Filters
) -> None:
    answer = _ask(archive, filters)
    assert (_uids(answer), answer.searched, answer.filters) == (["1.1"], 1, filters.told())


@pytest.mark.parametrize("filters", FITS_NOT)
def test_a_filter_that_nothing_fits_leaves_nothing(archive: Connection, filters: Filters) -> None:
    answer = _ask(archive, filters)
    assert (answer.hits, answer.searched) == ((), 0)


def test_no_filter_asks_for_nothing(archive: Connection) -> None:
    answer = _ask(archive, Filters())
    assert (_uids(answer), answer.searched, answer.filters) == (["1.1", "1.2"], 2, {})
    assert not Filters()


@pytest.mark.parametrize("value", [0, -1])
def test_a_label_that_is_absent_or_uncertain_does_not_fit(archive: Connection, value: int) -> None:
    labels.store(archive, [LabelLine("1.2", Label("Mass", value))], source="made")
    assert _ask(archive, Filters(labels=("Mass",))).hits == ()


@pytest.mark.parametrize("said", ["2026-03-01", "march", "", "202603011", "2026030"])
def test_a_study_date_that_is_none_fits_no_day(archive: Connection, said: str) -> None:
    add_told(archive, space(), Told("1.3", unit(1, 3, 0, 0), study_date=said))
    wide = Filters(date_from=date(1, 1, 1), date_to=date(9999, 12, 31))
    assert _uids(_ask(archive, wide)) == ["1.1"]


def test_the_dots_of_an_old_date_do_not_hide_it(archive: Connection) -> None:
    add_told(archive, space(), Told("1.3", unit(1, 3, 0, 0), study_date="1993.08.22"))
    day = date(1993, 8, 22)
    assert _uids(_ask(archive, Filters(date_from=day, date_to=day))) == ["1.3"]


def _add_two_views(connection: Connection) -> None:
    """A study of a frontal DX, the nearer one, and a lateral CR."""
    study = add_study(connection, space(), "1.4", [])
    frontal = replace(reference("1.4.1.1", "DX"), view="PA")
    lateral = replace(reference("1.4.1.2", "CR"), view="LATERAL")
    new = [
        NewEmbedding(frontal, unit(1, 0, 0, 0), b"png", {}),
        NewEmbedding(lateral, unit(1, 9, 0, 0), b"png", {}),
    ]
    embeddings.replace(connection, space=space(), study_id=study, new=new)


def test_modality_body_part_and_view_must_be_those_of_one_image(archive: Connection) -> None:
    _add_two_views(archive)
    assert _ask(archive, Filters(modalities=("DX",), views=("LATERAL",))).hits == ()
    assert _uids(_ask(archive, Filters(modalities=("CR",), views=("LATERAL",)))) == ["1.4"]


def test_a_hit_is_the_image_that_fits_though_another_is_nearer(archive: Connection) -> None:
    _add_two_views(archive)
    (hit,) = _ask(archive, Filters(views=("LATERAL",))).hits
    assert hit.image.sop_instance_uid == "1.4.1.2"
    assert hit.similarity == pytest.approx(82**-0.5, abs=1e-6)


def test_priors_are_listed_whatever_the_filters_are(engine: Engine) -> None:
    with engine.begin() as connection:
        for uid in ("9.9", "1.1"):
            add_told(connection, space(), replace(ASKED, uid=uid))
        connection.exec_driver_sql("UPDATE studies SET patient_id = 'P'")
        answer = _ask(connection, Filters(sex="M"))
        assert [prior.study.study_instance_uid for prior in answer.priors] == ["1.1"]


def test_what_fits_is_found_behind_any_number_of_nearer_ones(archive: Connection) -> None:
    for number in range(400):
        add_told(archive, space(), Told(f"2.{number}", unit(1, number / 1000, 0, 0), sex="M"))
    assert _uids(_ask(archive, Filters(sex="F"), k=1)) == ["1.1"]


some = st.lists(st.sampled_from(["A", "B"]), max_size=2, unique=True).map(tuple)
ages, days = st.none() | st.integers(0, 3), st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 4))
kinds = st.builds(
    Filters,
    modalities=st.just(()) | st.just(("CR",)) | st.just(("CR", "DX")),
    body_parts=some,
    views=some,
    sex=st.none() | st.sampled_from("FM"),
    age_min=ages,
    age_max=ages,
    date_from=days,
    date_to=days,
    labels=some,
)
value = st.none() | st.sampled_from("AB")
studies_told = st.builds(
    Told,
    uid=st.just(""),
    vector=st.tuples(*[st.integers(-3, 3)] * 3).map(lambda it: unit(*it, 1)),
    modality=st.sampled_from(["CR", "DX", "CT"]),
    body_part=value,
    view=value,
    sex=st.none() | st.sampled_from("FM"),
    age=ages,
    study_date=days.map(lambda day: day and f"{day:%Y%m%d}"),
    labels=some,
)


def _fits(told: Told, wish: Filters) -> bool:
    day = told.study_date and date.fromisoformat(told.study_date)
    return all(
        [
            told.modality in {"CR", "DX"},  # what a CR is comparable with
            not wish.modalities or told.modality in wish.modalities,
            not wish.body_parts or told.body_part in wish.body_parts,
            not wish.views or told.view in wish.views,
            wish.sex is None or told.sex == wish.sex,
            wish.age_min is None or (told.age is not None and told.age >= wish.age_min),
            wish.age_max is None or (told.age is not None and told.age <= wish.age_max),
            wish.date_from is None or (day and day >= wish.date_from),
            wish.date_to is None or (day and day <= wish.date_to),
            not wish.labels or set(wish.labels) & set(told.labels),
        ]
    )


@given(st.lists(studies_told, max_size=12), kinds, st.integers(1, 5))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_filtered_answers_are_those_of_brute_force(
    engine: Engine, told: list[Told], wish: Filters, k: int
) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        add_told(connection, space(), ASKED)
        archive = [replace(one, uid=f"1.{number}") for number, one in enumerate(told)]
        for one in archive:
            add_told(connection, space(), one)
        answer = _ask(connection, wish, k=k)
        fitting = [one for one in archive if _fits(one, wish)]
        query = ASKED.vector.astype(np.float64)
        nearest = sorted(fitting, key=lambda one: (-float(query @ one.vector), one.uid))
        assert _uids(answer) == [one.uid for one in nearest[:k]]
        assert answer.searched == len(fitting)
        transaction.rollback()
