"""Networks of the transformers library: as published in size and names, and what they compute."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection
from transformers.models.dinov2.modeling_dinov2 import Dinov2Model
from transformers.models.dinov3_vit.modeling_dinov3_vit import DINOv3ViTModel
from transformers.models.resnet.modeling_resnet import ResNetForImageClassification
from transformers.models.sam.modeling_sam import SamVisionModel
from transformers.models.siglip.modeling_siglip import SiglipVisionModel
from transformers.models.swin.modeling_swin import SwinModel
from transformers.models.vit.modeling_vit import ViTModel
from transformers.models.vit_mae.modeling_vit_mae import ViTMAEModel

from encoders.catalogue.transformers_nets import DECLARATIONS
from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration, OwnFile
from encoders.encoder import EncoderError, EncoderOptions
from encoders.image import GrayscaleImage
from encoders.registry import make
from encoders.torch_encoder import build
from encoders.weights import renamed
from tests.encoders.published_names import published
from tests.encoders.small_networks import small

BY_NAME = {declaration.name: declaration for declaration in DECLARATIONS}
each = pytest.mark.parametrize("declared", DECLARATIONS, ids=lambda declared: declared.name)

# Of whole networks with 1000 classes: torchvision's documentation, ViT-B/16 86,567,656, ResNet-50
# 25,557,032, Swin-T 28,288,354. Of image towers: open_clip's table of model sizes (CLIP and SigLIP,
# to 10,000); the model cards of DINOv2 and DINOv3 (to 100,000) and RAD-DINO's file of 346,345,912
# bytes, 23,992 of them its header; MedSAM's paper for the image encoder of SAM ViT-B.
HEAD_OF_768, HEAD_OF_2048 = 769_000, 2_049_000
PARAMETERS = {
    "vit-base-16-in21k": 86_567_656 - HEAD_OF_768,
    "mae-base": 86_567_656 - HEAD_OF_768,
    "resnet-50": 25_557_032 - HEAD_OF_2048,
    "resnet-50-logits": 25_557_032,
    "resnet-50-probabilities": 25_557_032,
    "clip-vit-l-14": 303_966_208,
    "dinov2-base": (346_345_912 - 23_992) // 4,
    "dinov2-small": 22_056_576,
    "dinov2-large": 304_368_640,
    "dinov3-base": 85_660_416,
    "dinov3-small": 21_596_544,
    "dinov3-large": 303_129_600,
    "sam-vit-b": 89_670_912,
    "siglip-base": 92_884_224,
    "siglip-so400m": 428_225_600,
    # beside the one above: patches of 14 in 448 pixels are 1024, in 384 they are 729
    "medsiglip-448": 428_225_600 + (1024 - 729) * 1152,
    "rad-dino": (346_345_912 - 23_992) // 4,
    "medclip-swin": 28_288_354 - HEAD_OF_768 + 768 * 512,
    "medclip-swin-cropped": 28_288_354 - HEAD_OF_768 + 768 * 512,
    "medsam": 89_670_912,
    "medsam-sam-input": 89_670_912,
}


@each
def test_a_full_network_is_as_published(declared: Declaration) -> None:
    """Its size, the shape of its vectors, and each name and shape of its file."""
    assert declared.preprocessing is not None
    with torch.device("meta"):
        network = build(declared).eval()
        batch = torch.empty(2, 3, declared.preprocessing.size, declared.preprocessing.size)
        assert network(batch).shape == (2, declared.dimension)
        files = published(declared.network, declared.name, declared.config)
        found = renamed({name: torch.empty(shape) for name, shape in files.items()}, declared.names)
    assert sum(tensor.numel() for tensor in network.parameters()) == PARAMETERS[declared.name]
    assert shapes(found) == shapes(network.body.state_dict())


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def drawn(declared: Declaration) -> dict[str, Tensor]:
    """Random tensors under the published names; variances are positive."""
    made = torch.Generator().manual_seed(5)
    files = published(declared.network, declared.name, declared.config)
    return {
        name: torch.zeros(shape, dtype=torch.int64)
        if name.endswith(("num_batches_tracked", "position_ids", "relative_position_index"))
        else torch.rand(shape, generator=made) + 0.5
        if name.endswith("running_var")
        else torch.randn(shape, generator=made) * 0.3
        for name, shape in files.items()
    }


def loaded(declared: Declaration, tensors: dict[str, Tensor], folder: Path) -> CheckedEncoder:
    path = folder / "model.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    return make(declared, EncoderOptions(weights=path, device="cpu", threads=1))


def noise(rows: int = 64, columns: int = 48) -> GrayscaleImage:
    levels = np.random.default_rng(9).integers(0, 256, (rows, columns))
    return GrayscaleImage((levels / 255).astype(np.float32))


def _cls(found: Any) -> Tensor:
    first: Tensor = found.last_hidden_state[:, 0]
    return first


# the library's own class for a file, and what paper 2's code takes of it (its models.py)
THEIRS: dict[str, tuple[Any, Any]] = {
    "vit-base-16-in21k": (ViTModel, _cls),
    "mae-base": (ViTMAEModel, _cls),
    "resnet-50": (ResNetForImageClassification, None),
    "resnet-50-logits": (ResNetForImageClassification, lambda found: found.logits),
    "resnet-50-probabilities": (
        ResNetForImageClassification,
        lambda found: found.logits.softmax(1),
    ),
    "clip-vit-l-14": (CLIPVisionModelWithProjection, lambda found: found.image_embeds),
    "dinov2-base": (Dinov2Model, _cls),
    "rad-dino": (Dinov2Model, lambda found: found.pooler_output),
    "dinov3-base": (DINOv3ViTModel, lambda found: found.pooler_output),
    "sam-vit-b": (SamVisionModel, lambda found: found.last_hidden_state.mean(dim=(2, 3))),
    "siglip-base": (SiglipVisionModel, lambda found: found.pooler_output),
}


def by_the_library(kind: Any, declared: Declaration, folder: Path) -> Any:
    """The same file, its names mapped by the library itself."""
    config = kind.config_class(**declared.config)
    if kind is ViTMAEModel:
        config.mask_ratio = 0.0
    model, told = kind.from_pretrained(folder, config=config, output_loading_info=True)
    assert not told["missing_keys"]
    return model.eval()


def unit(vectors: Tensor) -> NDArray[np.float32]:
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


@pytest.mark.parametrize("name", THEIRS)
def test_vectors_are_those_of_the_librarys_own_loader(name: str, tmp_path: Path) -> None:
    declared = small(BY_NAME[name])
    ours = loaded(declared, drawn(declared), tmp_path)
    kind, take = THEIRS[name]
    theirs = by_the_library(kind, declared, tmp_path)
    batch = torch.from_numpy(ours.prepare(noise()))[None]
    with torch.inference_mode():
        if name == "resnet-50":  # the global average that its classifier sees
            found = theirs.resnet(batch).pooler_output.flatten(1)
        else:
            found = take(theirs(batch))
    vectors = ours.embed([noise()])
    assert vectors.shape == (1, declared.dimension)
    np.testing.assert_allclose(vectors, unit(found), atol=2e-6)
    assert np.abs(vectors - ours.embed([noise(30, 90)])).max() > 1e-3  # it does see the image


def test_medclip_projects_the_librarys_swin(tmp_path: Path) -> None:
    declared = small(BY_NAME["medclip-swin"])
    tensors = drawn(declared)
    ours = loaded(declared, tensors, tmp_path)
    swin = {
        name.removeprefix("vision_model.model."): tensor
        for name, tensor in tensors.items()
        if name.startswith("vision_model.model.")
    }
    inner = tmp_path / "swin"
    inner.mkdir()
    save_file(swin, inner / "model.safetensors", metadata={"format": "pt"})
    config = {key: value for key, value in declared.config.items() if key != "projection_dim"}
    theirs = SwinModel.from_pretrained(inner, config=SwinModel.config_class(**config)).eval()
    with torch.inference_mode():
        pooled = theirs(torch.from_numpy(ours.prepare(noise()))[None]).pooler_output
    expected = unit(pooled @ tensors["vision_model.projection_head.weight"].T)
    np.testing.assert_allclose(ours.embed([noise()]), expected, atol=2e-6)


def test_medsams_names_are_sams_by_other_words(tmp_path: Path) -> None:
    """segment_anything's blocks, norms and neck: the two files hold the same numbers."""
    words = {"image_encoder.": "vision_encoder.", ".blocks.": ".layers.", ".norm": ".layer_norm"}
    words |= {"neck.0": "neck.conv1", "neck.1": "neck.layer_norm1", "patch_embed.proj": ""}
    words |= {"neck.2": "neck.conv2", "neck.3": "neck.layer_norm2"}
    words["patch_embed.proj"] = "patch_embed.projection"
    theirs = small(BY_NAME["medsam-sam-input"])
    tensors = drawn(theirs)
    told = dict(tensors)
    for old, new in words.items():
        told = {name.replace(old, new): tensor for name, tensor in told.items()}
    (tmp_path / "sam").mkdir()
    as_sam = loaded(small(BY_NAME["sam-vit-b"]), told, tmp_path / "sam").embed([noise()])
    np.testing.assert_array_equal(loaded(theirs, tensors, tmp_path).embed([noise()]), as_sam)


