"""Headers of untrusted datasets, and their way through JSON."""

import json

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage

from encoders.frame_header import FrameHeader
from encoders.header import HeaderError, ImageHeader
from tests.encoders.objects import AXIAL, gray, image_object, set_raw, with_items


def slice_object() -> Dataset:
    return image_object(
        gray(1, 2, 3),
        ImageType=["ORIGINAL", "PRIMARY", "M"],
        InstanceNumber=7,
        ImagePositionPatient=[1.5, -2.25, 1e-3],
        ImageOrientationPatient=list(AXIAL),
        BodyPartExamined="BRAIN",
        DiffusionBValue=1000.0,
        EchoNumbers=2,
        EchoTime=80,
        AcquisitionNumber=3,
        TriggerTime=412.5,
        ComplexImageComponent="MAGNITUDE",
        Manufacturer="Acme ",
        ManufacturerModelName="CT 9000",
    )


def test_what_choosing_needs_is_kept() -> None:
    found = ImageHeader.from_dataset(slice_object())
    assert (found.rows, found.columns, found.number_of_frames) == (1, 3, 1)
    assert found.image_position == (1.5, -2.25, 0.001)
    assert found.image_orientation == AXIAL
    assert (found.b_value, found.echo_number, found.instance_number) == (1000.0, 2, 7)
    assert found.image_type == ("ORIGINAL", "PRIMARY", "M")
    assert (found.echo_time, found.acquisition_number, found.trigger_time) == (80.0, 3, 412.5)
    assert found.complex_image_component == "MAGNITUDE"
    assert found.scanner == "Acme CT 9000"


@pytest.mark.parametrize(
    ("told", "scanner"),
    [({}, None), ({"Manufacturer": ""}, None), ({"ManufacturerModelName": "CT 9000"}, "CT 9000")],
)
def test_a_scanner_of_which_less_is_told(told: dict[str, str], scanner: str | None) -> None:
    ds = image_object(gray(1), **told)
    assert ImageHeader.from_dataset(ds).scanner == scanner


def enhanced() -> Dataset:
    ds = image_object(gray(1))
    ds.NumberOfFrames = 2
    ds.SharedFunctionalGroupsSequence = with_items(
        PlaneOrientationSequence=with_items(ImageOrientationPatient=list(AXIAL))
    )
    ds.PerFrameFunctionalGroupsSequence = [
        with_items(PlanePositionSequence=with_items(ImagePositionPatient=[0, 0, z]))[0]
        for z in (10, 20)
    ]
    return ds


def test_frames_come_from_per_frame_and_shared_functional_groups() -> None:
    found = ImageHeader.from_dataset(enhanced())
    assert found.frames == (
        FrameHeader((0.0, 0.0, 10.0), AXIAL),
        FrameHeader((0.0, 0.0, 20.0), AXIAL),
    )


@pytest.mark.parametrize("make", [slice_object, enhanced])
def test_json_gives_the_same_header_back(make: "type[Dataset]") -> None:
    found = ImageHeader.from_dataset(make())
    assert ImageHeader.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("keyword", "reason"),
    [
        ("Modality", "0008,0060"),
        ("SOPClassUID", "0008,0016"),
        ("SOPInstanceUID", "0008,0018"),
        ("SeriesInstanceUID", "0020,000E"),
        ("Rows", "no pixels"),
        ("Columns", "no pixels"),
    ],
)
def test_what_is_missing_is_named(keyword: str, reason: str) -> None:
    ds = slice_object()
    delattr(ds, keyword)
    with pytest.raises(HeaderError, match=reason):
        ImageHeader.from_dataset(ds)


