"""torchxrayvision's DenseNet and BiomedCLIP, built of MONAI's: as their authors compute them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderError, EncoderOptions
from encoders.image import GrayscaleImage
from encoders.registry import find, make
from tests.encoders import plain_networks as published
from tests.encoders.small_networks import SMALL, small

BLOCKS, HEADS, LAYERS = (1, 1, 1, 1), 4, 2
DENSENET = published.densenet_shapes(16, 8, BLOCKS)
SIDE = 224
TOWER = published.timm_vit_shapes(width=32, layers=LAYERS, patches=14 * 14, projected=24)


def loaded(name: str, tensors: published.Tensors, folder: Path) -> CheckedEncoder:
    path = folder / "weights.safetensors"
    save_file(tensors, path)
    return make(small(find(name)), EncoderOptions(weights=path, device="cpu", threads=1))


def noise() -> GrayscaleImage:
    """As large as the input: neither cropped nor resized."""
    return GrayscaleImage(np.random.default_rng(2).random((SIDE, SIDE), dtype=np.float32))


def unit(vectors: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


def test_the_small_networks_are_those_that_are_published_here() -> None:
    assert SMALL["encoders.networks.monai_nets:densenet121"].config["block_config"] == BLOCKS
    assert SMALL["encoders.networks.timm_vit:projected"].config["num_layers"] == LAYERS
    full = published.densenet_shapes(64, 32, (6, 12, 24, 16))
    assert full["features.norm5.weight"] == (1024,)


@pytest.mark.parametrize("name", ["xrv-densenet121-all", "xrv-densenet121-nih"])
def test_torchxrayvisions_densenet(tmp_path: Path, name: str) -> None:
    tensors = published.drawn(DENSENET)
    ours = loaded(name, tensors, tmp_path)
    image = noise()
    x = (2 * torch.from_numpy(image.pixels)[None, None] - 1) * 1024
    expected = unit(published.densenet(tensors, x, BLOCKS))
    np.testing.assert_allclose(ours.embed([image]), expected, atol=2e-6)
    assert np.linalg.norm(expected - expected.mean()) > 0.1  # the network does tell something


def test_biomedclips_tower(tmp_path: Path) -> None:
    tensors = published.drawn(TOWER)
    ours = loaded_pickle(tensors, tmp_path)
    levels = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE))
    image = GrayscaleImage((levels / 255).astype(np.float32))
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    x = ((torch.from_numpy(image.pixels).expand(3, -1, -1) - mean) / std)[None]
    expected = unit(published.timm_vit(tensors, x, LAYERS, HEADS))
    np.testing.assert_allclose(ours.embed([image]), expected, atol=2e-6)


def loaded_pickle(tensors: published.Tensors, folder: Path) -> CheckedEncoder:
    """As it is published: tensors of the text tower beside it, all in a pickle."""
    path = folder / "open_clip_pytorch_model.bin"
    torch.save({**tensors, "text.proj.weight": torch.zeros(2)}, path)
    options = EncoderOptions(weights=path, allow_pickle=True, device="cpu", threads=1)
    return make(small(find("biomedclip")), options)


def test_the_thresholds_beside_torchxrayvisions_network_are_passed_over(tmp_path: Path) -> None:
    """They are NaN for findings that a set does not label."""
    tensors = published.drawn(DENSENET)
    bare = loaded("xrv-densenet121-chex", tensors, tmp_path).embed([noise()])
    more = {"op_threshs": torch.full((18,), torch.nan), "classifier.weight": torch.zeros(18, 17)}
    beside = loaded("xrv-densenet121-chex", tensors | more, tmp_path).embed([noise()])
    np.testing.assert_array_equal(beside, bare)


@pytest.mark.parametrize(
    ("name", "tensors", "lost"),
    [
        ("xrv-densenet121-all", DENSENET, "features.norm5.bias"),
        ("biomedclip", TOWER, "visual.trunk.pos_embed"),
        ("biomedclip", TOWER, "visual.trunk.blocks.1.mlp.fc2.bias"),
        ("biomedclip", TOWER, "visual.head.proj.weight"),
    ],
)
def test_a_name_that_lacks_is_told(
    tmp_path: Path, name: str, tensors: dict[str, tuple[int, ...]], lost: str
) -> None:
    rest = {at: shape for at, shape in tensors.items() if at != lost}
    with pytest.raises(EncoderError, match="does not fit the network: missing: "):
        loaded(name, published.drawn(rest), tmp_path)


def test_torchxrayvision_is_for_radiographs() -> None:
    declared = find("xrv-densenet121-all")
    assert declared.warning_for("DX") is None
    assert "not for CT" in str(declared.warning_for("CT"))
    assert declared.preprocessing is not None
    assert declared.preprocessing.text.startswith("central square to 224; gaussian; ")
    assert "range -1024 to 1024" in declared.preprocessing.text
