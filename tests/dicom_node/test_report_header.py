"""The report's header: whose it is, where it is filed, and what stands where the query is odd."""

import re
import struct
from base64 import b64encode
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from dicom_node.identity import IMPLEMENTATION_CLASS_UID
from dicom_node.received import study_facts
from dicom_node.report.document import References
from dicom_node.report.filing import (
    DocumentReference,
    ReportError,
    assert_filed,
    patient_and_study,
)
from dicom_node.report.own import is_own_report
from storage.answer import Answer, StudyRecord
from tests.dicom_node.answers import (
    DEVICE,
    DX,
    QUERY_ATTRIBUTES,
    answer,
    make,
    named,
    with_attributes,
)


def test_header_is_the_querys_and_the_document_is_preliminary() -> None:
    report = make(answer())
    assert report.SOPClassUID == Comprehensive3DSRStorage
    assert (report.Modality, report.SpecificCharacterSet) == ("SR", "ISO_IR 192")
    assert (report.PatientID, report.PatientName) == ("QUERY", "Query^Patient")
    assert (report.StudyInstanceUID, report.SeriesInstanceUID) == ("1.2.3.1", "1.2.9.1")
    assert (report.StudyDate, report.AccessionNumber) == ("20240105", "ACC-1")
    flags = (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag)
    assert flags == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")
    assert (report.ContentDate, report.ContentTime) == ("20240506", "070809")


def test_file_meta_says_who_wrote_it() -> None:
    meta = make(answer()).file_meta
    assert meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert meta.MediaStorageSOPClassUID == Comprehensive3DSRStorage
    assert meta.MediaStorageSOPInstanceUID == "1.2.9.1.1"
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID


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
        ("_00080020", {"vr": "DA", "Value": ["2024.01.05"]}, "StudyDate"),
        ("_00100030", {"vr": "DA", "Value": ["19501399"]}, "PatientBirthDate"),
        ("_00080030", {"vr": "TM", "Value": ["noon"]}, "StudyTime"),
        ("_00080030", {"vr": "TM", "Value": ["10:11:12"]}, "StudyTime"),
        ("_00100040", {"vr": "CS", "Value": ["FEMALE"]}, "PatientSex"),
        ("_00080090", {"vr": "PN", "Value": [{"Alphabetic": "x" * 65}]}, "ReferringPhysicianName"),
    ],
)
def test_value_that_its_vr_forbids_is_written_empty(
    tag: str, element: dict[str, Any], keyword: str
) -> None:
    assert not make(with_attributes(**{tag: element}))[keyword].value


@pytest.mark.parametrize(
    ("tag", "element", "keyword"),
    [
        ("_00081030", {"vr": "LO", "Value": ["x" * 65]}, "StudyDescription"),
        ("_00101010", {"vr": "AS", "Value": ["seventy"]}, "PatientAge"),
        ("_00101010", {"vr": "DS", "Value": ["seventy"]}, "PatientAge"),  # unreadable at all
        ("_00101030", {"vr": "DS", "Value": ["70"]}, "PatientWeight"),  # of the day, not the study
    ],
)
def test_what_nobody_files_by_and_breaks_its_vr_is_left_out(
    tag: str, element: dict[str, Any], keyword: str
) -> None:
    report = make(with_attributes(**{tag: element}))
    assert keyword not in report
    assert report.PatientID == "QUERY"


def test_optional_attributes_of_patient_and_study_are_kept() -> None:
    described: dict[str, dict[str, Any]] = {
        "_00081030": {"vr": "LO", "Value": ["Chest pa"]},
        "_00101010": {"vr": "AS", "Value": ["074Y"]},
        "_00080051": {
            "vr": "SQ",
            "Value": [{"00400031": {"vr": "UT", "Value": ["hospital"]}}],
        },
    }
    report = make(with_attributes(**described))
    assert (report.StudyDescription, report.PatientAge) == ("Chest pa", "074Y")
    (issuer,) = report.IssuerOfAccessionNumberSequence
    assert issuer.LocalNamespaceEntityID == "hospital"


