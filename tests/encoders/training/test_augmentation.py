"""What lots do to an image, seen on bright dots whose places are known by trigonometry."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.training.augmentation import augmentation_of
from encoders.training.recipe import Augmentation

SIZE = 101
CENTRE = (SIZE - 1) / 2
EVERYTHING = {
    "flip": 0.5,
    "rotate": 10,
    "translate": 0.1,
    "scale": 0.8,
    "gamma": 0.5,
    "noise": 0.1,
    "erase": 0.5,
}
NUMBERS = range(60)


def changed(gray: Tensor, number: int, **asked: float) -> Tensor:
    return augmentation_of(Augmentation.model_validate(asked), gray.shape[-1])(gray, number)


def dot(right: float, down: float) -> Tensor:
    """A blurred dot so many pixels from the centre; its centre of mass tells its place."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - CENTRE
    squares = (columns - right) ** 2 + (rows - down) ** 2
    return torch.from_numpy(np.exp(-squares / (2 * 2.0**2)))[None].float()


def place(gray: Tensor) -> complex:
    """Right and, upwards, minus down of the centre of mass, from the centre."""
    weights = gray[0].double().numpy()
    rows, columns = np.mgrid[:SIZE, :SIZE] - CENTRE
    right, down = ((weights * one).sum() / weights.sum() for one in (columns, rows))
    return complex(right, -down)


def test_nothing_asked_for_changes_nothing() -> None:
    gray = torch.rand(1, 20, 20)
    assert torch.equal(changed(gray, 5), gray)


@pytest.mark.parametrize(
    "asked", [{name: value} for name, value in EVERYTHING.items()] + [EVERYTHING]
)
def test_the_same_number_gives_the_same_bits_and_another_others(asked: dict[str, Any]) -> None:
    gray = torch.rand(1, 32, 32)
    augment = augmentation_of(Augmentation(**asked), 32)
    first = [augment(gray, number) for number in NUMBERS]
    again = augmentation_of(Augmentation(**asked), 32)
    for number in reversed(NUMBERS):  # whatever was drawn before
        assert torch.equal(again(gray, number), first[number])
    assert any(not torch.equal(one, first[0]) for one in first)


def test_lots_are_not_those_of_the_process() -> None:
    gray = torch.rand(1, 32, 32)
    torch.manual_seed(1)
    first = changed(gray, 9, **EVERYTHING)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    assert torch.equal(changed(gray, 9, **EVERYTHING), first)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("size", [1, 7, 32, 65])
def test_what_comes_out_is_a_plain_image_in_range_and_what_went_in_is_as_before(size: int) -> None:
    augment = augmentation_of(Augmentation(**{**EVERYTHING, "erase": 1.0, "noise": 0.5}), size)
    gray = torch.rand(1, size, size)
    before = gray.clone()
    for number in NUMBERS:
        found = augment(gray, number)
        assert type(found) is Tensor
        assert found.shape == (1, size, size)
        assert found.dtype == torch.float32
        assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(gray, before)


def test_an_even_image_stays_a_number() -> None:
    augment = augmentation_of(Augmentation(**EVERYTHING), 16)
    for level in (0.0, 1.0):
        found = augment(torch.full((1, 16, 16), level), 3)
        assert found.isfinite().all()


def test_the_largest_number_of_a_lot_is_taken() -> None:
    assert changed(torch.rand(1, 8, 8), 2**32 - 1, **EVERYTHING).shape == (1, 8, 8)


def test_a_flip_turns_left_to_right_and_never_upside_down() -> None:
    gray = torch.tensor([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]])
    mirrored = torch.tensor([[[0.3, 0.2, 0.1], [0.6, 0.5, 0.4], [0.9, 0.8, 0.7]]])
    assert torch.equal(changed(gray, 0, flip=1), mirrored)
    found = [changed(gray, number, flip=0.5) for number in range(400)]
    flipped = sum(torch.equal(one, mirrored) for one in found)
    assert flipped + sum(torch.equal(one, gray) for one in found) == 400
    assert 150 < flipped < 250  # 200 and five standard deviations of 10


