"""Structured Reports: their text by section, and their coded findings as they stand."""

import highdicom as hd
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from evaluation.report_rules.rules import Rules, load
from evaluation.report_rules.structured import NoReportError, read_document
from storage.answer import Label
from tests.evaluation.report_rules.documents import (
    FINDING,
    FINDINGS,
    HISTORY,
    document,
    item,
    replacing,
)

EFFUSION = Code("60046008", "SCT", "Pleural effusion")
ABSENT, PRESENT = codes.cid240.Absent, codes.cid240.Present


@pytest.fixture(scope="module")
def rules() -> Rules:
    """Those that come along."""
    return load()


def _coded(rules: Rules, *items: Dataset) -> list[Label]:
    return list(read_document(document(*items), rules).coded)


def test_the_text_of_what_was_found_is_read(rules: Rules) -> None:
    """TID 2000: sections with text items, of which history and request are not read."""
    said = read_document(
        document(
            item("CONTAINER", HISTORY, None, item("TEXT", HISTORY, "Pneumonia.")),
            item("CONTAINER", FINDINGS, None, item("TEXT", FINDING, "Small effusion.")),
            item(
                "CONTAINER",
                Code("9", "99SITE", "Clinical Question"),
                None,
                item("TEXT", FINDING, "Mass?"),
            ),
            item(
                "CONTAINER",
                codes.cid7001.Impressions,
                None,
                item("TEXT", codes.cid7002.Impression, "Effusion."),
            ),
            item("TEXT", codes.cid7002.Recommendation, "CT to exclude a mass."),
            item("TEXT", Code("1", "99SITE", "Person"), "Dr. Mass", relation="HAS OBS CONTEXT"),
        ),
        rules,
    )
    assert said.study_instance_uid == "1.2.3"
    assert said.texts == ("Small effusion.", "Effusion.")


@pytest.mark.parametrize(
    ("presence", "value"),
    [
        (None, 1),
        (PRESENT, 1),
        (ABSENT, 0),
        (codes.cid240.Undetermined, -1),
        (Code("G-A203", "SRT", "Present"), 1),
    ],
)
def test_a_coded_finding_is_taken_as_it_is(rules: Rules, presence: Code | None, value: int) -> None:
    name = Code("1", "99SITE", "Presence")
    children = [] if presence is None else [item("CODE", name, presence)]
    found = _coded(rules, item("CODE", FINDING, EFFUSION, *children))
    assert found == [Label("Pleural effusion", value, "60046008", "SCT")]


def test_a_concept_may_be_said_to_be_absent(rules: Rules) -> None:
    assert _coded(rules, item("CODE", EFFUSION, ABSENT)) == [
        Label("Pleural effusion", 0, "60046008", "SCT")
    ]


def test_other_coded_items_are_no_findings(rules: Rules) -> None:
    site = item("CODE", Code("363698007", "SCT", "Finding Site"), Code("39607008", "SCT", "Lung"))
    previous = item("CODE", codes.cid7002.PreviousFinding, EFFUSION)
    history = item("CONTAINER", HISTORY, None, item("CODE", FINDING, EFFUSION))
    assert _coded(rules, site, previous, history) == []


def test_a_measurement_group_of_tid_1500_is_read(rules: Rules) -> None:
    """Made by highdicom: the Finding of a measurement group is a finding."""
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), "1"),
        finding_type=hd.sr.CodedConcept(*EFFUSION[:3]),
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(
                hd.sr.CodedConcept("36118008", "SCT", "Pneumothorax"), ABSENT
            )
        ],
    )
    container = item("CONTAINER", codes.DCM.ImagingMeasurements, None, *group)
    assert _coded(rules, container) == [
        Label("Pleural effusion", 1, "60046008", "SCT"),
        Label("Pneumothorax", 0, "36118008", "SCT"),
    ]


def test_what_a_document_replaces_is_told(rules: Rules) -> None:
    said = read_document(document(PredecessorDocumentsSequence=replacing("1.2.3.7")), rules)
    assert (said.sop_instance_uid, said.replaces) == ("1.2.3.9", frozenset({"1.2.3.7"}))


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (document(SOPClassUID="1.2.840.10008.5.1.4.1.1.1"), "no report of findings"),
        (document(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67"), "no report of findings"),
        (Dataset(), r"\(SOP class missing\)"),
        (document(StudyInstanceUID=""), "without Study Instance UID"),
        (document(item("CODE", Code("110", "99LIKENESS", "x"), EFFUSION)), "an answer of Likeness"),
    ],
)
def test_what_is_no_report_is_told(rules: Rules, dataset: Dataset, expected: str) -> None:
    with pytest.raises(NoReportError, match=expected):
        read_document(dataset, rules)


def test_a_document_without_content_says_nothing(rules: Rules) -> None:
    said = read_document(document(), rules)
    assert (said.texts, said.coded) == ((), ())


def test_a_document_of_another_toolkit_is_read(rules: Rules) -> None:
    """DCMTK's sample: items by reference, and lines that end in any way."""
    path = get_testdata_file("test-SR.dcm", download=False)
    said = read_document(dcmread(str(path)), rules)
    assert said.texts[:2] == ("A mass of", "was detected.")
    assert said.coded == ()