def _binary(value: bytes, vr: str = "OB") -> dict[str, Any]:
    return {"vr": vr, "InlineBinary": b64encode(value).decode()}


@pytest.mark.parametrize(
    ("tag", "element", "keyword", "expected"),
    [
        ("_00080050", _binary(b"ABC1"), "AccessionNumber", "ABC1"),
        ("_00080050", _binary(b"ABC \0\0", "UN"), "AccessionNumber", "ABC"),
        ("_00080050", _binary(b"AB\0C"), "AccessionNumber", ""),
        ("_00080050", _binary(b"\xc3\xa4"), "AccessionNumber", ""),
        ("_00080050", {"vr": "OB", "InlineBinary": "no base64"}, "AccessionNumber", ""),
        ("_00080050", {"vr": "OW"}, "AccessionNumber", ""),
        ("_00080050", {"vr": "LO", "Value": ["ABC1"]}, "AccessionNumber", "ABC1"),
        ("_00080050", {"vr": "PN", "Value": [{"Alphabetic": "A1"}]}, "AccessionNumber", "A1"),
        ("_00080050", {"vr": "US", "Value": [7]}, "AccessionNumber", ""),
        ("_00080050", {"vr": "SQ", "Value": [{}]}, "AccessionNumber", ""),
        ("_00080050", {}, "AccessionNumber", ""),
        ("_00100010", _binary(b"Query^Patient"), "PatientName", "Query^Patient"),
        ("_00100010", {"vr": "LO", "Value": ["Query^P"]}, "PatientName", "Query^P"),
        ("_00100020", _binary(b"QUERY "), "PatientID", "QUERY"),
        ("_00080020", _binary(b"20240105"), "StudyDate", "20240105"),
        ("_00080020", _binary(b"yesterday"), "StudyDate", ""),
        ("_0020000D", _binary(b"1.2.3.1\0"), "StudyInstanceUID", "1.2.3.1"),
    ],
)
def test_element_under_another_vr_is_written_under_its_own(
    tag: str, element: dict[str, Any], keyword: str, expected: str
) -> None:
    """Its bytes are what the archive files by, so text in them stays."""
    report = make(with_attributes(**{tag: element}))
    found = report[keyword]
    assert (found.VR, str(found.value or "")) == (dictionary_VR(keyword), expected)


@pytest.mark.parametrize(
    ("element", "found"),
    [
        ({"vr": "LO", "Value": ["HOSP"]}, None),
        (_binary(b"HOSP"), None),
        ({"vr": "SQ", "Value": [{"00400031": {"vr": "OB", "InlineBinary": "SE9TUA=="}}]}, "HOSP"),
        ({"vr": "SQ", "Value": [{"00400031": {"vr": "LO", "Value": ["HOSP"]}}]}, "HOSP"),
        (
            {
                "vr": "SQ",
                "Value": [
                    {
                        "00400031": {"vr": "UT", "Value": ["HOSP"]},
                        "7FE00010": {"vr": "OB", "InlineBinary": "AAAA"},
                        "00091001": {"vr": "LO", "Value": ["private"]},
                    }
                ],
            },
            "HOSP",
        ),
    ],
)
def test_issuer_of_the_accession_number_is_written_as_it_is_defined(
    element: dict[str, Any], found: str | None
) -> None:
    report = make(with_attributes(_00080051=element))
    items = report.get("IssuerOfAccessionNumberSequence") or []
    assert [[(one.keyword, one.value) for one in item] for item in items] == (
        [] if found is None else [[("LocalNamespaceEntityID", found)]]
    )