def test_two_dots_turn_by_one_angle_within_the_bounds() -> None:
    first, second = dot(30, 0), dot(0, -20)  # to the right of the centre, and above it
    angles = []
    for number in NUMBERS:
        found = place(changed(first, number, rotate=12))
        angle = math.atan2(found.imag, found.real)
        assert abs(found) == pytest.approx(30, abs=0.05)
        other = place(changed(second, number, rotate=12))
        # turned by the same angle, (0, 20) stands at (-20 sin, 20 cos)
        assert other.real == pytest.approx(-20 * math.sin(angle), abs=0.05)
        assert other.imag == pytest.approx(20 * math.cos(angle), abs=0.05)
        angles.append(math.degrees(angle))
    assert -12.1 < min(angles) < -9
    assert 9 < max(angles) < 12.1


def test_shifts_go_either_way_within_the_bounds() -> None:
    found = [
        place(changed(dot(3, 4), number, translate=0.1)) - complex(3, -4) for number in NUMBERS
    ]
    for along in ([one.real for one in found], [one.imag for one in found]):
        assert -10.2 < min(along) < -7
        assert 7 < max(along) < 10.2


def test_a_part_is_brought_to_the_whole_each_side_by_its_own_lot() -> None:
    factors = []
    for number in NUMBERS:
        across = place(changed(dot(30, 0), number, scale=0.8)).real / 30
        down = -place(changed(dot(0, 30), number, scale=0.8)).imag / 30
        factors += [across, down]
        assert 0.99 < min(across, down) < max(across, down) < 1 / 0.8 + 0.01
    assert min(factors) < 1.02
    assert max(factors) > 1.22


def test_what_comes_from_beyond_the_image_is_black() -> None:
    gray = torch.ones(1, 32, 32)
    found = changed(gray, 4, rotate=30, translate=0.2)
    assert found[0, 16, 16] == 1
    assert (found == 0).any()


def test_gamma_is_one_exponent_within_the_bounds() -> None:
    gray = torch.linspace(0, 1, 16).reshape(1, 4, 4)
    exponents = []
    for number in NUMBERS:
        found = changed(gray, number, gamma=0.5).flatten()
        assert found[0] == 0
        assert found[-1] == pytest.approx(1, abs=1e-5)
        each = found[1:-1].log() / gray.flatten()[1:-1].log()
        assert each.max() - each.min() < 1e-3
        exponents.append(each.mean().item())
    assert 1 / 1.5 - 1e-3 < min(exponents) < 0.75
    assert 1.4 < max(exponents) < 1.5 + 1e-3


def test_noise_has_the_standard_deviation_that_is_asked_for() -> None:
    gray = torch.full((1, 100, 100), 0.5)
    for number in range(10):
        added = changed(gray, number, noise=0.05) - gray
        assert added.std().item() == pytest.approx(0.05, rel=0.04)
        assert added.mean().item() == pytest.approx(0, abs=0.003)


def test_one_rectangle_is_made_even_with_the_images_mean() -> None:
    gray = torch.rand(1, 50, 40)[:, :40]
    sides, corners = set(), set()
    for number in range(300):
        rows, columns = (changed(gray, number, erase=1) != gray)[0].nonzero(as_tuple=True)
        high, wide = (int(one.max() - one.min()) + 1 for one in (rows, columns))
        assert len(rows) == high * wide  # no gap in it
        found = changed(gray, number, erase=1)[0, rows, columns]
        torch.testing.assert_close(found, gray.mean().expand(len(rows)))
        sides |= {high, wide}
        corners |= {int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())}
    assert sides == set(range(2, 8))  # a twentieth of 40 and more, less than a fifth
    assert {0, 39} <= corners


def test_so_many_images_are_erased() -> None:
    gray = torch.rand(1, 40, 40)
    erased = sum(not torch.equal(changed(gray, number, erase=0.3), gray) for number in range(400))
    assert 75 < erased < 165  # 120 and five standard deviations of 9