def test_a_header_stored_before_fields_were_added_still_loads() -> None:
    # as the first version wrote it, nothing left out
    stored = """{"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2.1", "sop_instance_uid": "1.2.3",
        "series_instance_uid": "1.2", "modality": "CT", "image_type": ["ORIGINAL", "PRIMARY"],
        "rows": 2, "columns": 3, "number_of_frames": 1, "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2", "instance_number": 7,
        "image_position": null, "image_orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "b_value": null, "echo_number": null, "temporal_position": null, "view_position": null,
        "laterality": null, "body_part": "HEAD", "frames": [{"position": [0.0, 0.0, 1.0],
        "orientation": null, "b_value": 0.0, "temporal_position": 2}]}"""
    found = ImageHeader.from_json(json.loads(stored))
    assert found.frames == (FrameHeader((0.0, 0.0, 1.0), None, 0.0, 2),)
    assert (found.instance_number, found.image_type) == (7, ("ORIGINAL", "PRIMARY"))
    assert (found.echo_time, found.acquisition_number, found.trigger_time) == (None, None, None)


def test_json_keeps_zero_and_leaves_out_what_is_absent() -> None:
    found = ImageHeader.from_dataset(image_object(gray(1), AcquisitionNumber=0, TriggerTime=0))
    plain = found.to_json()
    assert (plain["acquisition_number"], plain["trigger_time"]) == (0, 0.0)
    assert "b_value" not in plain
    assert ImageHeader.from_json(plain) == found


@pytest.mark.parametrize("said", ["YES", "NO", None])
def test_a_header_says_whether_burned_in_annotation_was_looked_for(said: str | None) -> None:
    ds = slice_object()
    if said is not None:
        ds.BurnedInAnnotation = said
    plain = json.loads(json.dumps(ImageHeader.from_dataset(ds).to_json()))
    assert ImageHeader.from_json(plain).burned_in == said
    del plain["burned_in"]  # stored before it was read
    assert ImageHeader.from_json(plain).burned_in == "UNKNOWN"


def test_reports_have_no_rows_and_are_no_fault() -> None:
    ds = slice_object()
    del ds.Rows, ds.Columns
    ds.SOPClassUID, ds.Modality = BasicTextSRStorage, "SR"
    assert ImageHeader.from_dataset(ds).rows == 0


@pytest.mark.parametrize("uid", [b"../../evil", b"<script>alert(1)</script>", b"1." * 40])
def test_a_uid_that_is_none_is_refused(uid: bytes) -> None:
    ds = slice_object()
    set_raw(ds, 0x00080018, "UI", uid)
    with pytest.raises(HeaderError, match="0008,0018"):
        ImageHeader.from_dataset(ds)


@pytest.mark.parametrize(
    ("tag", "vr", "value", "field"),
    [
        (0x00200013, "IS", b"1.5x", "instance_number"),
        (0x00200032, "DS", b"1\\2", "image_position"),
        (0x00200032, "DS", b"1\\2\\x", "image_position"),
        (0x00200037, "DS", b"1\\0\\0\\0\\NaN\\0", "image_orientation"),
        (0x00189087, "FD", b"\0\0", "b_value"),
        (0x00180015, "CS", b"\0", "body_part"),
        (0x00180081, "DS", b"1e999", "echo_time"),
        (0x00181060, "DS", b"early", "trigger_time"),
        (0x00200012, "IS", b"x", "acquisition_number"),
    ],
)
def test_damaged_optional_values_are_none(tag: int, vr: str, value: bytes, field: str) -> None:
    ds = slice_object()
    set_raw(ds, tag, vr, value)
    assert getattr(ImageHeader.from_dataset(ds), field) is None


def test_text_that_a_database_would_refuse_is_cleaned() -> None:
    ds = slice_object()
    set_raw(ds, 0x00180015, "CS", b"HE\0AD")
    assert ImageHeader.from_dataset(ds).body_part == "HEAD"


@pytest.mark.parametrize(("written", "frames"), [(b"0 ", 1), (b"x ", 1), (b"-4", 1), (b"12", 12)])
def test_number_of_frames(written: bytes, frames: int) -> None:
    ds = slice_object()
    set_raw(ds, 0x00280008, "IS", written)
    assert ImageHeader.from_dataset(ds).number_of_frames == frames


def test_an_absurd_number_of_frames_is_refused() -> None:
    with pytest.raises(HeaderError, match="0028,0008"):
        ImageHeader.from_dataset(image_object(gray(1), NumberOfFrames=2_000_000_000))
