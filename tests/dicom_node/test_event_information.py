"""Event information as pydicom writes it is read; cut, nested or changed, it is never more."""

from random import Random
from struct import pack

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.event_information import CommitmentResult, MalformedError, read_result

EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)
SYNTAXES = [EXPLICIT, IMPLICIT]
TRANSACTION = "2.25.77"


def reference(instance: str, reason: int | None = None) -> Dataset:
    """An item of Referenced or Failed SOP Sequence."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.1.9", instance
    if reason is not None:
        item.FailureReason = reason
    return item


def information(*committed: str, failed: dict[str, int] | None = None) -> Dataset:
    """PS3.4 table J.3-2."""
    made = Dataset()
    made.TransactionUID, made.RetrieveAETitle = TRANSACTION, "ARCHIVE"
    made.ReferencedSOPSequence = [reference(uid) for uid in committed]
    if failed:
        made.FailedSOPSequence = [reference(uid, reason) for uid, reason in failed.items()]
    return made


def encoded(dataset: Dataset, syntax: str, *, open_ended: bool = False) -> bytes:
    """The data set as it travels, with sequences and items of undefined length or not."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = open_ended
            for item in element.value:
                item.is_undefined_length_sequence_item = open_ended
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, syntax == IMPLICIT
    write_dataset(buffer, dataset)
    return buffer.getvalue()


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("open_ended", [False, True])
def test_what_pydicom_writes_is_read(syntax: str, open_ended: bool) -> None:
    data = encoded(
        information("1.2.1", "1.2.22", failed={"1.2.3": 0x0112}), syntax, open_ended=open_ended
    )
    assert read_result(data, syntax) == CommitmentResult(
        TRANSACTION, ("1.2.1", "1.2.22"), (("1.2.3", 0x0112),)
    )


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_empty_sequences_name_nothing(syntax: str) -> None:
    assert read_result(encoded(information(), syntax), syntax) == CommitmentResult(TRANSACTION, ())


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("open_ended", [False, True])
def test_other_elements_are_passed_over(syntax: str, open_ended: bool) -> None:
    """Also a sequence that holds what looks like a reference, here and within an item."""
    dataset = information("1.2.1")
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 192", "Müller"
    dataset.ReferencedStudySequence = [information("9.9.9")]
    dataset.ReferencedSOPSequence[0].PurposeOfReferenceCodeSequence = [information("9.9.8")]
    dataset.add_new(0x00091001, "OB", bytes(300))
    data = encoded(dataset, syntax, open_ended=open_ended)
    assert read_result(data, syntax) == CommitmentResult(TRANSACTION, ("1.2.1",))


def test_an_unknown_sequence_of_open_end_is_implicit_within() -> None:
    """PS3.5 6.2.2: a UN of undefined length, here private, holds implicit VR little endian."""
    item = encoded(reference("9.9.9"), IMPLICIT)
    held = _head(0xFFFE, 0xE000, len(item)) + item + _head(0xFFFE, 0xE0DD, 0)
    unknown = pack("<HH2s2xI", 0x0009, 0x1001, b"UN", 0xFFFFFFFF) + held
    data = encoded(information("1.2.1"), EXPLICIT) + unknown
    assert read_result(data, EXPLICIT).committed == ("1.2.1",)


def _head(group: int, element: int, length: int) -> bytes:
    return pack("<HHI", group, element, length)


@pytest.mark.parametrize("value", [b"", b"\1", b"\1\0\0\0"])
def test_a_failure_without_a_reason_is_a_failure(value: bytes) -> None:
    """Type 1 by the standard, and yet not always there."""
    uid = _head(0x0008, 0x1155, 6) + b"1.2.3\0"
    reason = _head(0x0008, 0x1197, len(value)) + value if value else b""
    failed = _head(0xFFFE, 0xE000, len(uid + reason)) + uid + reason
    data = _head(0x0008, 0x1195, 8) + b"2.25.77\0" + _head(0x0008, 0x1198, len(failed)) + failed
    assert read_result(data, IMPLICIT) == CommitmentResult(TRANSACTION, (), (("1.2.3", None),))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("open_ended", [False, True])
def test_what_is_cut_off_is_never_taken_for_complete(syntax: str, open_ended: bool) -> None:
    """A prefix that ends between two elements at the top is a data set of its own."""
    dataset = information("1.2.1", "1.2.2", failed={"1.2.3": 0x0110})
    data = encoded(dataset, syntax, open_ended=open_ended)
    read = set()
    for size in range(len(data)):
        try:
            read.add(read_result(data[:size], syntax))
        except MalformedError:
            continue
    assert {result.committed for result in read} == {()}
    assert {result.failed for result in read} == {(), (("1.2.3", 0x0110),)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"TransactionUID": ""}, "(0008,1195)"),
        ({"TransactionUID": None}, "(0008,1195)"),
        ({"ReferencedSOPSequence": [Dataset()]}, "(0008,1155)"),
        ({"FailedSOPSequence": [Dataset()]}, "(0008,1155)"),
    ],
)
def test_a_missing_uid_is_named(change: dict[str, object], said: str) -> None:
    dataset = information("1.2.1")
    for keyword, value in change.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    with pytest.raises(MalformedError, match=said.replace("(", r"\(").replace(")", r"\)")):
        read_result(encoded(dataset, EXPLICIT), EXPLICIT)


@pytest.mark.parametrize("uid", [b"../../evil", b"1" * 66, b"1.2\\1.3 ", b"\xff\xfe", b"  "])
def test_what_is_no_uid_is_refused(uid: bytes) -> None:
    with pytest.raises(MalformedError, match="no UID"):
        read_result(_head(0x0008, 0x1195, len(uid)) + uid, IMPLICIT)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("depth", [100, 5000])
def test_deep_nesting_is_refused(syntax: str, depth: int) -> None:
    explicit = pack("<HH2s2xI", 0x0008, 0x1140, b"SQ", 0xFFFFFFFF)
    start = explicit if syntax == EXPLICIT else _head(0x0008, 0x1140, 0xFFFFFFFF)
    with pytest.raises(MalformedError, match="too deep"):
        read_result((start + _head(0xFFFE, 0xE000, 0xFFFFFFFF)) * depth, syntax)


def test_random_changes_are_read_or_refused() -> None:
    """Whatever is read has no more references than were there."""
    rng = Random(5)
    for _ in range(4000):
        syntax = rng.choice(SYNTAXES)
        dataset = information("1.2.1", "1.2.2", failed={"1.2.3": 0x0112})
        data = bytearray(encoded(dataset, syntax, open_ended=rng.random() < 0.5))
        for _ in range(rng.choice((1, 1, 2, 8))):
            data[rng.randrange(len(data))] = rng.choice((0, 0xFF, rng.randrange(256)))
        try:
            result = read_result(bytes(data), syntax)
        except MalformedError:
            continue
        assert len(result.committed) + len(result.failed) <= 3


def test_any_bytes_are_refused_or_read() -> None:
    rng = Random(6)
    for _ in range(4000):
        data = rng.randbytes(rng.randrange(200))
        with pytest.raises(MalformedError):
            read_result(data, rng.choice(SYNTAXES))
