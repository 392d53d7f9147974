"""Random hit lists in any order: always the query's patient and study, and the right references."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from dicom_node.report.codes import Private
from dicom_node.report.document import References
from storage.answer import Hit
from tests.dicom_node.answers import (
    CASE_NUMBER,
    DX,
    answer,
    evidence,
    groups,
    hit,
    image,
    make,
    number_of,
    referenced,
)
from tests.dicom_node.report_kinds import PICTURE, PREDECESSOR

QUERY = {"1.2.3.1.1.1": ("1.2.3.1", "1.2.3.1.1", DX)}
NUMBERS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 2), st.none() | st.integers(1, 3)), max_size=6
)
PREDECESSORS = st.sampled_from([None, PREDECESSOR])
PICTURES = st.sampled_from([None, PICTURE])


@st.composite
def lists_of_hits(draw: st.DrawFn) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """Hits and priors that share studies, series, images, even the query's image, shuffled."""
    found = [
        hit(rank, n, image=image(n, series_instance_uid=f"1.2.3.{n}.{s}",
                                 sop_instance_uid=f"1.2.3.{n}.{s}.1", frame_number=f))
        for rank, (n, s, f) in enumerate(draw(NUMBERS), start=1)
    ]  # fmt: skip
    cut = draw(st.integers(0, len(found)))
    return tuple(draw(st.permutations(found[:cut]))), tuple(draw(st.permutations(found[cut:])))


def places(found: tuple[Hit, ...]) -> dict[str, tuple[str, str, str]]:
    return {
        h.image.sop_instance_uid: (h.study.study_instance_uid, h.image.series_instance_uid, DX)
        for h in found
    }


def assert_of_the_query(report: Dataset) -> None:
    assert (report.PatientID, report.PatientName) == ("QUERY", "Query^Patient")
    assert (report.StudyInstanceUID, report.StudyDate) == ("1.2.3.1", "20240105")
    assert (report.AccessionNumber, report.StudyID) == ("ACC-1", "S1")


@given(lists=lists_of_hits(), predecessor=PREDECESSORS, picture=PICTURES)
@settings(max_examples=60, deadline=None)
def test_any_hits_in_any_order_file_under_the_query(
    lists: tuple[tuple[Hit, ...], tuple[Hit, ...]], predecessor: Any, picture: Any
) -> None:
    hits, priors = lists
    report = make(answer(hits=hits, priors=priors), refers_to=References(predecessor, picture))

    assert_of_the_query(report)
    expected = QUERY | places(hits + priors)
    if picture:
        expected["1.2.10.1"] = ("1.2.3.1", "1.2.10", PICTURE.sop_class_uid)
    assert evidence(report) == expected
    assert {r.ReferencedSOPInstanceUID for r in referenced(report)} == set(expected)
    assert ("PredecessorDocumentsSequence" in report) == (predecessor is not None)
    ranks = [number_of(group, "Rank") for group in groups(report, Private.SIMILAR_STUDY)]
    assert ranks == sorted(h.rank for h in hits)


@given(lists=lists_of_hits())
@settings(max_examples=40, deadline=None)
def test_pseudonymous_report_refers_to_the_patients_own_studies_alone(
    lists: tuple[tuple[Hit, ...], tuple[Hit, ...]],
) -> None:
    hits, priors = lists
    report = make(answer(hits=hits, priors=priors), case_number=CASE_NUMBER)
    assert_of_the_query(report)
    expected = QUERY | places(priors)
    assert evidence(report) == expected
    assert {r.ReferencedSOPInstanceUID for r in referenced(report)} == set(expected)
    assert len(groups(report, Private.SIMILAR_STUDY)) == len(hits)