def test_mae_masks_nothing(tmp_path: Path) -> None:
    """Two runs agree bit for bit; so do two loads."""
    declared = small(BY_NAME["mae-base"])
    encoder = loaded(declared, drawn(declared), tmp_path)
    first = encoder.embed([noise()])
    torch.manual_seed(1)  # were there any noise left
    np.testing.assert_array_equal(encoder.embed([noise()]), first)
    again = loaded(declared, drawn(declared), tmp_path).embed([noise()])
    np.testing.assert_array_equal(again, first)


def test_variants_share_weights_but_no_space(tmp_path: Path) -> None:
    names = ("resnet-50", "resnet-50-logits", "resnet-50-probabilities")
    declared = [small(BY_NAME[name]) for name in names]
    made = [loaded(one, drawn(one), tmp_path) for one in declared]
    assert len({one.space.weights_digest for one in made}) == 1
    assert len({one.space.id for one in made}) == 3


@each
def test_a_file_of_the_small_network_loads(declared: Declaration, tmp_path: Path) -> None:
    shrunk = small(declared)
    made = loaded(shrunk, drawn(shrunk), tmp_path)
    assert made.embed([noise(5, 7), noise()]).shape == (2, shrunk.dimension)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    other = small(BY_NAME["dinov2-base"])
    with pytest.raises(EncoderError, match=r"missing: embeddings\.cls_token"):
        loaded(small(BY_NAME["mae-base"]), drawn(other), tmp_path)


def test_what_a_site_must_know_is_told() -> None:
    sources = {name: declared.source for name, declared in BY_NAME.items()}
    assert {name for name, source in sources.items() if getattr(source, "gated", False)} == {
        "medsiglip-448",
        "dinov3-small",
        "dinov3-base",
        "dinov3-large",
    }
    medsam = sources["medsam"]
    assert isinstance(medsam, OwnFile)
    assert "not the copy on the hub" in medsam.remedy
    assert BY_NAME["rad-dino"].warning_for("CT") == "rad-dino was made for CR, DX, not for CT"
    assert all("[transformers]" in one.packages["transformers"] for one in DECLARATIONS)


def test_importing_and_building_say_nothing() -> None:
    """The library can tell of torchvision, and its hub be asked: neither happens."""
    code = """
import socket, sys
from encoders.catalogue.transformers_natural import CLIP
assert not {"torch", "transformers"} & set(sys.modules)
def refused(*_): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refused
import torch
from encoders.networks.transformers_nets import clip
with torch.device("meta"):
    clip(CLIP.config, CLIP.pooling)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
