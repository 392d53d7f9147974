"""Images while a network learns: the same input as the encoder makes, plus the lot's changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from encoders.preprocessing import Preprocessing
from encoders.training import reading
from encoders.training.augmentation import augmentation_of
from encoders.training.fault import TrainingError
from encoders.training.reading import Images, Read
from encoders.training.recipe import Augmentation
from encoders.transforms import transforms_of
from tests.encoders.training.small import examples, read, recipe

PLAIN = augmentation_of(Augmentation(), 32)
WHOLE = recipe().preprocessing
BOXES = np.tile(np.array([[0.1, 0.2, 0.5, 0.6]], np.float32), (6, 1))


def images(asked: Preprocessing, read: Read = read, **more: object) -> Images:
    shown = replace(examples(6), **more)  # type: ignore[arg-type]
    return Images(shown, read, asked, PLAIN, 0)


@pytest.mark.parametrize(
    "asked",
    [
        WHOLE,
        replace(WHOLE, resize="shortest side"),
        replace(WHOLE, resize="longest side"),
        replace(WHOLE, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)),
        replace(WHOLE, low=-1024.0, high=1024.0, mean=(0.0,), std=(1.0,)),
        replace(WHOLE, stretch=True),
        replace(WHOLE, eight_bits=False),
        replace(WHOLE, eight_bits=False, filter="gaussian", resize="square"),
        replace(WHOLE, size=48, descriptor=True),
        replace(WHOLE, size=48, descriptor=True, mean=(0.1, 0.2), std=(0.5, 0.6)),
        replace(WHOLE, regions="grid 2x3"),
        replace(WHOLE, regions="grid 2x3", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)),
    ],
    ids=lambda asked: asked.text[:40],
)
def test_without_changes_a_network_learns_what_the_encoder_sees(asked: Preprocessing) -> None:
    found, _, _, at = images(asked)[3]
    expected = transforms_of(asked)(read(Path("3.png")))
    assert (found.shape, found.dtype) == (expected.shape, torch.float32)
    np.testing.assert_allclose(
        found.numpy(), expected.numpy(), atol=2e-4 * (asked.high - asked.low)
    )
    assert at == 3


def test_drawn_boxes_are_seen_instead_of_the_layout_s() -> None:
    asked = replace(WHOLE, regions="grid 2x3")
    boxes = np.stack([BOXES] * 6)
    found = images(asked, boxes=boxes)[2][0]
    expected = transforms_of(asked)(read(Path("2.png")), BOXES)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-5)
    assert not torch.allclose(found, images(asked)[2][0])


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (BOXES[:4], "2.png: 4 boxes for the 6 regions of grid 2x3"),
        (BOXES * np.float32(3), "2.png: the box of row 1 column 1, .* is not inside the image"),
        (BOXES * np.float32(np.nan), "is not inside the image"),
    ],
)
def test_boxes_that_do_not_fit(boxes: NDArray[np.float32], message: str) -> None:
    shown = images(replace(WHOLE, regions="grid 2x3"), boxes=np.stack([boxes] * 6))
    with pytest.raises(TrainingError, match=message):
        shown[2]


def test_each_file_is_read_once() -> None:
    told: list[str] = []

    def counting(path: Path) -> NDArray[np.float32]:
        told.append(path.name)
        return read(path)

    shown = images(WHOLE, counting)
    for _ in range(3):
        for at in range(len(shown)):
            shown[at]
    assert (told, shown.all_kept) == ([f"{at}.png" for at in range(6)], True)


def test_what_does_not_stay_in_memory_is_read_again_to_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = [images(WHOLE)[at][0] for at in range(6)]
    monkeypatch.setattr(reading, "ENOUGH", 2 * 4 * 32 * 32)
    shown = images(WHOLE)
    again = [[shown[at][0] for at in range(6)] for _ in range(2)]
    assert not shown.all_kept
    for some in again:
        assert all(torch.equal(one, other) for one, other in zip(some, whole, strict=True))


def test_changes_follow_from_seed_epoch_and_place() -> None:
    change = augmentation_of(Augmentation(rotate=20, noise=0.1), 32)

    def seen(seed: int, epoch: int, at: int) -> torch.Tensor:
        shown = Images(examples(6), lambda _: read(Path("1.png")), WHOLE, change, seed)
        shown.epoch = epoch
        return shown[at][0]

    assert torch.equal(seen(1, 2, 3), seen(1, 2, 3))
    others = [seen(2, 2, 3), seen(1, 3, 3), seen(1, 2, 4)]
    assert not any(torch.equal(seen(1, 2, 3), other) for other in others)


def test_the_descriptor_beside_a_changed_image_is_of_the_image_as_it_is() -> None:
    asked = replace(WHOLE, size=48, descriptor=True)
    change = augmentation_of(Augmentation(rotate=20, noise=0.1), 48)
    shown = Images(examples(6), read, asked, change, 0)
    expected = transforms_of(asked)(read(Path("3.png")))
    found = shown[3][0]
    assert found.shape == expected.shape == (2, 48, 48)
    assert torch.equal(found[-1], expected[-1])
    assert not torch.allclose(found[0], expected[0], atol=1e-2)


def test_a_filling_after_the_statistics_is_refused() -> None:
    with pytest.raises(TrainingError, match="fill_last"):
        images(replace(WHOLE, fill_last=True))
