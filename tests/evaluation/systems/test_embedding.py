"""Vectors of image files: kept, gone on with, and refused where an image cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderError, EncoderOptions, Prepared
from encoders.image import GrayscaleImage
from encoders.space import Space
from evaluation.collection import Collection, CollectionError
from evaluation.systems.embedding import embed
from evaluation.systems.images import read_picture
from evaluation.systems.naming import encoder_of, system_of

COUNT = 7


@dataclass
class Counting:
    """An encoder that counts, and stops after so many batches where it is told to."""

    stops_after: int = 1000
    asked: list[int] = field(default_factory=list)
    space = Space("counting", "1", "", "", "", "", "", 2)
    batch = 2
    lanes = 1

    def prepare(self, image: GrayscaleImage) -> Prepared:
        return np.array([image.pixels.mean(), 1], np.float32)

    def infer(self, prepared: Sequence[Prepared]) -> np.ndarray:
        if len(self.asked) >= self.stops_after:
            raise KeyboardInterrupt
        self.asked.append(len(prepared))
        vectors = np.stack(prepared)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    paths = []
    for at in range(COUNT):
        paths.append(tmp_path / f"{at}.png")
        Image.fromarray(np.full((4, 5), at * 20, np.uint8)).save(paths[-1])
    ids = tuple(path.name for path in paths)
    return Collection("made", ids, ids, (), np.zeros((COUNT, 0), np.int8), paths=tuple(paths))


def expected() -> np.ndarray:
    grey = np.arange(COUNT) * 20 / 255
    return np.stack([grey, np.ones(COUNT)], axis=1) / np.hypot(grey, 1)[:, None]


def test_embedded_once(collection: Collection, tmp_path: Path) -> None:
    first, told = Counting(), []
    found = embed(collection, CheckedEncoder(first), tmp_path, lambda *counts: told.append(counts))
    np.testing.assert_allclose(found, expected(), atol=1e-6)
    assert first.asked == [2, 2, 2, 1]
    assert told == [(0, 7), (2, 7), (4, 7), (6, 7), (7, 7)]
    second = Counting()
    np.testing.assert_array_equal(embed(collection, CheckedEncoder(second), tmp_path), found)
    assert second.asked == []


def test_gone_on_with_after_a_stop(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        embed(collection, CheckedEncoder(Counting(stops_after=2)), tmp_path)
    second = Counting()
    found = embed(collection, CheckedEncoder(second), tmp_path)
    np.testing.assert_allclose(found, expected(), atol=1e-6)
    assert second.asked == [2, 1]


def test_a_file_that_changed_is_embedded_again(collection: Collection, tmp_path: Path) -> None:
    embed(collection, CheckedEncoder(Counting()), tmp_path)
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(collection.paths[0])
    found = embed(collection, CheckedEncoder(Counting()), tmp_path)
    assert found[0].tolist() == pytest.approx([0.5**0.5] * 2)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_damaged_files_of_vectors_are_made_anew(
    collection: Collection, tmp_path: Path, content: bytes
) -> None:
    embed(collection, CheckedEncoder(Counting()), tmp_path)
    (kept,) = tmp_path.glob("vectors/*.npy")
    kept.write_bytes(content)
    found = embed(collection, CheckedEncoder(Counting()), tmp_path)
    np.testing.assert_allclose(found, expected(), atol=1e-6)


def test_an_image_that_is_none_is_named(collection: Collection, tmp_path: Path) -> None:
    collection.paths[3].write_bytes(b"no picture")
    with pytest.raises(CollectionError, match=r"3\.png is neither DICOM nor a picture"):
        embed(collection, CheckedEncoder(Counting()), tmp_path)


def test_an_image_that_is_gone_is_named(collection: Collection, tmp_path: Path) -> None:
    collection.paths[2].unlink()
    with pytest.raises(CollectionError, match=r"2\.png cannot be read: No such file"):
        embed(collection, CheckedEncoder(Counting()), tmp_path)


def test_without_files_there_is_nothing_to_embed(tmp_path: Path) -> None:
    bare = Collection("bare", ("a",), ("p",), (), np.zeros((1, 0), np.int8))
    with pytest.raises(CollectionError, match="no image files"):
        embed(bare, CheckedEncoder(Counting()), tmp_path)


@pytest.mark.parametrize(
    ("mode", "value", "grey"),
    [
        ("L", 255, 1),
        ("L", 51, 0.2),
        ("I;16", 65535, 1),
        ("I;16", 13107, 0.2),
        ("RGB", (255, 255, 255), 1),
        ("1", 1, 1),
        ("LA", (51, 255), 0.2),
    ],
)
def test_pictures_of_every_depth(
    tmp_path: Path, mode: str, value: int | tuple[int, ...], grey: float
) -> None:
    path = tmp_path / "one.png"
    Image.new(mode, (3, 2), value).save(path)
    found = read_picture(path).pixels
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, grey, atol=1e-6)


def test_a_picture_cut_off_is_named(collection: Collection) -> None:
    path = collection.paths[1]
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CollectionError, match=r"1\.png cannot be read"):
        read_picture(path)


def test_random_weights_by_seed(collection: Collection, tmp_path: Path) -> None:
    options = EncoderOptions(device="cpu")
    names = ["random:monai-densenet121", "random:monai-densenet121:0", "random:monai-densenet121:1"]
    first, again, other = (encoder_of(name, options) for name in names)
    image = GrayscaleImage(np.random.default_rng(0).random((64, 64), np.float32))
    vectors = [one.infer([one.prepare(image)])[0] for one in (first, again, other)]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert vectors[0] @ vectors[2] < 0.999
    assert first.space.id == again.space.id != other.space.id


def test_references(collection: Collection, tmp_path: Path) -> None:
    options = EncoderOptions()
    first = system_of("random", collection, tmp_path, options, seed=3)
    second = system_of("random", collection, tmp_path, options, seed=3)
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert first.vectors.shape[0] == COUNT
    with pytest.raises(EncoderError, match="no weights that could be random"):
        encoder_of("random:baseline", options)
    with pytest.raises(EncoderError, match="no encoder 'nothing'"):
        encoder_of("nothing", options)
