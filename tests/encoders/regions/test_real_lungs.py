"""Automatic regions on real chest radiographs, of several hospitals and exposures."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.regions.crops import Gray, checked
from encoders.regions.layouts import Regions, regions_of
from encoders.regions.names import REGIONS

EACH = 29
"""Every so many of the 863 images is tried."""


@pytest.fixture(scope="module")
def found(shared_data: Path) -> tuple[tuple[Gray, Regions], ...]:
    with (shared_data / "cxr" / "manifest.csv").open(encoding="utf-8") as lines:
        files = [row["file"] for row in csv.DictReader(lines)][::EACH]
    images = []
    for file in files:
        with Image.open(shared_data / "cxr" / file) as picture:
            images.append(np.asarray(picture.convert("L"), np.float32) / np.float32(255))
    return tuple((image, regions_of("anatomy 18", image)) for image in images)


@pytest.mark.shared_data
def test_most_have_lungs_that_stand_out(found: tuple[tuple[Gray, Regions], ...]) -> None:
    rules = Counter(regions.rule for _, regions in found)
    assert rules["lung field"] >= 0.8 * len(found)


@pytest.mark.shared_data
def test_regions_lie_as_in_a_chest(found: tuple[tuple[Gray, Regions], ...]) -> None:
    for _, regions in found:
        checked(regions.boxes, regions.names)
        centres = regions.boxes[:, :2] + regions.boxes[:, 2:] / 2
        at = dict(zip(REGIONS, centres.tolist(), strict=True))
        across = [at[name][0] for name in ("right lung", "trachea", "left lung")]
        down = [at[f"right {zone} lung zone"][1] for zone in ("upper", "mid", "lower")]
        assert across == sorted(across)
        assert down == sorted(down)


@pytest.mark.shared_data
def test_lungs_are_darker_than_the_mediastinum(found: tuple[tuple[Gray, Regions], ...]) -> None:
    """Of the boxes found by lungs: of the level itself, which the search never looked at."""
    darker = []
    for image, regions in found:
        if regions.rule == "lung field":
            rows, columns = image.shape
            left, top, width, height = regions.boxes[REGIONS.index("mediastinum")].tolist()
            middle = round((left + width / 2) * columns)
            strip = slice(round((top + 0.5 * height) * rows), round((top + 0.9 * height) * rows))
            spine = image[strip, max(0, middle - columns // 40) : middle + columns // 40]
            left, top, width, height = regions.boxes[REGIONS.index("right mid lung zone")].tolist()
            lung = image[
                round(top * rows) : round((top + height) * rows),
                round((left + 0.25 * width) * columns) : round((left + 0.75 * width) * columns),
            ]
            darker.append(lung.mean() < spine.mean())
    assert np.mean(darker) > 0.95
