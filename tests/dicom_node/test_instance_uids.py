"""The four UIDs, stepped to by lengths alone, against pydicom and against hostile data sets."""

import struct
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_partial
from pydicom.filewriter import dcmwrite, write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicom_node.instance_uids import InstanceUIDs, UnidentifiedError, read_instance_uids
from tests.dicom_node.objects import INSTANCE, SERIES, STUDY, encoded, radiograph
from tests.dicom_node.raw_peer import CR
from tests.fuzzing.mutants import mutate, schedule
from tests.fuzzing.seeds import seeds

EXPECTED = InstanceUIDs(CR, INSTANCE, STUDY, SERIES)
SYNTAXES = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
MEBIBYTE = 1 << 20


def _nested(depth: int, *, undefined: bool) -> Sequence:
    item = Dataset()
    item.ReferencedSOPInstanceUID = "9.9.9"
    item.StudyInstanceUID = item.SeriesInstanceUID = item.SOPInstanceUID = "6.6.6"
    item.is_undefined_length_sequence_item = undefined
    if depth:
        item.ReferencedSeriesSequence = _nested(depth - 1, undefined=undefined)
        item["ReferencedSeriesSequence"].is_undefined_length = undefined
    return Sequence([item, Dataset(), item])


def _with_sequences(*, undefined: bool) -> Dataset:
    dataset = radiograph()
    for keyword in ("ReferencedStudySequence", "SourceImageSequence", "RequestAttributesSequence"):
        setattr(dataset, keyword, _nested(3, undefined=undefined))
        dataset[keyword].is_undefined_length = undefined
    return dataset


def _with_private(vr: str, value: Any) -> Dataset:
    dataset = radiograph()
    block = dataset.private_block(0x0009, "OURS", create=True)
    block.add_new(0x01, vr, value)
    block.add_new(0x02, "SQ", [radiograph("6.6.6", study="6.6")])
    return dataset


_MADE: Mapping[str, Callable[[], Dataset]] = {
    "plain": radiograph,
    "sequences of defined length": lambda: _with_sequences(undefined=False),
    "sequences of undefined length": lambda: _with_sequences(undefined=True),
    "private text": lambda: _with_private("LO", "text"),
    "private bytes": lambda: _with_private("OB", bytes(70_000)),
    "private UN": lambda: _with_private("UN", b"\xff" * 10),
    "private endless text": lambda: _with_private("UT", "x" * 100_000),
    "character set": lambda: radiograph(SpecificCharacterSet="ISO_IR 192", PatientName="\u5c71"),
    "no patient": lambda: radiograph(PatientID=None, PatientName=None),
}


