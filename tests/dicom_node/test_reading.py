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


def _gone(headers: list[ImageHeader]) -> list[StoredInstance]:
    """Instances whose files are in no spool of ours."""
    return [StoredInstance(h.sop_instance_uid, None, h.to_json(), None) for h in headers]


def test_an_image_whose_file_is_gone_keeps_its_vector(spool: Spool, reader: PixelReader) -> None:
    series = axial_series([0.0, 1.0, 2.0])
    read = read_study(spool, _gone(series), reader, {("1.1", None): 17, ("1.0", None): 16})
    assert (list(read.images), list(read.kept)) == ([], [17])
    assert read.left_out.keys() == {"1.0", "1.2"}


def test_where_the_middle_is_gone_the_choice_is_made_among_what_is_left(
    spool: Spool, reader: PixelReader
) -> None:
    """Of slices 0 to 8 the middle is 4; of 2, which is embedded, and 5 and 6 here, it is 5."""
    series = axial_series([float(z) for z in range(9)])
    here = [stored(series[5]), stored(series[6])]
    for instance in here:
        put(spool, instance.spool_name or "")
    read = read_study(
        spool, [*_gone(series[:5]), *here, *_gone(series[7:])], reader, {("1.2", None): 17}
    )
    assert [image.reference.sop_instance_uid for image in read.images] == ["1.5"]
    assert list(read.kept) == []
    assert "gone from the spool" in read.left_out["1.4"]
    assert len(read.left_out) == 8


def test_a_series_that_is_whole_is_chosen_from_as_ever(spool: Spool, reader: PixelReader) -> None:
    """Another series of the study lacks all of its files."""
    whole = axial_series([0.0, 1.0, 2.0])
    other = ImageHeader(**{**vars(whole[0]), "sop_instance_uid": "9.1", "series_instance_uid": "9"})
    put(spool, "20260101/1.1.dcm")
    read = read_study(spool, [*map(stored, whole), *_gone([other])], reader)
    assert [image.reference.sop_instance_uid for image in read.images] == ["1.1"]
    assert read.left_out.keys() == {"1.0", "1.2", "9.1"}


def test_a_vector_of_another_frame_stands_for_nothing(spool: Spool, reader: PixelReader) -> None:
    """A header of ten frames, of which the fifth would be embedded (PS3.3 C.7.6.16: from 1)."""
    header = ImageHeader(
        **{**vars(axial_series([0.0])[0]), "modality": "XA", "number_of_frames": 10}
    )
    assert list(read_study(spool, _gone([header]), reader, {("1.0", 5): 17}).kept) == [17]
    with pytest.raises(UnworkableStudyError, match="gone from the spool"):
        read_study(spool, _gone([header]), reader, {("1.0", 6): 17})
