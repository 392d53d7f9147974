"""Pseudonymous reports: nothing in them tells which studies of other patients were found."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_node.report.captions import study_lines
from dicom_node.report.codes import Private, body_part_code, modality_code, view_code
from dicom_node.report.encoding import report_file
from dicom_node.report.privacy import grouped_age, may_be_told, similar_studies
from storage.answer import Hit, Label
from tests.dicom_node.answers import (
    CASE_NUMBER,
    answer,
    evidence,
    groups,
    hit,
    image,
    made,
    make,
    named,
    number_of,
    referenced,
    study,
)

OTHERS = ("Study Instance UID", "Study Date", "Source of Measurement")


def test_case_number_stands_in_the_place_of_the_study() -> None:
    given = answer()
    found = groups(make(given, case_number=CASE_NUMBER), Private.SIMILAR_STUDY)
    for group, expected in zip(found, given.hits, strict=True):
        number = CASE_NUMBER(expected.study.study_instance_uid)
        assert [item.TextValue for item in named(group, "Case number")] == [number]
        assert [item for name in OTHERS for item in named(group, name)] == []
        assert number_of(group, "Rank") == expected.rank


def test_only_the_patients_own_images_are_referenced() -> None:
    report = make(answer(), case_number=CASE_NUMBER)
    own = {"1.2.3.1.1.1", "1.2.3.50.1.1"}  # the query and its prior
    assert {r.ReferencedSOPInstanceUID for r in referenced(report)} == own
    assert set(evidence(report)) == own


def test_priors_stay_identified() -> None:
    identified, pseudonymous = (
        groups(make(answer(), case_number=number), Private.PRIOR_STUDY)
        for number in (None, CASE_NUMBER)
    )
    assert pseudonymous == identified
    assert named(pseudonymous[0], "Study Instance UID")[0].UID == "1.2.3.50"


@pytest.mark.parametrize(
    ("age", "told"), [(0, 0), (89, 89), (90, "90 or more"), (104, "90 or more"), (None, None)]
)
def test_high_ages_are_one_group(age: int | None, told: int | str | None) -> None:
    assert grouped_age(age) == told


@pytest.mark.parametrize(
    ("made_under", "now", "allowed"),
    [
        ("identified", "identified", True),
        ("pseudonymous", "identified", True),
        ("pseudonymous", "pseudonymous", True),
        ("identified", "pseudonymous", False),
    ],
)
def test_a_report_that_names_is_not_told_where_none_may(
    made_under: str, now: str, *, allowed: bool
) -> None:
    assert may_be_told(made_under, now) == allowed


def test_high_age_is_words_in_the_report_and_a_number_where_all_is_told() -> None:
    given = answer(hits=(hit(1, 7, study=study(7, age=97)),), priors=())
    (hidden,) = groups(make(given, case_number=CASE_NUMBER), Private.SIMILAR_STUDY)
    (told,) = groups(make(given), Private.SIMILAR_STUDY)
    assert named(hidden, "Subject Age")[0].TextValue == "90 or more"
    assert number_of(told, "Subject Age") == 97


def test_words_that_are_no_defined_term_are_not_told() -> None:
    """Sites write names where the standard asks for a code."""
    strange = image(7, modality="SMITH", body_part="MR SMITH", view="SMITH")
    (group,) = groups(
        make(answer(hits=(hit(1, 7, image=strange),)), case_number=CASE_NUMBER),
        Private.SIMILAR_STUDY,
    )
    found = [named(group, name) for name in ("Modality", "Target Region", "Image View")]
    assert found == [[], [], []]


def test_names_and_ids_of_others_are_in_no_report() -> None:
    record = study(7, description="CT of Mr Other^Person", patient_id="OTHER-ID")
    written = report_file(made(answer(hits=(hit(1, 7, study=record),))))
    assert b"OTHER-ID" not in written
    assert b"Other^Person" not in written


WORD = st.text("ABCDEFGHJKMNPQRSTVWXYZ", min_size=4, max_size=12).map("ZQX".__add__)
DIGITS = st.integers(10**8, 10**12)
DATES = st.dates(date(1960, 1, 1), date(1999, 12, 31))  # none that the report has of its own


@st.composite
def strangers(draw: st.DrawFn) -> Hit:
    """A study of somebody whose every attribute could be told from any other's."""
    root = f"2.25.{draw(DIGITS)}"
    record = study(
        draw(st.integers(1000, 9999)),
        study_instance_uid=f"{root}.1",
        patient_id=draw(WORD),
        issuer_of_patient_id=draw(WORD),
        study_date=f"{draw(DATES):%Y%m%d}",
        description=draw(WORD),
        attributes={"00100010": {"vr": "PN", "Value": [{"Alphabetic": draw(WORD)}]}},
    )
    shown = image(
        7,
        series_instance_uid=f"{root}.2",
        sop_instance_uid=f"{root}.3",
        body_part=draw(WORD),
        view=draw(WORD),
        slice_rule=draw(WORD),
    )
    return hit(draw(st.integers(1, 99)), 7, study=record, image=shown, labels=(Label("mass"),))


