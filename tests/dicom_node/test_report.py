import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from dicom_node.report.codes import SCHEME, Private, body_part_code, fit, modality_code, view_code
from dicom_node.report.device import Device
from dicom_node.report.document import make_report
from dicom_node.report.filing import DocumentReference, ReportError, assert_filed
from dicom_node.report.own import is_own_report
from dicom_node.report.text import summary
from storage.answer import Answer, Hit, ImageReference, Label, SpaceSummary, StudyRecord

ENCODINGS = Path(__file__).resolve().parents[2].parent / "shared/data/dicom/traps/encodings"
DOCS = Path(__file__).resolve().parents[2] / "docs"
DCIODVFY = Path("/usr/bin/dciodvfy")
DSRDUMP = Path("/usr/bin/dsrdump")
DX = "1.2.840.10008.5.1.4.1.1.1.1"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
RETIRED_US = "1.2.840.10008.5.1.4.1.1.6"
DEVICE = Device(uid="2.25.314159265358979", ae_title="LIKENESS", software_version="0.1.0")
CREATED = datetime(2024, 5, 6, 7, 8, 9)
SPACE = SpaceSummary(
    "0123456789abcdef", "baseline", "3", "", "resize 224", "2", "1", "mean", 768, "cosine"
)
CARDIOMEGALY = Label("Cardiomegaly", 1, "8186001", "SCT")
LABELS = (CARDIOMEGALY, Label("Tube in place"), Label("Pneumothorax", 0, "36118008", "SCT"))
QUERY_ATTRIBUTES = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Query^Patient"}]},
    "00100020": {"vr": "LO", "Value": ["QUERY"]},
    "00100030": {"vr": "DA", "Value": ["19500102"]},
    "00100040": {"vr": "CS", "Value": ["F"]},
    "00080020": {"vr": "DA", "Value": ["20240105"]},
    "00080030": {"vr": "TM", "Value": ["101112"]},
    "00080050": {"vr": "SH", "Value": ["ACC-1"]},
    "00080090": {"vr": "PN"},
    "00200010": {"vr": "SH", "Value": ["S1"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3.1"]},
}


def study(number: int, **changes: Any) -> StudyRecord:
    patient = f"P{number}"
    attributes = {"00100020": {"vr": "LO", "Value": [patient]}}
    uid = f"1.2.3.{number}"
    record = StudyRecord(number, uid, patient, "", "M", 61, "20200304", "chest", attributes)
    return replace(record, **changes)


def image(number: int, **changes: Any) -> ImageReference:
    uid = f"1.2.3.{number}"
    return replace(
        ImageReference(f"{uid}.1", DX, f"{uid}.1.1", None, "DX", "CHEST", "PA"), **changes
    )


def hit(rank: int, number: int, **changes: Any) -> Hit:
    similarity = 0.987654321 - rank / 64
    return replace(
        Hit(rank, study(number), image(number), similarity, 99.5 - rank, LABELS), **changes
    )


def answer(**changes: Any) -> Answer:
    query = study(1, patient_id="QUERY", attributes=QUERY_ATTRIBUTES)
    hits = tuple(hit(rank, 100 + rank) for rank in range(1, 4))
    priors = (hit(1, 50, study=study(50, patient_id="QUERY")),)
    default = Answer(query, image(1), SPACE, 12345, 10, 95.0, hits, priors, {"modality": "DX"})
    return replace(default, **changes)


def with_attributes(**elements: dict[str, Any] | None) -> Answer:
    """The answer to a query whose header has other elements; None takes one away."""
    changed = QUERY_ATTRIBUTES | {tag[1:]: element for tag, element in elements.items()}
    attributes = {tag: element for tag, element in changed.items() if element is not None}
    return answer(query=replace(answer().query, attributes=attributes))


def make(given: Answer, **changes: Any) -> Dataset:
    """A report as a reader gets it: written, and read again."""
    arguments = {"sop_instance_uid": "1.2.9.1.1", "series_instance_uid": "1.2.9.1"} | changes
    report = make_report(given, device=DEVICE, created=CREATED, **arguments)
    buffer = BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from walk(child)


def meaning(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def named(item: Dataset, name: str) -> list[Dataset]:
    return [child for child in walk(item) if meaning(child) == name]


def number_of(item: Dataset, name: str) -> float:
    measured = named(item, name)[0].MeasuredValueSequence[0]
    return float(measured.get("FloatingPointValue", measured.NumericValue))


def groups(report: Dataset, finding: Private) -> list[Dataset]:
    """The measurement groups whose Finding is a code of ours, in the order of the document."""
    return [
        group
        for group in named(report, "Measurement Group")
        if named(group, "Finding")[0].ConceptCodeSequence[0].CodeValue == finding.value.value
    ]


def evidence(report: Dataset) -> dict[str, tuple[str, str, str]]:
    """SOP Instance UID → study, series and SOP class of everything listed as evidence."""
    listed = [
        *report.get("CurrentRequestedProcedureEvidenceSequence", []),
        *report.get("PertinentOtherEvidenceSequence", []),
    ]
    return {
        sop.ReferencedSOPInstanceUID: (
            item.StudyInstanceUID,
            series.SeriesInstanceUID,
            sop.ReferencedSOPClassUID,
        )
        for item in listed
        for series in item.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }


def referenced(item: Dataset) -> list[Dataset]:
    return [i.ReferencedSOPSequence[0] for i in walk(item) if i.ValueType == "IMAGE"]


def test_header_is_the_querys_and_the_document_is_preliminary() -> None:
    report = make(answer())
    assert report.SOPClassUID == Comprehensive3DSRStorage
    assert report.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (report.Modality, report.SpecificCharacterSet) == ("SR", "ISO_IR 192")
    assert (report.PatientID, report.PatientName) == ("QUERY", "Query^Patient")
    assert (report.StudyInstanceUID, report.SeriesInstanceUID) == ("1.2.3.1", "1.2.9.1")
    assert (report.StudyDate, report.AccessionNumber) == ("20240105", "ACC-1")
    flags = (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag)
    assert flags == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")
    assert (report.ContentDate, report.ContentTime) == ("20240506", "070809")


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


def test_group_says_what_the_study_is() -> None:
    group = groups(make(answer()), Private.SIMILAR_STUDY)[0]
    coded = {
        meaning(i): (i.ConceptCodeSequence[0].CodeValue, i.ConceptCodeSequence[0].CodeMeaning)
        for i in group.ContentSequence
        if i.ValueType == "CODE"
    }
    assert coded["Modality"] == ("DX", "Digital Radiography")  # CID 29
    assert coded["Target Region"] == ("816094009", "Chest")  # PS3.16 annex L
    assert coded["Image View"] == ("272479007", "postero-anterior")  # CID 4010
    assert coded["Subject Sex"] == ("M", "Male")  # CID 7455
    assert number_of(group, "Subject Age") == 61
    assert named(group, "Study Date")[0].Date == "20200304"


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


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "3 similar studies found among 12,345 comparable studies of other patients."),
        ({}, "The first is at percentile 98.5 (cosine similarity 0.972)."),
        ({}, "Labels: Cardiomegaly 3 of 3, Tube in place 3 of 3."),
        ({}, "1 prior study of the same patient listed apart."),
        ({"hits": (hit(1, 2, percentile=None),)}, "too small for a percentile"),
        ({"hits": ()}, "none reaches percentile 95 of similarity."),
        ({"hits": (), "searched": 0}, "there was no comparable study of another patient"),
        ({"hits": ()}, "not reviewed by a person; not for diagnosis."),
    ],
)
def test_summary_reads_as_english(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in summary(answer(**changes))


def test_missing_percentile_is_said_and_not_left_out() -> None:
    group = groups(make(answer(hits=(hit(1, 2, percentile=None),))), Private.SIMILAR_STUDY)[0]
    item = named(group, "Percentile of the similarity")[0]
    assert (item.ValueType, item.TextValue[:13]) == ("TEXT", "not available")


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_hits_in_any_order_file_under_the_query(data: st.DataObject) -> None:
    """Hits that share studies, series, images and even the query's image, shuffled."""
    numbers = data.draw(st.lists(st.integers(1, 6), max_size=5))
    series = data.draw(st.lists(st.integers(1, 2), min_size=5, max_size=5))
    frames = data.draw(st.lists(st.none() | st.integers(1, 3), min_size=5, max_size=5))
    all_hits = [
        hit(rank, n, image=image(n, series_instance_uid=f"1.2.3.{n}.{s}",
                                 sop_instance_uid=f"1.2.3.{n}.{s}.1", frame_number=f))
        for rank, (n, s, f) in enumerate(zip(numbers, series, frames, strict=False), start=1)
    ]  # fmt: skip
    cut = data.draw(st.integers(0, len(all_hits)))
    hits, priors = data.draw(st.permutations(all_hits[:cut])), all_hits[cut:]
    report = make(answer(hits=tuple(hits), priors=tuple(priors)))

    assert (report.PatientID, report.StudyInstanceUID) == ("QUERY", "1.2.3.1")
    assert (report.StudyDate, report.AccessionNumber) == ("20240105", "ACC-1")
    listed = evidence(report)
    expected = {"1.2.3.1.1.1": ("1.2.3.1", "1.2.3.1.1", DX)} | {
        h.image.sop_instance_uid: (h.study.study_instance_uid, h.image.series_instance_uid, DX)
        for h in all_hits
    }
    assert listed == expected
    assert {r.ReferencedSOPInstanceUID for r in referenced(report)} == set(expected)
    ranks = [number_of(group, "Rank") for group in groups(report, Private.SIMILAR_STUDY)]
    assert ranks == sorted(h.rank for h in hits)


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
    given = answer(image=image(1, sop_class_uid=RETIRED_US, modality="US"))
    report = make(given)
    assert evidence(report)["1.2.3.1.1.1"] == ("1.2.3.1", "1.2.3.1.1", RETIRED_US)
    assert {r.ReferencedSOPClassUID for r in referenced(report)} == {RETIRED_US, DX}


@pytest.mark.parametrize(
    ("tag", "keyword"),
    [
        ("_00080050", "AccessionNumber"),
        ("_00100030", "PatientBirthDate"),
        ("_00100040", "PatientSex"),
        ("_00200010", "StudyID"),
        ("_00080020", "StudyDate"),
        ("_00080030", "StudyTime"),
        ("_00080090", "ReferringPhysicianName"),
        ("_00100010", "PatientName"),
    ],
)
def test_missing_type_2_attribute_is_written_empty(tag: str, keyword: str) -> None:
    report = make(with_attributes(**{tag: None}))
    assert keyword in report
    assert not report[keyword].value


@pytest.mark.parametrize(
    ("tag", "element", "keyword"),
    [
        ("_00080020", {"vr": "DA", "Value": ["no date"]}, "StudyDate"),
        ("_00100030", {"vr": "DA", "Value": ["19501399"]}, "PatientBirthDate"),
        ("_00080030", {"vr": "TM", "Value": ["noon"]}, "StudyTime"),
        ("_00100040", {"vr": "CS", "Value": ["FEMALE"]}, "PatientSex"),
    ],
)
def test_value_that_its_vr_forbids_is_written_empty(
    tag: str, element: dict[str, Any], keyword: str
) -> None:
    assert not make(with_attributes(**{tag: element}))[keyword].value


def test_unreadable_attribute_is_left_out() -> None:
    report = make(with_attributes(_00101030={"vr": "DS", "Value": ["seventy"]}))
    assert "PatientWeight" not in report
    assert report.PatientID == "QUERY"


def test_too_long_accession_number_files_as_it_came() -> None:
    number = "ACCESSION-NUMBER-OF-A-CARELESS-RIS"
    report = make(with_attributes(_00080050={"vr": "SH", "Value": [number]}))
    assert report.AccessionNumber == number


@pytest.mark.parametrize(
    "element",
    [
        {"_00100020": {"vr": "LO", "Value": ["ANOTHER"]}},
        {"_0020000D": {"vr": "UI", "Value": ["1.2.3.999"]}},
    ],
)
def test_attributes_of_another_patient_or_study_make_no_report(
    element: dict[str, dict[str, Any]],
) -> None:
    with pytest.raises(ReportError, match=r"study 1\.2\.3\.1: its stored attributes name"):
        make(with_attributes(**element))


@pytest.mark.parametrize(
    "keyword", ["PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "AccessionNumber"]
)
def test_report_of_another_patient_or_study_never_leaves(keyword: str) -> None:
    query, report = make(answer()), make(answer())
    setattr(report, keyword, "19990909" if keyword == "StudyDate" else "1.9.9")
    with pytest.raises(ReportError, match=f"would be filed under {keyword} "):
        assert_filed(report, query)


@pytest.mark.parametrize("changes", [{"similarity": float("nan")}, {"percentile": float("inf")}])
def test_similarity_that_is_no_number_makes_no_report(changes: dict[str, float]) -> None:
    with pytest.raises(ReportError, match=r"study 1\.2\.3\.7 has (nan|inf)"):
        make(answer(hits=(hit(1, 7, **changes),)))


@pytest.mark.parametrize(
    "components",
    [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
        {"Alphabetic": "Διονυσιος"},
        {"Alphabetic": "قباني^لنزار"},
    ],
)
def test_names_of_every_script_survive(components: dict[str, str]) -> None:
    report = make(with_attributes(_00100010={"vr": "PN", "Value": [components]}))
    assert str(report.PatientName) == "=".join(components.values())


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["arabic", "greek", "shift-jis", "utf8"])
def test_names_of_real_files_survive_in_utf_8(name: str) -> None:
    path = ENCODINGS / f"Lena-{name}.dcm"
    if not path.exists():
        pytest.skip("no real images beside the checkout")
    header = pydicom.dcmread(path, stop_before_pixels=True)
    header.StudyInstanceUID, header.PatientID = "1.2.3.1", "QUERY"
    given = answer(query=replace(answer().query, attributes=header.to_json_dict()))
    report = make(given)
    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert str(report.PatientName) == str(header.PatientName)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("Cardiomegaly", 64, "Cardiomegaly"),
        ("x" * 64, 64, "x" * 64),
        ("x" * 65, 64, "x" * 61 + "..."),
        ("ab\\cd", 64, "ab/cd"),
        ("two\r\nlines\x1b", 64, "two lines"),
        ("abe\u0301fghi", 6, "ab..."),  # the accent would be parted from its letter
        ("abcd efgh", 8, "abcd..."),
    ],
)
def test_text_is_made_to_fit_its_vr(text: str, limit: int, expected: str) -> None:
    assert fit(text, limit) == expected
    assert len(expected) <= limit


