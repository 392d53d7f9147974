"""From a study's instances to the images that stand for it: what is chosen, left out, and why."""

import pytest

from dicom_node.reading import ChosenFile, ChosenStudy, choose
from dicom_node.spool import Spool
from encoders.choice import ChosenImage
from encoders.header import ImageHeader
from storage.study_work import StoredInstance
from tests.encoders.objects import axial_series


def stored(header: ImageHeader) -> StoredInstance:
    uid = header.sop_instance_uid
    return StoredInstance(uid, f"20260101/{uid}.dcm", header.to_json(), None, "ab12")


def put(spool: Spool, *uids: str) -> None:
    """Files of that name; what is in them is not looked at."""
    for uid in uids:
        path = spool.path(f"20260101/{uid}.dcm")
        path.parent.mkdir(exist_ok=True)
        path.touch()


def uids(study: ChosenStudy) -> list[str]:
    return [file.uid for file in study.files]


def test_of_600_slices_one_is_chosen(spool: Spool) -> None:
    instances = [stored(header) for header in axial_series([float(z) for z in range(600)])]
    put(spool, "1.299")  # all others are not even there
    study = choose(spool, instances[::-1])
    assert uids(study) == ["1.299"]
    assert len(study.left_out) == 599
    (file,) = study.files
    assert (file.path, file.sha256) == (spool.path("20260101/1.299.dcm"), "ab12")
    assert file.chosen.rule == "middle by position of 600 slices"


def test_a_study_without_any_file_says_so(spool: Spool) -> None:
    study = choose(spool, [stored(axial_series([0.0])[0])])
    assert uids(study) == []
    assert "its file is gone from the spool (spool.keep_days)" in study.left_out["1.0"]


def _gone(headers: list[ImageHeader]) -> list[StoredInstance]:
    """Instances whose files are in no spool of ours."""
    return [StoredInstance(h.sop_instance_uid, None, h.to_json(), None) for h in headers]


def test_an_image_whose_file_is_gone_keeps_its_vector(spool: Spool) -> None:
    series = axial_series([0.0, 1.0, 2.0])
    study = choose(spool, _gone(series), {("1.1", None): 17, ("1.0", None): 16})
    assert (uids(study), list(study.kept)) == ([], [17])
    assert study.left_out.keys() == {"1.0", "1.2"}


def test_where_the_middle_is_gone_the_choice_is_made_among_what_is_left(spool: Spool) -> None:
    """Of slices 0 to 8 the middle is 4; of 2, which is embedded, and 5 and 6 here, it is 5."""
    series = axial_series([float(z) for z in range(9)])
    put(spool, "1.5", "1.6")
    here = [stored(series[5]), stored(series[6])]
    study = choose(spool, [*_gone(series[:5]), *here, *_gone(series[7:])], {("1.2", None): 17})
    assert uids(study) == ["1.5"]
    assert list(study.kept) == []
    assert "gone from the spool" in study.left_out["1.4"]
    assert len(study.left_out) == 8


def test_a_series_that_is_whole_is_chosen_from_as_ever(spool: Spool) -> None:
    """Another series of the study lacks all of its files."""
    whole = axial_series([0.0, 1.0, 2.0])
    other = ImageHeader(**{**vars(whole[0]), "sop_instance_uid": "9.1", "series_instance_uid": "9"})
    put(spool, "1.1")
    study = choose(spool, [*map(stored, whole), *_gone([other])])
    assert uids(study) == ["1.1"]
    assert study.left_out.keys() == {"1.0", "1.2", "9.1"}


def _ten_frames() -> ImageHeader:
    header = axial_series([0.0])[0]
    return ImageHeader(**{**vars(header), "modality": "XA", "number_of_frames": 10})


def test_a_vector_of_another_frame_stands_for_nothing(spool: Spool) -> None:
    """A header of ten frames, of which the fifth would be embedded (PS3.3 C.7.6.16: from 1)."""
    gone = _gone([_ten_frames()])
    assert list(choose(spool, gone, {("1.0", 5): 17}).kept) == [17]
    assert "gone from the spool" in choose(spool, gone, {("1.0", 6): 17}).left_out["1.0"]


@pytest.mark.parametrize(("frame", "key", "number"), [(None, "1.0", None), (4, "1.0#5", 5)])
def test_what_an_image_is_named_and_kept_by(
    spool: Spool, frame: int | None, key: str, number: int | None
) -> None:
    """The decoder counts frames from 0, the standard from 1 (PS3.3 C.7.6.16)."""
    chosen = ChosenImage(_ten_frames(), frame, "")
    file = ChosenFile(chosen, spool.path("20260101/1.0.dcm"), "ab12")
    assert file.key == key
    kept = file.kept_key("rules")
    assert (kept.sha256, kept.frame, kept.window_rule) == ("ab12", number, "rules")
