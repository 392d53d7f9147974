"""Boxes of regions on a collection's images."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.regions.names import REGIONS
from evaluation.collection import Collection, CollectionError
from evaluation.readers.drawn import COLUMNS, with_regions
from tests.evaluation.readers.made import write_rows

ROWS, WIDE = 40, 60
Row = list[object]


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    for at in range(3):
        Image.fromarray(np.zeros((ROWS, WIDE), np.uint8)).save(tmp_path / f"{at}.png")
    return Collection(
        name="the set",
        ids=("0.png", "1.png", "2.png"),
        patients=("a", "b", "c"),
        label_names=("Mass",),
        states=np.zeros((3, 1), np.int8),
        paths=tuple(tmp_path / f"{at}.png" for at in range(3)),
    )


def rows(*images: str) -> list[Row]:
    """Region i begins i pixels from the left and from above, 20 wide and 10 high."""
    return [[one, name, at, at, 20, 10] for one in images for at, name in enumerate(REGIONS)]


def drawn(collection: Collection, folder: Path, lines: Iterable[Row]) -> Collection:
    return with_regions(collection, write_rows(folder / "boxes.csv", [COLUMNS, *lines]))


def test_boxes_are_parts_of_the_image_in_the_order_of_regions(
    collection: Collection, tmp_path: Path
) -> None:
    found = drawn(collection, tmp_path, reversed(rows("0.png", "1.png", "2.png")))
    assert found.boxes is not None
    assert found.boxes.shape == (3, len(REGIONS), 4)
    assert found.boxes.dtype == np.float32
    for at in range(len(REGIONS)):
        np.testing.assert_allclose(
            found.boxes[1, at], [at / WIDE, at / ROWS, 20 / WIDE, 10 / ROWS], rtol=1e-6
        )
    assert found.region_states is None
    assert found.label_names == ("Mass",)
    assert found.notes == ()


def test_images_that_lack_a_region_are_left_out_and_told(
    collection: Collection, tmp_path: Path
) -> None:
    lines = rows("0.png", "1.png")[:-1]
    found = drawn(collection, tmp_path, lines)
    assert found.ids == ("0.png",)
    assert found.notes == ("2 images without a box of each region are left out",)


def test_boxes_of_other_images_are_passed_over(collection: Collection, tmp_path: Path) -> None:
    found = drawn(collection, tmp_path, rows("elsewhere.png", "2.png"))
    assert found.ids == ("2.png",)


def _moved(x: float, y: float) -> Callable[[Row], None]:
    def harm(row: Row) -> None:
        row[2:4] = [x, y]

    return harm


def _at(place: int, value: object) -> Callable[[Row], None]:
    def harm(row: Row) -> None:
        row[place] = value

    return harm


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_at(1, "heart"), "'heart' is no region; there are right lung"),
        (_at(1, ""), "'' is no region"),
        (_at(1, "right apical zone"), "right apical zone of 0.png stands twice; remove one"),
        (_at(4, 0), "the box of right lung is 0.0 x 10.0 pixels; it needs an area"),
        (_at(4, -3), "needs an area"),
        (_at(4, "nan"), "needs an area"),
        (_at(4, "wide"), "width"),
        (_at(4, ""), "width"),
        (_at(2, "nan"), "0.png: the box of right lung.*is not inside the image"),
        (_at(4, "inf"), "boxes reach inf times as far"),
        (_moved(41.3, 0), "has 60 x 40 pixels, and boxes reach 1.02 times as far.*another size"),
        (_moved(600, 400), "0.png has 60 x 40 pixels, and boxes reach 10.33 times as far"),
        (_moved(-2, 0), "begin 0.03 of a side before the first.*another size"),
        (_moved(0, "-inf"), "begin inf of a side before the first"),  # type: ignore[arg-type]
    ],
)
def test_faulty_boxes(
    collection: Collection, tmp_path: Path, harm: Callable[[Row], None], message: str
) -> None:
    lines = rows("0.png")
    harm(lines[0])
    with pytest.raises(CollectionError, match=message):
        drawn(collection, tmp_path, lines)


def test_what_passes_the_edge_by_a_hair_is_cut(collection: Collection, tmp_path: Path) -> None:
    lines = rows("0.png")
    lines[0][2:6] = [-1, -0.5, 62, 41]
    found = drawn(collection, tmp_path, lines)
    assert found.boxes is not None
    np.testing.assert_allclose(found.boxes[0, 0], [0, 0, 1, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no rows|no image"),
        ([["other.png", name, 0, 0, 5, 5] for name in REGIONS], "no image of the set has a box"),
        ([["0.png", "trachea", 0, 0, 5, 5]], "no image of the set has a box of each of the 18"),
    ],
)
def test_boxes_of_no_image_that_is_here(
    collection: Collection, tmp_path: Path, lines: list[Row], message: str
) -> None:
    with pytest.raises(CollectionError, match=message):
        drawn(collection, tmp_path, lines)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_that_is_not_there(collection: Collection, tmp_path: Path, column: str) -> None:
    at = COLUMNS.index(column)
    whole: list[Row] = [list(COLUMNS), *rows("0.png")]
    table = [[*one[:at], *one[at + 1 :]] for one in whole]
    with pytest.raises(CollectionError, match=f"has no column '{column}'"):
        with_regions(collection, write_rows(tmp_path / "boxes.csv", table))


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.json", "nowhere"])
def test_a_place_that_is_not_there(collection: Collection, tmp_path: Path, name: str) -> None:
    with pytest.raises((CollectionError, OSError), match=name):
        with_regions(collection, tmp_path / name)


def test_an_image_that_cannot_be_read(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no picture")
    with pytest.raises(CollectionError, match=r"0.png cannot be read"):
        drawn(collection, tmp_path, rows("0.png"))
