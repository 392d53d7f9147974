"""The weight-free descriptor: promises about every vector, and what it finds among real images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks import baseline_quality as quality
from encoders.baseline import PREPROCESSING, describe
from encoders.baseline_size import DIMENSION, VERSION

Pixels = NDArray[np.float32]


def made_image(seed: int, size: int = 300) -> Pixels:
    """Return an image like a radiograph: a bright body, two dark fields, smooth and fine grain."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    image = 0.7 * (row**2 / 0.9 + column**2 / random.uniform(0.5, 0.9) < 1)
    for side in (-0.35, 0.35):
        field = row**2 / random.uniform(0.2, 0.4) + (column - side) ** 2 / 0.06 < 1
        image = np.where(field, random.uniform(0.2, 0.4), image)
    for width in (1, 4, 16):
        grain = ndimage.gaussian_filter(random.standard_normal((size, size)), width)
        image = image + 0.03 * grain / grain.std()
    smooth = ndimage.gaussian_filter(image, 1)
    return np.asarray(smooth.clip(0, 1), dtype=np.float32)


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 2), (3, 2), (15, 17), (255, 257), (512, 512), (1, 4000), (4000, 2), (700, 1100)],
)
@pytest.mark.parametrize("kind", ["black", "white", "grey", "noise"])
def test_every_image_gives_a_finite_vector_of_unit_length(
    shape: tuple[int, int], kind: str
) -> None:
    noise = np.random.default_rng(1).random(shape, dtype=np.float32)
    level = {"black": 0.0, "white": 1.0, "grey": 0.5}
    image = noise if kind == "noise" else np.full(shape, level[kind], dtype=np.float32)
    vector = describe(image)
    assert vector.shape == (DIMENSION,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_the_space_is_described() -> None:
    assert DIMENSION <= 2048
    assert VERSION
    assert "256x256" in PREPROCESSING


def test_the_same_image_gives_the_same_vector_and_stays_as_it_was() -> None:
    image = made_image(1)
    before = image.copy()
    first, second = describe(image), describe(image.copy(order="F"))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((4, 4, 3)), "shape"),
        (np.zeros(4), "shape"),
        (np.zeros((0, 4)), "pixel"),
        (np.array([[0.5, np.nan]]), "NaN"),
        (np.array([[0.5, np.inf]]), "infinite"),
        (np.array([[0.0, 255.0]]), "255"),
        (np.array([[-0.5, 0.5]]), "-0.5"),
    ],
)
def test_what_has_no_descriptor_is_refused_with_the_reason(
    image: NDArray[np.float64], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        describe(image.astype(np.float32))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("change", "least"),
    [
        (lambda image: np.clip(image + 0.02, 0, 1), 0.9),
        (lambda image: image * 0.97, 0.9),
        (lambda image: np.roll(image, 1, axis=0), 0.9),
        (lambda image: np.roll(image, 1, axis=1), 0.9),
        (lambda image: image + np.float32(1e-6) * (image < 0.5), 0.999),
    ],
    ids=["brighter", "darker", "shifted down", "shifted right", "rounding"],
)
def test_a_slight_change_stays_alike(
    seed: int, change: Callable[[Pixels], Pixels], least: float
) -> None:
    image = made_image(seed)
    assert describe(image) @ describe(change(image)) >= least


def test_a_copy_at_another_size_is_more_alike_than_another_image() -> None:
    image = made_image(1, 512)
    smaller = image.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    alike = describe(image) @ describe(smaller)
    assert alike > 0.99
    assert alike > describe(image) @ describe(made_image(2, 512))


def test_different_images_differ() -> None:
    noise = np.random.default_rng(1).random((300, 300), dtype=np.float32)
    images = [made_image(1), 1 - made_image(1), noise, np.zeros((9, 9), dtype=np.float32)]
    vectors = np.stack([describe(image) for image in images])
    others = (vectors @ vectors.T)[~np.eye(len(images), dtype=bool)]
    assert others.max() < 0.9


@pytest.mark.parametrize("angle", [0.0, 90.0])
def test_turning_an_image_changes_its_vector(angle: float) -> None:
    image = made_image(2)
    turned = ndimage.rotate(image, angle, order=0, reshape=False)
    assert (describe(image) @ describe(turned.clip(0, 1)) > 0.9999) == (angle == 0)


def precision(collection: quality.Collection) -> float:
    return float(quality.first_hits(collection, describe).values.mean())


@pytest.mark.shared_data
def test_chest_radiographs_find_their_class_better_than_pixels_do(shared_data: Path) -> None:
    everything, *views = quality.chest_collections(shared_data)
    # 32 x 32 grey pixels reach .664 on these; .70 is what the descriptor was asked for
    assert precision(everything) >= 0.70
    assert min(precision(view) for view in views) > 0.664


@pytest.mark.shared_data
def test_each_kind_of_image_finds_its_label_better_than_pixels_do(shared_data: Path) -> None:
    found = [precision(collection) for collection in quality.set_collections(shared_data)]
    # 32 x 32 grey pixels reach .50 on average over these; .58 was asked for
    assert np.mean(found) >= 0.58
