"""What the content tree says, item by item, against the answer that it was made of."""

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_node.report.codes import SCHEME, Private
from dicom_node.report.document import References
from dicom_node.report.filing import ReportError
from storage.answer import Label
from tests.dicom_node.answers import (
    CARDIOMEGALY,
    DX,
    ENHANCED_CT,
    RETIRED_US,
    SPACE,
    answer,
    evidence,
    groups,
    hit,
    image,
    make,
    meaning,
    named,
    number_of,
    referenced,
    similar_group,
    study,
    walk,
)
from tests.dicom_node.report_kinds import ODD_IMAGE, ODD_LABELS, PICTURE

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_reader_gets_the_same_ranks_similarities_and_labels() -> None:
    given = answer()
    found = groups(make(given), Private.SIMILAR_STUDY)
    for group, expected in zip(found, given.hits, strict=True):
        assert number_of(group, "Rank") == expected.rank
        assert number_of(group, "Cosine similarity") == expected.similarity
        assert number_of(group, "Percentile of the similarity") == expected.percentile
        assert named(group, "Cardiomegaly")[0].ConceptCodeSequence[0].CodeMeaning == "Present"
        assert named(group, "Pneumothorax")[0].ConceptCodeSequence[0].CodeMeaning == "Absent"
        assert named(group, "Label")[0].TextValue == "Tube in place: present"
        uid = named(group, "Study Instance UID")[0].UID
        assert uid == expected.study.study_instance_uid


@pytest.mark.parametrize("similarity", [1.0, -1.0, 0.0, 1 / 3, -1e-7, 0.123456789012345678])
def test_similarity_is_told_to_the_last_bit(similarity: float) -> None:
    group = similar_group(similarity=similarity)
    assert number_of(group, "Cosine similarity") == similarity
    written = str(named(group, "Cosine similarity")[0].MeasuredValueSequence[0].NumericValue)
    assert len(written) <= 16  # the DS of Numeric Value
    assert float(written) == pytest.approx(similarity, abs=1e-9)


def test_group_says_what_the_study_is() -> None:
    group = similar_group(image=image(7, laterality="L"))
    coded = {
        meaning(i): (i.ConceptCodeSequence[0].CodeValue, i.ConceptCodeSequence[0].CodeMeaning)
        for i in group.ContentSequence
        if i.ValueType == "CODE"
    }
    assert coded["Modality"] == ("DX", "Digital Radiography")  # CID 29
    assert coded["Target Region"] == ("816094009", "Chest")  # PS3.16 annex L
    assert coded["Image Laterality"] == ("7771000", "Left")  # CID 244
    assert coded["Image View"] == ("272479007", "postero-anterior")  # CID 4010
    assert coded["Subject Sex"] == ("M", "Male")  # CID 7455
    assert number_of(group, "Subject Age") == 61
    assert named(group, "Study Date")[0].Date == "20200304"


def test_group_of_another_patient_has_another_subject() -> None:
    """TID 1006: without it, the group's findings would be the report's patient's."""
    report = make(answer())
    subjects = [
        named(group, "Subject ID")[0].TextValue for group in groups(report, Private.SIMILAR_STUDY)
    ]
    assert subjects == [f"Patient of similar study {rank}" for rank in (1, 2, 3)]
    (prior,) = groups(report, Private.PRIOR_STUDY)
    assert named(prior, "Subject ID") == []


def test_search_group_says_how_the_search_was_made() -> None:
    report = make(answer(space=replace(SPACE, weights_digest="ab12")))
    search = groups(report, Private.SIMILAR_FOUND)[0]
    assert named(search, "Algorithm Name")[0].TextValue == "baseline"
    assert named(search, "Algorithm Version")[0].TextValue == "3"
    parameters = {item.TextValue for item in named(search, "Algorithm Parameters")}
    assert parameters >= {
        "space: 0123456789abcdef",
        "weights digest: ab12",
        "window rule: 2",
        "slice rule: 1",
        "k: 10",
        "level: percentile 95",
        "filters: modality DX",
        "searched: 12345",
    }
    assert number_of(search, "Studies searched") == 12345
    assert number_of(search, "Studies returned") == 3


def test_every_group_names_the_algorithm() -> None:
    """TID 4019 is a row of each TID 1501."""
    for group in named(make(answer()), "Measurement Group"):
        assert named(group, "Algorithm Name")[0].TextValue == "baseline"
        assert named(group, "Algorithm Version")[0].TextValue == "3"


def test_library_says_how_an_image_was_chosen_from_its_series() -> None:
    rule = "middle by position of 60 slices"
    report = make(answer(image=image(1, slice_rule=rule), hits=(hit(1, 7),), priors=()))
    library = named(report, "Image Library")[0]
    entries = [item for item in walk(library) if item.ValueType == "IMAGE"]
    chosen = [[i.TextValue for i in named(entry, "Choice of the image")] for entry in entries]
    assert chosen == [[rule], []]


def test_labels_are_counted_among_the_hits_and_not_among_the_priors() -> None:
    hits = (hit(1, 101), hit(2, 102, labels=(CARDIOMEGALY,)))
    search = groups(make(answer(hits=hits)), Private.SIMILAR_FOUND)[0]
    counted = {}
    for item in named(search, "Similar studies with the label"):
        label = item.ContentSequence[0]
        code = label.get("ConceptCodeSequence")
        name = code[0].CodeMeaning if code else label.TextValue
        counted[name] = int(item.MeasuredValueSequence[0].NumericValue)
    assert counted == {"Cardiomegaly": 2, "Tube in place": 1}  # absent does not count