def test_issuers_come_from_the_query_as_it_was_received() -> None:
    """PS3.3 C.7.1.1 and C.7.2.1: an archive that files by them needs them."""
    hospital, board = Dataset(), Dataset()
    hospital.LocalNamespaceEntityID = "HOSPITAL"
    board.UniversalEntityID, board.UniversalEntityIDType = "1.2.40.0", "ISO"
    header = Dataset()
    header.PatientID, header.StudyInstanceUID = "QUERY", "1.2.3.1"
    header.IssuerOfAccessionNumberSequence = [hospital]
    header.IssuerOfPatientIDQualifiersSequence = [board]
    report = make(answer(query=_record(header)))
    assert report.IssuerOfAccessionNumberSequence == [hospital]
    assert report.IssuerOfPatientIDQualifiersSequence == [board]


def test_odd_vrs_of_a_received_query_are_read_by_intake_and_report_alike() -> None:
    header = Dataset()
    header.StudyInstanceUID = "1.2.3.1"
    for keyword, value in (("PatientID", b"QUERY "), ("AccessionNumber", b"ABC1")):
        header.add_new(keyword, "OB", value)
    record = _record(header)
    report = make(answer(query=record))
    assert (record.patient_id, report.PatientID, report.AccessionNumber) == (
        "QUERY",
        "QUERY",
        "ABC1",
    )


@pytest.mark.parametrize(
    ("tag", "vr", "keyword"),
    [
        ("_00080050", "SH", "AccessionNumber"),
        ("_00200010", "SH", "StudyID"),
    ],
)
def test_too_long_identifier_files_as_it_came(tag: str, vr: str, keyword: str) -> None:
    number = "ACCESSION-NUMBER-OF-A-CARELESS-RIS"
    report = make(with_attributes(**{tag: {"vr": vr, "Value": [number]}}))
    assert report[keyword].value == number


def test_time_zone_of_the_modality_does_not_become_that_of_our_clock() -> None:
    """A Timezone Offset From UTC holds for every DA and TM of the instance (PS3.3 C.12.1.1)."""
    report = make(with_attributes(_00080201={"vr": "SH", "Value": ["+0900"]}))
    assert "TimezoneOffsetFromUTC" not in report
    assert (report.StudyTime, report.ContentTime) == ("101112", "070809")


def test_character_set_of_the_query_is_not_taken_over() -> None:
    attributes = with_attributes(_00080005={"vr": "CS", "Value": ["ISO_IR 100"]})
    assert patient_and_study(attributes.query).SpecificCharacterSet == "ISO_IR 192"


def test_issuer_of_patient_id_comes_from_the_record_where_the_attributes_lack_it() -> None:
    query = replace(answer().query, issuer_of_patient_id="HOSPITAL")
    assert make(answer(query=query)).IssuerOfPatientID == "HOSPITAL"
    assert "IssuerOfPatientID" not in make(answer())


@pytest.mark.parametrize(
    "element",
    [
        {"_00100020": {"vr": "LO", "Value": ["ANOTHER"]}},
        {"_00100021": {"vr": "LO", "Value": ["ANOTHER"]}},
        {"_0020000D": {"vr": "UI", "Value": ["1.2.3.999"]}},
    ],
)
def test_attributes_of_another_patient_or_study_make_no_report(
    element: dict[str, dict[str, Any]],
) -> None:
    with pytest.raises(ReportError, match=r"study 1\.2\.3\.1: its stored attributes name"):
        make(with_attributes(**element))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", "ANOTHER"),
        ("IssuerOfPatientID", "ANOTHER"),
        ("PatientName", "Another^Patient"),
        ("PatientBirthDate", "19990909"),
        ("PatientSex", "M"),
        ("StudyInstanceUID", "1.9.9"),
        ("StudyDate", "19990909"),
        ("StudyTime", "111111"),
        ("StudyID", "S9"),
        ("StudyDescription", "another"),
        ("AccessionNumber", "ACC-9"),
        ("ReferringPhysicianName", "Another^Physician"),
    ],
)
def test_report_of_another_patient_or_study_never_leaves(keyword: str, value: str) -> None:
    header, report = patient_and_study(answer().query), make(answer())
    assert_filed(report, header)
    setattr(report, keyword, value)
    with pytest.raises(ReportError, match=re.escape(f"would be filed under {keyword} '{value}'")):
        assert_filed(report, header)


