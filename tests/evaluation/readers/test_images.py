"""Image files: which must be there, and what is told of those that are not."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.collection import Collection
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images, find_in, if_there, with_images
from tests.evaluation.readers.made import touch

NAMES = ("a.png", "b.png", "c.png")


def read(place: Path, images: Images) -> Collection:
    bare = Collection("Set", NAMES, ("1", "2", "3"), ("x",), np.array([[0], [1], [0]], np.int8))
    return with_images(bare, images, place, lambda: if_there(place / name for name in NAMES))


def test_all_images_have_their_files(tmp_path: Path) -> None:
    touch(tmp_path, *NAMES)
    found = read(tmp_path, Images.ALL)
    assert found.paths == tuple(tmp_path / name for name in NAMES)
    assert found.notes == ()


def test_missing_images_are_refused_counted_and_named(tmp_path: Path) -> None:
    touch(tmp_path, "b.png")
    with pytest.raises(ReaderError, match=r"Set: 2 of 3 image files are not in .*: a\.png, c\.png"):
        read(tmp_path, Images.ALL)


def test_those_that_are_present_may_do(tmp_path: Path) -> None:
    touch(tmp_path, "b.png")
    found = read(tmp_path, Images.PRESENT)
    assert (found.ids, found.patients, found.paths) == (("b.png",), ("2",), (tmp_path / "b.png",))
    assert found.states.tolist() == [[1]]
    left_out = f"2 of 3 image files are not in {tmp_path} and are left out: a.png, c.png"
    assert found.notes == (f"Set: {left_out}",)


def test_with_none_present_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="3 of 3 image files"):
        read(tmp_path, Images.PRESENT)


def test_with_vectors_nobody_looks_for_images(tmp_path: Path) -> None:
    assert read(tmp_path, Images.NONE).paths == ()


def test_files_are_found_in_the_first_of_several_folders(tmp_path: Path) -> None:
    touch(tmp_path, "1/a.png", "2/a.png", "2/b.png")
    folders = [tmp_path / "0", tmp_path / "1", tmp_path / "2"]
    assert find_in(folders, NAMES) == [tmp_path / "1/a.png", tmp_path / "2/b.png", None]
