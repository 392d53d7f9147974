"""Lossy encodings of one image give nearly the same vector, and other images do not."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.baseline_quality import Collection, chest_collections, vectors_of
from encoders.baseline import describe
from encoders.grayscale import read_image
from tests.encoders.objects import files, needs_shared
from tests.telling import tell

Pixels = NDArray[np.float32]

pytestmark = [needs_shared, pytest.mark.shared_data]

LOSSY = [path for path in files("syntaxes", "*.dcm") if path.stem.endswith(("KI", "SN", "LY"))]
LEAST = 0.99


@pytest.fixture(scope="module")
def chest(shared_data: Path) -> Collection:
    return next(chest_collections(shared_data))


@pytest.fixture(scope="module")
def between_patients(chest: Collection) -> Pixels:
    vectors, patients = vectors_of(chest, describe), np.asarray(chest.patients)
    return np.asarray((vectors @ vectors.T)[patients[:, None] != patients[None, :]])


def lossless(path: Path) -> Path:
    """Return a lossless encoding of the same image; SC1 has no uncompressed one."""
    image = path.stem.split("_")[0]
    plain = path.with_name(f"{image}_UNC.dcm")
    return plain if plain.exists() else path.with_name(f"{image}_RLE.dcm")


def cosine(path: Path) -> float:
    return float(describe(read_image(path).pixels) @ describe(read_image(lossless(path)).pixels))


def as_jpeg(image: Pixels, quality: int) -> Pixels:
    held = io.BytesIO()
    Image.fromarray(np.round(image * 255).astype(np.uint8)).save(held, "JPEG", quality=quality)
    with Image.open(held) as picture:
        return np.asarray(picture, dtype=np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    """The cosine of each lossy file with its lossless reference."""
    return {path.stem: cosine(path) for path in LOSSY}


def test_every_lossy_encoding_gives_nearly_the_vector_of_its_image(
    found: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    table = "\n".join(f"{name:9} {value:.4f}" for name, value in found.items())
    tell(capsys, table)
    assert len(found) == 13
    assert {name: value for name, value in found.items() if value < LEAST} == {}


@pytest.mark.parametrize("quality", [50, 70, 90])
def test_a_chest_radiograph_stays_alike_as_jpeg(chest: Collection, quality: int) -> None:
    images = chest.images[::20]
    alike = [describe(image) @ describe(as_jpeg(image, quality)) for image in images]
    assert min(alike) >= LEAST


def test_images_of_two_patients_stay_apart(between_patients: Pixels) -> None:
    # without this a descriptor that finds everything alike would pass the tests above
    assert np.median(between_patients) < 0.87
    assert np.percentile(between_patients, 99) < 0.975
    assert np.percentile(between_patients, 99.9) < LEAST


def test_lossy_coding_costs_little_of_what_tells_two_patients_apart(
    found: dict[str, float], between_patients: Pixels
) -> None:
    # 0.207 before the scales were chosen for it
    assert (1 - min(found.values())) / (1 - np.median(between_patients)) < 0.1