def test_odd_labels_keep_the_report_readable() -> None:
    long = Label(
        "A finding with a name far longer than the LO of Code Meaning takes " * 2, 1, "1", "SCT"
    )
    odd = (
        long,
        Label("a\\b\x00", -1),
        Label("no scheme", 1, "123"),
        Label("site", 1, "7", "99SITE"),
    )
    report = make(answer(hits=(hit(1, 7, labels=odd),), priors=()))
    group = groups(report, Private.SIMILAR_STUDY)[0]
    texts = [item.TextValue for item in named(group, "Label")]
    assert texts == ["a\\b: undetermined", "no scheme: present"]
    assert max(len(meaning(item)) for item in walk(group)) <= 64
    schemes = [i.CodingSchemeDesignator for i in report.CodingSchemeIdentificationSequence]
    assert schemes == [SCHEME, "99SITE"]


def test_unknown_modality_region_and_view_are_text() -> None:
    strange = image(7, modality="ZZ", body_part="LEFT EAR?", view="upside down")
    group = groups(make(answer(hits=(hit(1, 7, image=strange),))), Private.SIMILAR_STUDY)[0]
    names = ("Modality", "Target Region", "Image View")
    texts = [named(group, name)[0].TextValue for name in names]
    assert texts == ["ZZ", "LEFT EAR?", "upside down"]


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (body_part_code("CHEST"), "816094009"),
        (body_part_code("CSPINE"), "122494005"),
        (body_part_code("Knee"), "72696002"),
        (body_part_code(""), None),
        (view_code("ap"), "399348003"),
        (view_code("MLO"), "399368009"),
        (view_code(None), None),
        (modality_code("MR"), "MR"),
        (modality_code("OT"), "OT"),
        (modality_code("??"), None),
    ],
)
def test_defined_terms_have_the_codes_of_the_standard(code: Any, value: str | None) -> None:
    assert (code.value if code else None) == value


