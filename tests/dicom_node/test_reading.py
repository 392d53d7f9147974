"""From a study's instances to its images: what is decoded, what is left out, and why."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dicom_node.reading import UnworkableStudyError, read_study
from dicom_node.spool import Spool
from encoders.header import ImageHeader
from encoders.pixel_reader import PixelReader
from storage.study_work import StoredInstance
from tests.encoders.objects import axial_series, image_object, written


@pytest.fixture
def reader() -> Iterator[PixelReader]:
    with PixelReader() as opened:
        yield opened


def stored(header: ImageHeader) -> StoredInstance:
    uid = header.sop_instance_uid
    return StoredInstance(uid, f"20260101/{uid}.dcm", header.to_json(), None)


def put(spool: Spool, name: str) -> None:
    """One good image under that name, and nothing under any other."""
    path = spool.path(name)
    path.parent.mkdir(exist_ok=True)
    folder = spool.folder.parent
    written(image_object(np.arange(16, dtype=np.uint16).reshape(4, 4)), folder).rename(path)


def test_of_600_slices_one_file_is_opened(spool: Spool, reader: PixelReader) -> None:
    instances = [stored(header) for header in axial_series([float(z) for z in range(600)])]
    put(spool, "20260101/1.299.dcm")  # all others are not even there
    read = read_study(spool, instances[::-1], reader)
    assert [image.reference.sop_instance_uid for image in read.images] == ["1.299"]
    assert len(read.left_out) == 599


def test_an_image_that_cannot_be_read_leaves_the_others(spool: Spool, reader: PixelReader) -> None:
    one, other = axial_series([0.0]), axial_series([0.0])
    damaged = ImageHeader(**{**vars(one[0]), "sop_instance_uid": "1.7", "series_instance_uid": "7"})
    put(spool, "20260101/1.0.dcm")
    put(spool, "20260101/1.7.dcm")
    spool.path("20260101/1.7.dcm").write_bytes(b"no DICOM")
    read = read_study(spool, [stored(damaged), stored(other[0])], reader)
    assert [image.reference.sop_instance_uid for image in read.images] == ["1.0"]
    assert "DICOM" in read.left_out["1.7"]


def test_a_study_without_any_image_says_why(spool: Spool, reader: PixelReader) -> None:
    missing = stored(axial_series([0.0])[0])
    with pytest.raises(
        UnworkableStudyError, match=r"1 x its file is gone from the spool \(spool\.keep_days\)"
    ):
        read_study(spool, [missing], reader)


def test_the_rules_of_the_pixels_are_kept_with_the_image(
    spool: Spool, reader: PixelReader, tmp_path: Path
) -> None:
    put(spool, "20260101/1.0.dcm")
    read = read_study(spool, [stored(axial_series([0.0])[0])], reader)
    assert read.images[0].reference.pixel_rules["voi"] == "percentiles 1 to 99"
    assert read.images[0].reference.slice_rule == "middle by position of 1 slices"
