"""Preprocessing equals the library's own processors, or what the authors' code says by hand.

What each repository's ``preprocessor_config.json`` publishes is written out here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from encoders.catalogue.transformers_nets import DECLARATIONS
from encoders.preprocessing import Preprocessing
from encoders.transforms import transforms_of

Pixels = NDArray[np.uint8]

SHAPES = [
    (300, 200),
    (200, 300),
    (7, 5),
    (5, 7),
    (1, 1),
    (223, 225),
    (224, 224),
    (257, 511),
    (33, 800),
    (1024, 850),
    (850, 1024),
]
NARROW = [(1024, 1), (1, 300)]  # the library takes seconds where it crops these afterwards

BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
RAD_DINO = {"image_mean": [0.5307] * 3, "image_std": [0.2583] * 3}
MEDCLIP = {"image_mean": [0.5862785803043838] * 3, "image_std": [0.27950088968644304] * 3}


def square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


def cropping(
    kind: Any, to: int, crop: int, statistics: dict[str, list[float]]
) -> Callable[..., Any]:
    made: Callable[..., Any] = kind(
        size={"shortest_edge": to}, crop_size=square(crop), resample=BICUBIC, **statistics
    )
    return made


PROCESSORS: dict[str, Callable[..., Any]] = {
    "vit-base-16-in21k": ViTImageProcessorPil(size=square(224), resample=BILINEAR, **HALF),
    "mae-base": ViTImageProcessorPil(size=square(224), resample=BILINEAR, **IMAGENET),
    "resnet-50": ConvNextImageProcessorPil(
        size={"shortest_edge": 224}, crop_pct=0.875, resample=BICUBIC, **IMAGENET
    ),
    "clip-vit-l-14": cropping(CLIPImageProcessorPil, 224, 224, CLIP),
    "dinov2-base": cropping(BitImageProcessorPil, 256, 224, IMAGENET),
    "rad-dino": cropping(BitImageProcessorPil, 518, 518, RAD_DINO),
    "sam-vit-b": SamImageProcessorPil(
        size={"longest_edge": 1024}, pad_size=square(1024), resample=BILINEAR, **IMAGENET
    ),
    "siglip-base": SiglipImageProcessorPil(size=square(224), resample=BICUBIC, **HALF),
    "siglip-so400m": SiglipImageProcessorPil(size=square(384), resample=BICUBIC, **HALF),
    "medsiglip-448": SiglipImageProcessorPil(size=square(448), resample=BICUBIC, **HALF),
    "medclip-swin-cropped": cropping(CLIPImageProcessorPil, 224, 224, MEDCLIP),
}
BY_HAND = {"medclip-swin", "medsam", "dinov3-base"}
SAME = {
    "resnet-50-logits": "resnet-50",
    "resnet-50-probabilities": "resnet-50",
    "dinov2-small": "dinov2-base",
    "dinov2-large": "dinov2-base",
    "dinov3-small": "dinov3-base",
    "dinov3-large": "dinov3-base",
    "medsam-sam-input": "sam-vit-b",
}
BY_NAME = {declared.name: declared.preprocessing for declared in DECLARATIONS}


def gray(shape: tuple[int, int]) -> Pixels:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape).astype(np.uint8)


def as_rgb(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels).convert("RGB")


def ours(asked: Preprocessing | None, pixels: Pixels) -> NDArray[np.float32]:
    assert asked is not None
    levels = (pixels / 255).astype(np.float32)
    found: NDArray[np.float32] = transforms_of(asked)(levels).numpy()
    return found


def statistics(pixels: NDArray[Any], asked: dict[str, list[float]]) -> NDArray[np.float64]:
    mean, std = (np.array(asked[key])[:, None, None] for key in ("image_mean", "image_std"))
    found: NDArray[np.float64] = (pixels / 255 - mean) / std
    return found


def test_each_entry_has_a_reference() -> None:
    assert set(BY_NAME) == set(PROCESSORS) | BY_HAND | set(SAME)
    assert all(BY_NAME[name] == BY_NAME[other] for name, other in SAME.items())


@pytest.mark.parametrize("name", PROCESSORS)
def test_as_the_librarys_processor(name: str) -> None:
    asked = BY_NAME[name]
    assert asked is not None
    narrow = NARROW if asked.resize != "shortest side" or name == "clip-vit-l-14" else []
    for shape in [*SHAPES, *narrow]:
        pixels = gray(shape)
        expected = np.asarray(PROCESSORS[name](as_rgb(pixels))["pixel_values"][0])
        np.testing.assert_allclose(ours(asked, pixels), expected, atol=1e-5, err_msg=str(shape))


@pytest.mark.parametrize("shape", [*SHAPES, *NARROW])
def test_dinov3_resizes_in_floating_point(shape: tuple[int, int]) -> None:
    """DINOv3ViTImageProcessor: to [0, 1], torch's resize with antialiasing, statistics.

    In double precision, for in single its places are off by up to 7e-5 of the statistics.
    """
    pixels = gray(shape)
    floats = torch.from_numpy(pixels).double()[None, None] / 255
    resized = torch.nn.functional.interpolate(floats, (224, 224), mode="bilinear", antialias=True)
    expected = statistics(resized[0].numpy() * 255, IMAGENET)
    np.testing.assert_allclose(ours(BY_NAME["dinov3-base"], pixels), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [*SHAPES, *NARROW])
def test_medclip_sets_the_image_in_a_black_square_first(shape: tuple[int, int]) -> None:
    """MedCLIPFeatureExtractor: a square of at least 224, the image pasted, then the resize."""
    pixels = gray(shape)
    rows, columns = shape
    side = max(224, rows, columns)
    black = Image.new("L", (side, side))
    black.paste(Image.fromarray(pixels), (int((side - columns) / 2), int((side - rows) / 2)))
    expected = statistics(np.asarray(black.resize((224, 224), BICUBIC)), MEDCLIP)
    np.testing.assert_allclose(ours(BY_NAME["medclip-swin"], pixels), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(300, 200), (7, 5), (1024, 1), (1024, 1024)])
def test_medsam_stretches_each_image(shape: tuple[int, int]) -> None:
    """MedSAM_Inference.py: to 1024 x 1024, least and greatest level to 0 and 1, no statistics."""
    pixels = gray(shape) // 2 + 30
    resized = np.asarray(Image.fromarray(pixels).resize((1024, 1024), BICUBIC)).astype(float)
    low, high = resized.min(), resized.max()
    found = ours(BY_NAME["medsam"], pixels)
    for channel in found:
        np.testing.assert_allclose(channel, (resized - low) / (high - low), atol=1e-5)
    assert not ours(BY_NAME["medsam"], np.full((9, 9), 77, np.uint8)).any()


@pytest.mark.parametrize(
    ("length", "down", "even"), [(224, 0, 0), (225, 0, 0), (226, 1, 1), (227, 1, 2), (229, 2, 2)]
)
def test_where_a_crop_begins(length: int, down: int, even: int) -> None:
    """Half of what is beyond: 0.5, 1.5 and 2.5 pixels; torchvision's rounds to even."""
    ramp = np.broadcast_to(np.arange(length, dtype=np.uint8), (224, length))
    for crop, first in (("down", down), ("to even", even)):
        asked = Preprocessing(
            size=224,
            resize="shortest side",
            crop=crop,  # type: ignore[arg-type] # of a table
            mean=(0.0,),
            std=(1.0,),
        )
        assert round(float(ours(asked, ramp)[0, 0, 0]) * 255) == first


def test_each_number_is_in_the_text() -> None:
    """Preprocessings differ in their texts, which the spaces hold, if they differ."""
    texts = {asked: asked.text for asked in BY_NAME.values() if asked is not None}
    assert len(set(texts.values())) == len(texts)