def _file(dataset: Dataset, syntax: UID) -> bytes:
    """The data set in a file of that transfer syntax, by pydicom."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = UID(CR)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(INSTANCE)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OW"
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _data_set_at(file: bytes) -> int:
    """Behind the File Meta Information, whose group length stands at 140 (PS3.10 7.1)."""
    return 144 + int.from_bytes(file[140:144], "little")


def _by_pydicom(file: bytes) -> tuple[InstanceUIDs, str] | None:
    """What pydicom reads up to (0020,000E), and the transfer syntax; None if it cannot."""

    def is_behind(tag: BaseTag, vr: str | None, length: int) -> bool:
        return int(tag) > 0x0020000E

    try:
        dataset = read_partial(BytesIO(file), stop_when=is_behind, force=True)
        found = InstanceUIDs(
            str(dataset.SOPClassUID),
            str(dataset.SOPInstanceUID),
            str(dataset.StudyInstanceUID),
            str(dataset.SeriesInstanceUID),
        )
        return found, str(dataset.file_meta.TransferSyntaxUID)
    except Exception:  # noqa: BLE001 - a broken file may raise anything there
        return None


def _ours(data: bytes, start: int, syntax: str) -> InstanceUIDs | None:
    try:
        return read_instance_uids(data, start, syntax)
    except UnidentifiedError:
        return None


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
@pytest.mark.parametrize("make", _MADE.values(), ids=_MADE)
def test_what_pydicom_wrote_is_read(make: Callable[[], Dataset], syntax: UID) -> None:
    file = _file(make(), syntax)
    assert read_instance_uids(file, _data_set_at(file), syntax) == EXPECTED


def test_a_un_of_undefined_length_holds_implicit_vr() -> None:
    """PS3.5 6.2.2, note 7."""
    inner = DicomBytesIO()
    inner.is_little_endian, inner.is_implicit_VR = True, True
    write_dataset(inner, _with_sequences(undefined=True))
    element = (
        struct.pack("<HH2s2xI", 0x0009, 0x1010, b"UN", 0xFFFFFFFF)
        + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        + inner.getvalue()
        + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    )
    assert read_instance_uids(_behind_group_8(element), 0, ExplicitVRLittleEndian) == EXPECTED


def _behind_group_8(elements: bytes) -> bytes:
    """A radiograph with further elements between groups 0008 and 0010."""
    data = encoded(radiograph())
    at = data.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    return data[:at] + elements + data[at:]


@pytest.mark.parametrize("length", [0, 2, 65, 256])
def test_single_elements_in_implicit_vr_are_stepped_over(length: int) -> None:
    """Some write private elements in implicit VR whatever was negotiated."""
    element = struct.pack("<HHI", 0x0009, 0x1010, length) + b"x" * length
    assert read_instance_uids(_behind_group_8(element), 0, ExplicitVRLittleEndian) == EXPECTED


def test_a_whole_data_set_in_implicit_vr_is_read_whatever_was_negotiated() -> None:
    file = _file(_with_sequences(undefined=True), ImplicitVRLittleEndian)
    assert read_instance_uids(file, _data_set_at(file), ExplicitVRLittleEndian) == EXPECTED


@pytest.mark.parametrize("padding", ["", "\0", " ", "\0\0\0"])
def test_padding_is_dropped(padding: str) -> None:
    study = b"1.2.3" + padding.encode()
    data = (
        struct.pack("<HH2sH", 0x0008, 0x0016, b"UI", 3)
        + b"1.2"
        + struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", 3)
        + b"1.3"
        + struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", len(study))
        + study
        + struct.pack("<HH2sH", 0x0020, 0x000E, b"UI", 3)
        + b"1.5"
    )
    assert read_instance_uids(data, 0, ExplicitVRLittleEndian).study == "1.2.3"


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_each_uid_is_needed(keyword: str, value: str | None) -> None:
    changes: dict[str, Any] = {keyword: value}
    dataset = radiograph(**changes)
    with pytest.raises(UnidentifiedError, match="lacks"):
        read_instance_uids(encoded(dataset), 0, ExplicitVRLittleEndian)


@pytest.mark.parametrize("tag", [0x00080016, 0x00080018, 0x0020000D, 0x0020000E])
def test_a_value_too_long_for_a_uid_is_refused(tag: int) -> None:
    """PS3.5 6.2: 64 bytes. What is longer would travel to the database and into the log."""
    element = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"UI", 66) + b"1" * 66
    with pytest.raises(UnidentifiedError, match="too long"):
        read_instance_uids(element + encoded(radiograph()), 0, ExplicitVRLittleEndian)


def test_every_prefix_is_read_or_refused() -> None:
    data = encoded(_with_sequences(undefined=True))
    found = [_ours(data[:size], 0, ExplicitVRLittleEndian) for size in range(0, len(data), 3)]
    assert set(found) == {None, EXPECTED}
    assert found.index(EXPECTED) == len([entry for entry in found if entry is None])


def _flood(element: bytes) -> bytes:
    return element * (50 * MEBIBYTE // len(element))


def _packed(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
_OPEN = struct.pack("<HH2s2xI", 0x0008, 0x1140, b"SQ", 0xFFFFFFFF)
_FLOODS = {
    "empty elements": (_flood(struct.pack("<HH2sH", 8, 5, b"CS", 0)), ExplicitVRLittleEndian),
    "empty implicit elements": (_flood(struct.pack("<HHI", 8, 5, 0)), ImplicitVRLittleEndian),
    "empty items": (
        _OPEN + _flood(struct.pack("<HHI", 0xFFFE, 0xE000, 0)),
        ExplicitVRLittleEndian,
    ),
    "nested sequences": (_flood(_OPEN + _ITEM), ExplicitVRLittleEndian),
    "zeros": (bytes(50 * MEBIBYTE), ExplicitVRLittleEndian),
    "deflated zeros": (_packed(bytes(50 * MEBIBYTE)), DeflatedExplicitVRLittleEndian),
    "long UID": (
        struct.pack("<HHI", 0x0008, 0x0018, 50 * MEBIBYTE) + bytes(50 * MEBIBYTE),
        ImplicitVRLittleEndian,
    ),
}


@pytest.mark.parametrize(("data", "syntax"), _FLOODS.values(), ids=_FLOODS)
def test_a_flood_is_refused_soon(data: bytes, syntax: UID) -> None:
    began = process_time()
    with pytest.raises(UnidentifiedError):
        read_instance_uids(data, 0, syntax)
    assert process_time() - began < 0.5


def test_a_thousand_source_images_are_no_flood() -> None:
    """A derived image names each image it was made from, with its purpose (PS3.3 C.7.6.1.1.4)."""
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
    purpose.CodeMeaning = "Source image for image processing operation"
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = CR, "1.2.3"
    source.PurposeOfReferenceCodeSequence = [purpose]
    source.is_undefined_length_sequence_item = purpose.is_undefined_length_sequence_item = True
    dataset = radiograph(SourceImageSequence=[source] * 3000)
    dataset["SourceImageSequence"].is_undefined_length = True
    assert read_instance_uids(encoded(dataset), 0, ExplicitVRLittleEndian) == EXPECTED


@pytest.mark.parametrize(
    "data", [b"\0", b"\xff" * 100, zlib.compress(encoded(radiograph()))], ids=["0", "noise", "zlib"]
)
def test_what_cannot_be_inflated_is_refused(data: bytes) -> None:
    """PS3.5 A.5: a raw deflate stream, without the header of zlib."""
    with pytest.raises(UnidentifiedError):
        read_instance_uids(data, 0, DeflatedExplicitVRLittleEndian)


@pytest.mark.shared_data
def test_real_files_are_read_as_pydicom_does(shared_data: Path) -> None:
    read = 0
    for path in sorted((shared_data / "dicom").rglob("*.dcm")):
        file = path.read_bytes()
        by_pydicom = _by_pydicom(file) if file[128:132] == b"DICM" else None
        if by_pydicom is not None:
            expected, syntax = by_pydicom
            assert read_instance_uids(file, _data_set_at(file), syntax) == expected, path.name
            read += 1
    assert read > 100


def test_mutated_files_are_read_as_pydicom_does_or_refused() -> None:
    """Elements are compared as far as (0020,000E): what stands behind is not looked at."""
    both = 0
    for recipe in islice(schedule(seeds(), 1500), 1500):
        seed = seeds()[recipe.seed]
        start = _data_set_at(seed.data)
        file = mutate(seed, recipe).data
        if file[:start] != seed.data[:start]:
            continue  # the File Meta Information is ours, and not the network's
        found = _ours(file, start, seed.raw.transfer_syntax)
        by_pydicom = _by_pydicom(file)
        if found is None or by_pydicom is None or not _all_valid(by_pydicom[0]):
            continue
        both += 1
        assert found == by_pydicom[0], recipe
    assert both > 200


def _all_valid(uids: InstanceUIDs) -> bool:
    return all(UID(uid).is_valid for uid in uids)