def test_no_other_patient_is_named() -> None:
    record = study(7, description="CT of Mr Other^Person", patient_id="OTHER-ID")
    buffer = BytesIO()
    make(answer(hits=(hit(1, 7, study=record),))).save_as(buffer)
    assert b"OTHER-ID" not in buffer.getvalue()
    assert b"Other^Person" not in buffer.getvalue()


def test_same_arguments_make_the_same_bytes() -> None:
    first, second = BytesIO(), BytesIO()
    make(answer()).save_as(first)
    make(answer()).save_as(second)
    assert first.getvalue() == second.getvalue()


def test_revision_names_its_predecessor() -> None:
    old = DocumentReference("1.2.3.1", "1.2.8", Comprehensive3DSRStorage, "1.2.8.1")
    (item,) = make(answer(), predecessor=old).PredecessorDocumentsSequence
    series = item.ReferencedSeriesSequence[0]
    assert (item.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2.3.1", "1.2.8")
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.8.1"


def test_own_report_is_known_by_its_header() -> None:
    report = make(answer())
    fields = {"SOPClassUID": report.SOPClassUID, "DeviceSerialNumber": DEVICE.uid}
    assert is_own_report(report, DEVICE.uid)
    assert is_own_report(fields, DEVICE.uid)
    assert not is_own_report(report, "2.25.1")
    assert not is_own_report({"SOPClassUID": DX, "DeviceUID": DEVICE.uid}, DEVICE.uid)
    assert not is_own_report({}, DEVICE.uid)
    observer = named(report, "Device Observer UID")[0].UID
    assert observer == DEVICE.uid


def test_table_of_private_codes_is_published() -> None:
    rows = (DOCS / "private-codes.md").read_text().splitlines()
    cells = [[cell.strip() for cell in row.split("|")] for row in rows if row.startswith("| 1")]
    published = {cell[1]: cell[2] for cell in cells}
    assert published == {code.value.value: code.value.meaning for code in Private}


KINDS = {
    "hits": answer(),
    "no hits": answer(hits=(), priors=()),
    "no percentile": answer(hits=(hit(1, 2, percentile=None),)),
    "frames": answer(image=image(1, sop_class_uid=ENHANCED_CT, frame_number=9, modality="CT")),
    "query among priors": answer(priors=(hit(1, 1),)),
    "bare header": answer(query=replace(answer().query, attributes={})),
    "japanese": with_attributes(
        _00100010={
            "vr": "PN",
            "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}],
        }
    ),
    "odd text": answer(
        hits=(hit(1, 7, labels=(Label("x" * 99, 1, "1" * 40, "SCT"), Label("a\\b"))),),
        image=image(1, body_part="LEFT EAR?", view="?", modality="ZZ"),
    ),
}


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy (package dicom3tools) is not here")
@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    make(KINDS[kind]).save_as(path)
    judged = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
    lines = judged.stderr.splitlines()
    assert "Comprehensive3DSR" in lines
    assert [line for line in lines if line.startswith("Error")] == []
    # It knows no scheme of ours, and a query without name or id stays without.
    allowed = ("Unrecognized defined term <99LIKENESS>", "needed to build DICOMDIR")
    assert [w for w in lines if w.startswith("Warning") and not any(a in w for a in allowed)] == []


@pytest.mark.skipif(not DSRDUMP.exists(), reason="dsrdump (package dcmtk) is not here")
def test_dsrdump_shows_hits_in_rank_order(tmp_path: Path) -> None:
    path = tmp_path / "report.dcm"
    hits = (hit(2, 102), hit(3, 103, similarity=-0.25), hit(1, 101))
    make(answer(hits=hits, priors=())).save_as(path)
    shown = subprocess.run([DSRDUMP, "+Pl", path], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in shown.stdout.splitlines()]
    assert [x.split("=")[1][:3] for x in lines if '"Rank")' in x] == ['"1"', '"2"', '"3"']
    similar = [float(x.split('"')[3]) for x in lines if '"Cosine similarity")' in x]
    assert similar == pytest.approx([0.972029321, 0.956404321, -0.25])
    assert sum('"Cardiomegaly")=(52101004,SCT,"Present")' in x for x in lines) == 3