def test_priors_stand_in_groups_of_their_own() -> None:
    report = make(answer())
    (prior,) = groups(report, Private.PRIOR_STUDY)
    assert named(prior, "Tracking Identifier")[0].TextValue == "Prior study of the same patient 1"
    assert referenced(prior)[0].ReferencedSOPInstanceUID == "1.2.3.50.1.1"
    assert len(groups(report, Private.SIMILAR_STUDY)) == 3


def test_no_similar_study_is_a_report_too() -> None:
    report = make(answer(hits=(), priors=()))
    (search,) = named(report, "Measurement Group")
    assert groups(report, Private.NONE_FOUND) == [search]
    assert number_of(search, "Studies returned") == 0
    assert named(report, "Summary")[0].TextValue.startswith("No similar study: of 12,345 ")


def test_missing_percentile_is_said_and_not_left_out() -> None:
    item = named(similar_group(percentile=None), "Percentile of the similarity")[0]
    assert (item.ValueType, item.TextValue[:13]) == ("TEXT", "not available")


def test_picture_is_an_item_and_evidence_of_the_querys_study() -> None:
    report = make(answer(), refers_to=References(picture=PICTURE))
    (item,) = named(report, "Picture of the answer")
    assert item in list(report.ContentSequence)
    sop = item.ReferencedSOPSequence[0]
    assert (sop.ReferencedSOPClassUID, sop.ReferencedSOPInstanceUID) == (
        PICTURE.sop_class_uid,
        "1.2.10.1",
    )
    current = report.CurrentRequestedProcedureEvidenceSequence[0]
    assert [s.SeriesInstanceUID for s in current.ReferencedSeriesSequence] == [
        "1.2.3.1.1",
        "1.2.10",
    ]


def test_own_study_is_current_evidence_and_others_are_pertinent() -> None:
    report = make(answer())
    current = report.CurrentRequestedProcedureEvidenceSequence
    assert [item.StudyInstanceUID for item in current] == ["1.2.3.1"]
    other = {item.StudyInstanceUID for item in report.PertinentOtherEvidenceSequence}
    assert other == {"1.2.3.50", "1.2.3.101", "1.2.3.102", "1.2.3.103"}


def test_image_of_two_hits_stands_in_the_library_once() -> None:
    report = make(answer(hits=(hit(1, 7), hit(2, 7)), priors=()))
    library = named(report, "Image Library")[0]
    assert [r.ReferencedSOPInstanceUID for r in referenced(library)] == [
        "1.2.3.1.1.1",
        "1.2.3.7.1.1",
    ]


def test_frame_number_is_in_every_reference() -> None:
    enhanced = image(7, sop_class_uid=ENHANCED_CT, frame_number=31, modality="CT")
    report = make(answer(image=enhanced, hits=(), priors=()))
    assert [r.ReferencedFrameNumber for r in referenced(report)] == [31, 31]
    assert "ReferencedFrameNumber" not in referenced(make(answer()))[0]


def test_query_of_a_retired_class_keeps_its_class() -> None:
    report = make(answer(image=image(1, sop_class_uid=RETIRED_US, modality="US")))
    assert evidence(report)["1.2.3.1.1.1"] == ("1.2.3.1", "1.2.3.1.1", RETIRED_US)
    assert {r.ReferencedSOPClassUID for r in referenced(report)} == {RETIRED_US, DX}


@pytest.mark.parametrize("changes", [{"similarity": float("nan")}, {"percentile": float("inf")}])
def test_similarity_that_is_no_number_makes_no_report(changes: dict[str, float]) -> None:
    with pytest.raises(ReportError, match=r"study 1\.2\.3\.7 has (nan|inf)"):
        make(answer(hits=(hit(1, 7, **changes),)))


def test_odd_labels_keep_the_report_readable() -> None:
    report = make(answer(hits=(hit(1, 7, labels=ODD_LABELS),), priors=()))
    group = groups(report, Private.SIMILAR_STUDY)[0]
    texts = [item.TextValue for item in named(group, "Label")]
    assert texts == ["a\\b: undetermined", "no scheme: present"]
    assert max(len(meaning(item)) for item in walk(group)) <= 64
    schemes = [i.CodingSchemeDesignator for i in report.CodingSchemeIdentificationSequence]
    assert schemes == [SCHEME, "99SITE"]


def test_code_too_long_for_its_vr_is_a_long_code() -> None:
    """PS3.3 table 8.8-1: more than 16 characters, or a URN, have attributes of their own."""
    labels = (Label("long", 1, "1" * 17, "SCT"), Label("urn", 1, "urn:oid:1.2.3.4.5.6", "99SITE"))
    names = [i.ConceptNameCodeSequence[0] for i in walk(similar_group(labels=labels))]
    assert [n.LongCodeValue for n in names if "LongCodeValue" in n] == ["1" * 17]
    assert [n.URNCodeValue for n in names if "URNCodeValue" in n] == ["urn:oid:1.2.3.4.5.6"]


def test_unknown_modality_region_and_view_are_text() -> None:
    group = similar_group(image=image(7, **ODD_IMAGE))
    names = ("Modality", "Target Region", "Image View")
    texts = [named(group, name)[0].TextValue for name in names]
    assert texts == ["ZZ", "LEFT EAR?", "upside down"]


@pytest.mark.parametrize("date", [None, "", "no date", "20201399"])
def test_study_date_that_is_none_is_left_out(date: str | None) -> None:
    assert named(similar_group(study=study(7, study_date=date)), "Study Date") == []


def test_same_arguments_make_the_same_report() -> None:
    assert make(answer()) == make(answer())


def test_table_of_private_codes_is_published() -> None:
    rows = (DOCS / "private-codes.md").read_text().splitlines()
    cells = [[cell.strip() for cell in row.split("|")] for row in rows if row.startswith("| 1")]
    published = {cell[1]: cell[2] for cell in cells}
    assert published == {code.value.value: code.value.meaning for code in Private}
