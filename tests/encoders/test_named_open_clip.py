"""Image towers that open_clip names. Left out, with the reason, where it cannot be imported."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional

from encoders.declaration import Hub, OwnFile
from encoders.encoder import EncoderError, EncoderOptions
from encoders.extras import imported
from encoders.image import GrayscaleImage
from encoders.registry import find, make
from encoders.torch_encoder import build
from encoders.transforms import transforms_of
from encoders.weights import renamed

TEXT = {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1}
VIT = {"image_size": 64, "layers": 2, "width": 32, "head_width": 8, "patch_size": 16}
TINY: dict[str, dict[str, Any]] = {
    "likeness-tiny": {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": TEXT},
    "likeness-tiny-quick": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": VIT,
        "text_cfg": TEXT,
    },
    "likeness-tiny-timm": {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": {"timm_model_name": "test_vit", "timm_proj": "linear", "image_size": 160},
        "text_cfg": TEXT,
    },
}


@pytest.fixture(scope="module")
def open_clip(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """open_clip with the small models of this file in its table."""
    try:
        found = imported("open_clip", "likeness-node[timm]")
    except EncoderError as error:
        pytest.skip(f"left out: {error}")
    for name, config in TINY.items():
        path = tmp_path_factory.mktemp("models") / f"{name}.json"
        path.write_text(json.dumps(config))
        found.add_model_config(path)
    return found


def image(rows: int, columns: int) -> GrayscaleImage:
    levels = np.random.default_rng(rows).integers(0, 256, (rows, columns))
    return GrayscaleImage((levels / 255).astype(np.float32))


def as_open_clip_prepares(open_clip: ModuleType, name: str, tag: str, size: int) -> Any:
    cfg = open_clip.get_pretrained_cfg(name, tag)
    kept = ("mean", "std", "interpolation", "resize_mode")
    steps = open_clip.transform
    asked = steps.PreprocessCfg(size=size, **{key: cfg[key] for key in kept if key in cfg})
    return steps.image_transform_v2(asked, is_train=False)


@pytest.mark.parametrize("shape", [(300, 400), (1024, 871), (123, 200), (224, 224)])
@pytest.mark.parametrize(
    ("name", "tag", "size"),
    [
        ("ViT-B-32", "laion2b_s34b_b79k", 224),
        ("ViT-B-16-SigLIP-256", "webli", 256),
        ("ViT-L-14-CLIPA", "datacomp1b", 224),
        ("MobileCLIP-S1", "datacompdr", 256),
    ],
)
def test_images_are_prepared_as_open_clip_does(
    open_clip: ModuleType, name: str, tag: str, size: int, shape: tuple[int, int]
) -> None:
    asked = find(f"open_clip:{name}/{tag}").preprocessing
    assert asked is not None
    shown = image(*shape)
    picture = Image.fromarray(np.rint(shown.pixels * 255).astype(np.uint8)).convert("RGB")
    expected = as_open_clip_prepares(open_clip, name, tag, size)(picture)
    torch.testing.assert_close(transforms_of(asked)(shown.pixels), expected, atol=1e-5, rtol=0)


def test_what_open_clip_keeps_beside_the_weights_is_declared(open_clip: ModuleType) -> None:
    found = find("open_clip:ViT-B-32/laion2b_s34b_b79k")
    repository = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert found.source == Hub(repository, "open_clip_model.safetensors")
    assert (found.dimension, found.config["quick_gelu"]) == (512, False)
    by_repository = find(f"open_clip:hf-hub:{repository}")
    assert by_repository.source == found.source
    assert by_repository.config == found.config
    # OpenAI's weights were trained with another activation than open_clip's own
    assert find("open_clip:ViT-B-32/openai").config["quick_gelu"] is True


@pytest.mark.parametrize("name", list(TINY))
def test_vectors_are_those_of_the_whole_model(
    open_clip: ModuleType, name: str, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    whole = open_clip.create_model(name, load_weights=False).eval()
    path = tmp_path / "open_clip_model.safetensors"
    save_file(whole.state_dict(), path)
    declared = find(f"open_clip:{name}")
    assert isinstance(declared.source, OwnFile)
    assert declared.preprocessing is not None
    shown = image(170, 200)
    seen = transforms_of(declared.preprocessing)(shown.pixels)[None]
    with torch.inference_mode():
        expected = functional.normalize(whole.encode_image(seen), dim=1)
    encoder = make(declared, EncoderOptions(weights=path, device="cpu", threads=1))
    np.testing.assert_allclose(encoder.embed([shown]), expected.numpy(), atol=1e-5)


def test_another_number_of_channels_is_refused(open_clip: ModuleType, tmp_path: Path) -> None:
    save_file({"visual.proj": torch.zeros(1)}, tmp_path / "w", metadata={"channels": "1"})
    with pytest.raises(EncoderError, match="takes 3 channels"):
        make(find("open_clip:likeness-tiny"), EncoderOptions(tmp_path / "w", device="cpu"))


def test_biomedclip_by_its_repository_is_the_declared_one() -> None:
    """Without open_clip too: its tower is built of MONAI's."""
    repository = "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
    assert find(f"open_clip:hf-hub:{repository}") is find("biomedclip")


def test_biomedclips_names_are_open_clips(open_clip: ModuleType) -> None:
    """Its config as published; no text tower, which would ask the hub."""
    vision = {"timm_model_name": "vit_base_patch16_224", "timm_pool": "", "timm_proj": "linear"}
    with torch.device("meta"):
        tower = open_clip.model._build_vision_tower(512, {**vision, "image_size": 224})
        ours = build(find("biomedclip")).body.state_dict()
    published = {f"visual.{name}": tensor for name, tensor in tower.state_dict().items()}
    found = renamed(published, find("biomedclip").names)
    shapes = {name: tensor.shape for name, tensor in found.items()}
    assert shapes == {name: tensor.shape for name, tensor in ours.items()}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("open_clip:ViT-B-99", "open_clip has no model 'ViT-B-99'"),
        ("open_clip:ViT-B-32/of_mine", "no weights 'of_mine' of ViT-B-32; it has openai"),
        ("open_clip:hf-hub:somebody/else", "does not know the repository somebody/else"),
    ],
)
def test_names_that_open_clip_does_not_know(open_clip: ModuleType, name: str, reason: str) -> None:
    with pytest.raises(EncoderError, match=reason):
        find(name)