def secrets_of(one: Hit) -> list[str]:
    record, shown = one.study, one.image
    told: list[Any] = [record.attributes["00100010"]["Value"][0]["Alphabetic"]]
    told += [record.study_instance_uid, record.patient_id, record.issuer_of_patient_id]
    told += [record.study_date, record.description, shown.series_instance_uid]
    told += [shown.sop_instance_uid, shown.body_part, shown.view, shown.slice_rule]
    return [str(value) for value in told]


@given(found=st.lists(strangers(), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_nothing_of_other_patients_studies_is_in_the_bytes(found: list[Hit]) -> None:
    """Of each hit no UID, date, id, name or free word."""
    given = answer(hits=tuple(found), priors=())
    written = report_file(made(given, case_number=CASE_NUMBER))
    for one in found:
        assert [secret for secret in secrets_of(one) if secret.encode() in written] == []
        assert CASE_NUMBER(one.study.study_instance_uid).encode() in written


def test_tracking_uids_do_not_depend_on_the_studies_found() -> None:
    one, other = (
        make(answer(hits=(hit(1, number),)), case_number=CASE_NUMBER) for number in (7, 8)
    )
    uids = [[i.UID for i in named(report, "Tracking Unique Identifier")] for report in (one, other)]
    assert uids[0] == uids[1]


FREE_WORDS = {"body_part": "CHEST 4711-1953", "view": " pa ", "modality": "CR"}


def test_of_free_words_about_a_term_the_term_alone_is_told() -> None:
    given = answer(hits=(hit(1, 7, image=image(7, **FREE_WORDS)),), priors=())
    (shown,) = similar_studies(given, CASE_NUMBER)
    assert (shown.modality, shown.body_part, shown.view) == ("CR", "CHEST", "PA")
    assert study_lines(shown)[0] == "CR CHEST PA"
    report = make(given, case_number=CASE_NUMBER)
    (group,) = groups(report, Private.SIMILAR_STUDY)
    assert named(group, "Target Region")[0].ConceptCodeSequence[0].CodeMeaning == "Chest"
    assert "4711" not in str(report)


@given(words=st.text(max_size=20), where=st.sampled_from(["body_part", "view", "modality"]))
def test_the_sheets_caption_under_a_case_number_has_no_words_but_terms(
    words: str, where: str
) -> None:
    told = hit(1, 7, image=image(7, **{"body_part": None, "view": None, where: words}))
    (shown,) = similar_studies(answer(hits=(told,)), CASE_NUMBER)
    found = getattr(shown, where) or ""
    known = (body_part_code(found), view_code(found), modality_code(found))
    assert not found or (any(known) and found.isalpha() and found.isupper())
