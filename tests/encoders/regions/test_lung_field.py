"""Lungs are found where they were drawn, however the image was exposed; what is none is told."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from encoders.regions.lung_field import LungField, fault, lung_field
from tests.encoders.regions.chests import LEFT_LUNG, RIGHT_LUNG, Gray, chest

GOOD = LungField(right=(0.1, 0.1, 0.35, 0.7), left=(0.55, 0.1, 0.3, 0.65), middle=0.5, contrast=2)


def edges(box: Any) -> np.ndarray:
    left, top, width, height = box
    return np.array([left, top, left + width, top + height])


def shared(one: Any, other: Any) -> float:
    """Intersection over union of two boxes."""
    a, b = edges(one), edges(other)
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(np.maximum(sides, 0)))
    return float(both / (one[2] * one[3] + other[2] * other[3] - both))


def test_drawn_lungs_are_found() -> None:
    found = lung_field(chest())
    assert fault(found) == ""
    for box, drawn in ((found.right, RIGHT_LUNG), (found.left, LEFT_LUNG)):
        assert shared(box, drawn) > 0.6
        assert np.abs(edges(box) - edges(drawn)).max() < 0.08
        assert (edges(box)[:2] < edges(drawn)[:2]).all()  # nothing of a lung is cut off
        assert (edges(box)[2:] > edges(drawn)[2:]).all()
    assert found.middle == pytest.approx(0.51, abs=0.05)


@pytest.mark.parametrize("shift", [-0.08, 0.08])
def test_moved_lungs_are_found_where_they_are(shift: float) -> None:
    image = chest()
    moved = np.roll(image, round(shift * image.shape[1]), axis=1)
    before, after = lung_field(image), lung_field(moved)
    assert after.middle - before.middle == pytest.approx(shift, abs=0.04)


def test_the_exposure_does_not_matter() -> None:
    """Any window that keeps the order of levels gives nearly the same lungs."""
    image = chest()
    for other in (image**2, np.sqrt(image), 100 + 3000 * image):
        found = lung_field(other.astype(np.float32))
        assert shared(found.right, lung_field(image).right) > 0.85
        assert shared(found.left, lung_field(image).left) > 0.85


def test_the_answer_is_the_same_each_time() -> None:
    image = chest()
    assert lung_field(image) == lung_field(image.copy(order="F"))


def test_the_size_in_pixels_hardly_matters() -> None:
    large, small = lung_field(chest(900, 700)), lung_field(chest(150, 170))
    assert shared(large.right, small.right) > 0.8
    assert shared(large.left, small.left) > 0.8


NOISE = np.random.default_rng(2).random((200, 180), dtype=np.float32)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.float32),
        np.full((1, 1), 0.5, np.float32),
        np.linspace(0, 1, 200, dtype=np.float32)[None],
        np.linspace(0, 1, 200, dtype=np.float32)[:, None],
        np.zeros((2000, 3), np.float32),
        NOISE,
        1 - chest(),
    ],
    ids=["even", "one pixel", "one row", "one column", "narrow", "noise", "inverted"],
)
def test_what_shows_no_lungs_is_not_believed(image: Gray) -> None:
    found = lung_field(image)
    assert fault(found) == "lungs do not stand out"
    for box in (found.right, found.left):
        assert (edges(box) >= 0).all()
        assert (edges(box) <= 1).all()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"contrast": 0.2}, "lungs do not stand out"),
        ({"right": (0.1, 0.1, 0.05, 0.2)}, "area of a lung"),
        ({"left": (0.0, 0.0, 0.7, 0.7)}, "area of a lung"),
        ({"right": (0.3, 0.1, 0.14, 0.7)}, "lungs unlike each other"),
        ({"left": (0.55, 0.1, 0.3, 0.3)}, "lungs unlike each other"),
        ({"left": (0.4, 0.1, 0.35, 0.65)}, "lungs overlap"),
        ({"middle": 0.2}, "midline at the side"),
    ],
)
def test_each_rule_has_its_words(changed: dict[str, Any], reason: str) -> None:
    assert fault(replace(GOOD, **changed)) == reason