def test_revision_names_its_predecessor() -> None:
    old = DocumentReference("1.2.3.1", "1.2.8", Comprehensive3DSRStorage, "1.2.8.1")
    report = make(answer(), refers_to=References(predecessor=old))
    (item,) = report.PredecessorDocumentsSequence
    series = item.ReferencedSeriesSequence[0]
    assert (item.StudyInstanceUID, series.SeriesInstanceUID) == ("1.2.3.1", "1.2.8")
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.8.1"


def test_other_sop_class_than_a_reports_makes_none() -> None:
    with pytest.raises(ReportError, match="none of the SOP classes that reports are made in"):
        make(answer(), sop_class_uid=DX)


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


# The examples of PS3.5 annexes H to K, byte for byte, and a name for each of the other sets.
YAMADA = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
YAMADA_KANA = (
    b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"
    b"=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"
)
HONG = (
    b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
)
ZHANG = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="
WANG = b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab="
NAMES = [
    (r"\ISO 2022 IR 87", YAMADA, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (r"ISO 2022 IR 13\ISO 2022 IR 87", YAMADA_KANA, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    (r"\ISO 2022 IR 149", HONG, "Hong^Gildong=洪^吉洞=홍^길동"),
    (r"\ISO 2022 IR 58", ZHANG, "Zhang^XiaoDong=张^小东"),
    ("GB18030", WANG, "Wang^XiaoDong=王^小东"),
    ("GBK", WANG, "Wang^XiaoDong=王^小东"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
    ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    ("ISO_IR 101", b"Wa\xb3\xeasa", "Wałęsa"),
    ("ISO_IR 109", b"a\xe6ar", "aĉar"),
    ("ISO_IR 110", b"K\xe0rlis", "Kārlis"),
    ("ISO_IR 144", b"\xce\xdb\xef", "Юля"),
    ("ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
    ("ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    ("ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
    ("ISO_IR 148", b"\xc7avu\xfeo\xf0lu", "Çavuşoğlu"),
    ("ISO_IR 166", b"\xca\xc1\xaa\xd2\xc2", "สมชาย"),
]


@pytest.mark.parametrize(("character_set", "name", "expected"), NAMES, ids=[n[0] for n in NAMES])
def test_names_of_every_character_set_survive_in_utf_8(
    character_set: str, name: bytes, expected: str
) -> None:
    report = make(answer(query=_record(_received(character_set, name))))
    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert str(report.PatientName).rstrip("=") == expected


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["arabic", "greek", "shift-jis", "utf8"])
def test_names_of_real_files_survive_in_utf_8(name: str, shared_data: Path) -> None:
    path = shared_data / "dicom/traps/encodings" / f"Lena-{name}.dcm"
    header = pydicom.dcmread(path, stop_before_pixels=True)
    report = make(answer(query=_record(header)))
    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert str(report.PatientName) == str(header.PatientName)


def _received(character_set: str, name: bytes) -> Dataset:
    """A header in Implicit VR Little Endian as the network brings it, in the given encoding."""
    elements = (
        (0x0008, 0x0005, character_set.encode()),
        (0x0010, 0x0010, name),
        (0x0010, 0x0020, b"QUERY "),
        (0x0020, 0x000D, b"1.2.3.1\0"),
    )
    encoded = b""
    for group, element, value in elements:
        padded = value + b" " * (len(value) % 2)
        encoded += struct.pack("<HHL", group, element, len(padded)) + padded
    return pydicom.dcmread(BytesIO(encoded), force=True)


def _record(header: Dataset) -> StudyRecord:
    """What intake keeps of a header."""
    facts = study_facts(header)
    return StudyRecord(id=1, study_instance_uid=header.StudyInstanceUID, **facts)


def test_the_same_query_gives_the_same_header_whatever_the_order_of_its_attributes() -> None:
    backwards = dict(reversed(QUERY_ATTRIBUTES.items()))
    given: Answer = answer(query=replace(answer().query, attributes=backwards))
    assert make(given) == make(answer())
