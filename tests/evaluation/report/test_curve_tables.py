"""An ablation's picture and table."""

import base64
import xml.etree.ElementTree as ET
from dataclasses import replace

from evaluation.ablation.asked import Ablated
from evaluation.ablation.curves import Ablation, Point
from evaluation.figures import Figure
from evaluation.report.curve_tables import curve_picture, design_says, size_blocks
from tests.evaluation.report.made import SCRIPT


def point(size: int, value: float) -> Point:
    figure = Figure("p@1", "micro", value, value - 0.1, value + 0.1, 0.5, 0.0, 0.1, 12, 0, 9)
    return Point(size, figure, (value, value))


def curve(system: str, *values: float) -> Ablation:
    points = tuple(point(size, value) for size, value in zip((5, 1000), values, strict=True))
    return Ablation(system, "p@1", points, ("a", "b"), (), 3, (0, 1))


FOUND = Ablated("kind", "p@1", (curve("one", 0.5, 0.75), curve(SCRIPT, 0.25, 0.5)))


def test_the_picture_is_an_image_that_says_what_it_shows() -> None:
    picture = curve_picture(FOUND)
    assert picture.title == "p@1 by images of each class in the index, kind"
    assert picture.says == (
        f"From 5 to 1,000 images of each class: one .500 to .750; {SCRIPT} .250 to .500."
    )
    kind, _, data = picture.uri.partition(",")
    assert kind == "data:image/svg+xml;base64"
    words = "".join(ET.fromstring(base64.b64decode(data)).itertext())
    assert "one" in words
    assert SCRIPT in words


def test_a_block_for_each_size() -> None:
    blocks = list(size_blocks(FOUND))
    assert [block.size for block in blocks] == [5, 1000]
    told = [(system, one.figure.value) for system, one in blocks[1].lines]
    assert told == [("one", 0.75), (SCRIPT, 0.5)]


def test_how_it_was_drawn() -> None:
    assert design_says(FOUND) == "3 queries of each of 2 classes, drawn anew with each seed (0, 1)."
    lacking = replace(FOUND.curves[0], left_out=(("rare", 1, 2_000),))
    assert design_says(Ablated("kind", "p@1", (lacking,))) == (
        "3 queries of each of 2 classes, drawn anew with each seed (0, 1). Left out, with too few "
        "images: rare (1 may ask, 2,000 answer)."
    )
