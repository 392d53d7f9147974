"""Small pictures, and what is said where there is none."""

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.report.thumbnails import SIDE, Thumbnail, thumbnails
from tests.evaluation.report.made import collection_of, pictures


def opened(small: Thumbnail) -> Image.Image:
    kind, _, data = small.uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(BytesIO(base64.b64decode(data)))


def test_long_sides_become_short_and_small_pictures_stay(tmp_path: Path) -> None:
    Image.fromarray(np.full((400, 200), 90, np.uint8)).save(tmp_path / "tall.png")
    Image.fromarray(np.full((40, 60), 90, np.uint8)).save(tmp_path / "small.png")
    paths = (tmp_path / "tall.png", tmp_path / "small.png")
    found = thumbnails(collection_of(["a", "b"], paths=paths), [0, 1, 1])
    assert (found[0].width, found[0].height) == (SIDE // 2, SIDE)
    assert (found[1].width, found[1].height) == (60, 40)
    picture = opened(found[0])
    assert (picture.size, picture.mode) == ((SIDE // 2, SIDE), "L")
    assert picture.getextrema() == (90, 90)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (good,) = pictures(tmp_path, 1)
    (tmp_path / "text.png").write_text("no picture")
    paths = (good, tmp_path / "gone.png", tmp_path / "text.png", tmp_path)
    found = thumbnails(collection_of(["a"] * 4, paths=paths), range(4))
    assert found[0].uri
    for at, name in ((1, "gone.png"), (2, "text.png"), (3, str(tmp_path))):
        assert not found[at].uri
        assert name in found[at].fault


def test_without_files_there_are_none() -> None:
    assert thumbnails(collection_of(["a", "b"]), [0, 1]) == {}


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    collection = collection_of(["a"] * 3, paths=pictures(tmp_path, 3))
    thumbnails(collection, [2, 0], lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]
