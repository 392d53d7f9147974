"""The contact sheet as a Secondary Capture: its header, and what outside judges say of it."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import apply_windowing
from pydicom.uid import JPEG2000, JPEGBaseline8Bit, RLELossless, SecondaryCaptureImageStorage

from dicom_node.report.capture import make_picture
from dicom_node.report.documents import encoded
from dicom_node.report.filing import ReportError
from dicom_node.report.own import is_own_report
from storage.answer import Answer
from tests.dicom_node.answers import (
    CASE_NUMBER,
    CREATED,
    DEVICE,
    ENHANCED_CT,
    QUERY_ATTRIBUTES,
    answer,
    hit,
    image,
    with_attributes,
)
from tests.dicom_node.test_sheet import pictures

DCIODVFY = Path("/usr/bin/dciodvfy")
DCM2PNM = Path("/usr/bin/dcm2pnm")
PSEUDONYMOUS = {"case_number": CASE_NUMBER}
JAPANESE = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
both_modes = pytest.mark.parametrize("options", [{}, PSEUDONYMOUS], ids=["identified", "case"])


def file_of(given: Answer, **options: Any) -> bytes:
    return encoded(
        make_picture(
            given,
            pictures(given),
            device=DEVICE,
            sop_instance_uid="1.2.9.2.1",
            series_instance_uid="1.2.9.2",
            created=CREATED,
            **options,
        )
    )


def make(given: Answer, **options: Any) -> Dataset:
    """A picture as a reader gets it: written, and read again."""
    return pydicom.dcmread(BytesIO(file_of(given, **options)))


def values(picture: Dataset) -> Iterator[str]:
    """Every value of the header as text."""
    for element in picture.iterall():
        if element.VR not in ("SQ", "OB", "OW"):
            yield str(element.value)


def about(query: dict[str, Any], found: dict[str, Any]) -> Answer:
    """An answer of one hit, with the images' fields."""
    one = hit(1, 101, image=image(101, **found))
    return answer(image=image(1, **query), hits=(one,), priors=())


@both_modes
def test_it_is_filed_under_the_querys_patient_and_study(options: dict[str, Any]) -> None:
    picture = make(answer(), **options)
    given: dict[str, Any] = {**QUERY_ATTRIBUTES}
    expected = {tag: element for tag, element in given.items() if "Value" in element}
    found = picture.to_json_dict()
    assert {tag: found[tag] for tag in expected} == expected
    assert picture.SOPClassUID == SecondaryCaptureImageStorage
    assert (picture.SOPInstanceUID, picture.SeriesInstanceUID) == ("1.2.9.2.1", "1.2.9.2")
    assert (picture.Modality, picture.ConversionType) == ("OT", "WSD")
    assert picture.ImageType == ["DERIVED", "SECONDARY"]


def test_another_patients_attributes_are_refused() -> None:
    other = with_attributes(_00100020={"vr": "LO", "Value": ["SOMEBODY ELSE"]})
    with pytest.raises(ReportError, match="SOMEBODY ELSE"):
        file_of(other)


def test_a_name_in_three_scripts_comes_back_whole() -> None:
    given = with_attributes(_00100010={"vr": "PN", "Value": [JAPANESE]})
    assert make(given).to_json_dict()["00100010"]["Value"] == [JAPANESE]


@both_modes
def test_it_names_no_other_patient_and_no_other_study(options: dict[str, Any]) -> None:
    given = answer()
    said = set(values(make(given, **options)))
    for other in (*given.hits, *given.priors):
        assert not said & {
            other.study.study_instance_uid,
            other.image.series_instance_uid,
            other.image.sop_instance_uid,
            f"P{other.study.id}",
        }


def test_it_refers_to_the_querys_image_and_frame() -> None:
    given = answer(image=image(1, frame_number=31))
    (source,) = make(given).SourceImageSequence
    assert source.ReferencedSOPInstanceUID == given.image.sop_instance_uid
    assert source.ReferencedFrameNumber == 31
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121329"  # CID 7202
    assert "ReferencedFrameNumber" not in make(answer()).SourceImageSequence[0]


@pytest.mark.parametrize("keyword", ["DeviceUID", "DeviceSerialNumber"])
def test_the_node_knows_it_as_its_own(keyword: str) -> None:
    picture = make(answer())
    other = ({"DeviceUID", "DeviceSerialNumber"} - {keyword}).pop()
    del picture[other]
    assert is_own_report(picture, DEVICE.uid)
    assert not is_own_report(picture, "2.25.1")


@both_modes
def test_same_arguments_give_the_same_bytes(options: dict[str, Any]) -> None:
    assert file_of(answer(), **options) == file_of(answer(), **options)


def test_its_window_shows_every_gray_level_as_it_is() -> None:
    picture = make(answer())
    levels = np.arange(256, dtype=np.uint8)
    assert np.allclose(apply_windowing(levels, picture), levels, rtol=0, atol=1e-9)
    assert picture.PhotometricInterpretation == "MONOCHROME2"
    assert picture.pixel_array.max() > 200


@pytest.mark.parametrize(
    ("query", "found", "options", "stated"),
    [
        ("NO", "NO", {}, "NO"),
        ("NO", "YES", {}, "YES"),
        ("YES", "NO", {}, "YES"),
        ("NO", None, {}, None),
        (None, None, {}, None),
        ("NO", "YES", PSEUDONYMOUS, "NO"),  # withheld
        ("NO", None, PSEUDONYMOUS, None),
    ],
)
def test_burned_in_annotation_is_what_the_shown_images_say(
    query: str | None, found: str | None, options: dict[str, Any], stated: str | None
) -> None:
    given = about({"burned_in": query}, {"burned_in": found})
    assert make(given, **options).get("BurnedInAnnotation") == stated


@pytest.mark.parametrize(
    ("syntax", "stated"),
    [(JPEGBaseline8Bit, "01"), (RLELossless, None), (JPEG2000, None)],
)
def test_lossy_stays_lossy(syntax: str, stated: str | None) -> None:
    given = about({}, {"pixel_rules": {"transfer_syntax_uid": str(syntax)}})
    assert make(given).get("LossyImageCompression") == stated
    assert make(about({"lossy": True}, {})).LossyImageCompression == "01"


@pytest.mark.parametrize(
    ("side", "body_part", "stated"),
    [
        ("L", "HAND", {"ImageLaterality": "L"}),
        ("R", "CHEST", {"ImageLaterality": "R"}),
        ("B", None, {"ImageLaterality": "B"}),
        ("U", "HAND", {"ImageLaterality": "U"}),  # its own header says so
        (None, "chest ", {"BodyPartExamined": "CHEST"}),
        (None, "HAND", {"Laterality": ""}),
        (None, "MR SMITH", {"Laterality": ""}),
        ("x", None, {"Laterality": ""}),
    ],
)
def test_side_is_the_query_images_and_none_is_made_up(
    side: str | None, body_part: str | None, stated: dict[str, str]
) -> None:
    """Laterality is Type 2C: required, and empty if unknown, of a paired structure (C.7.3.1)."""
    picture = make(answer(image=image(1, laterality=side, body_part=body_part)))
    keywords = ("ImageLaterality", "Laterality", "BodyPartExamined")
    assert {key: picture[key].value for key in keywords if key in picture} == stated


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy (package dicom3tools) is not here")
@both_modes
@pytest.mark.parametrize(
    "given",
    [
        answer(),
        answer(hits=(), priors=()),
        answer(image=image(1, frame_number=7, laterality="R", sop_class_uid=ENHANCED_CT)),
        about({"burned_in": "YES"}, {"pixel_rules": {"transfer_syntax_uid": JPEGBaseline8Bit}}),
        with_attributes(_00100010={"vr": "PN", "Value": [JAPANESE]}),
        replace(answer(), query=replace(answer().query, age=None, sex=None, study_date=None)),
    ],
    ids=["hits", "none", "frame", "lossy", "japanese", "bare"],
)
def test_dciodvfy_finds_nothing(given: Answer, options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "picture.dcm"
    path.write_bytes(file_of(given, **options))
    judged = subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False)
    said = [line for line in judged.stderr.splitlines() if line.strip()]
    assert said == ["SCImage"]


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy (package dicom3tools) is not here")
def test_dciodvfy_asks_whether_a_side_that_is_not_told_is_unknown(tmp_path: Path) -> None:
    """It is: nothing more can be said truly of a hand whose image does not tell its side."""
    path = tmp_path / "picture.dcm"
    path.write_bytes(file_of(answer(image=image(1, body_part="HAND"))))
    judged = subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False)
    said = [line for line in judged.stderr.splitlines() if line.strip()]
    assert said[0] == "SCImage"
    assert [line.split(" - ")[:2] for line in said[1:]] == [["Warning", "</Laterality(0020,0060)>"]]
    assert "only permitted to be empty when actually unknown" in said[1]


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dciodvfy (package dicom3tools) is not here")
def test_dciodvfy_finds_no_error_where_the_query_lacks_its_header(tmp_path: Path) -> None:
    tags = ("_00100010", "_00100030", "_00100040", "_00080020", "_00080030", "_00080050")
    given = with_attributes(**dict.fromkeys((*tags, "_00080090", "_00200010")))
    path = tmp_path / "picture.dcm"
    path.write_bytes(file_of(given))
    judged = subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False)
    for line in judged.stderr.splitlines():
        assert not line.startswith("Error"), line
        assert not line.startswith("Warning") or "DICOMDIR" in line, line


@pytest.mark.skipif(not DCM2PNM.exists(), reason="dcm2pnm (package dcmtk) is not here")
def test_dcmtk_shows_the_same_pixels(tmp_path: Path) -> None:
    source, shown = tmp_path / "picture.dcm", tmp_path / "picture.pgm"
    source.write_bytes(file_of(answer()))
    subprocess.run([DCM2PNM, "+Wi", "1", "+op", source, shown], check=True)
    with Image.open(shown) as drawn:
        assert np.array_equal(np.asarray(drawn), pydicom.dcmread(source).pixel_array)
