"""MONAI's DenseNet-121 behind the encoder interface, with small random weights made here."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets.densenet import DenseNet121
from monai.networks.nets.resnet import ResNet
from monai.networks.nets.vit import ViT
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from encoders.as_told import as_told
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import WeightsFile
from encoders.image import GrayscaleImage
from encoders.preprocessing import Preprocessing
from encoders.registry import create, find, make
from encoders.torch_encoder import space_of
from encoders.transforms import transforms_of
from encoders.weights import read_weights
from tests.encoders.small_networks import small


def network(channels: int = 1) -> DenseNet121:
    torch.manual_seed(7)
    return DenseNet121(spatial_dims=2, in_channels=channels, out_channels=2).eval()


def save(model: DenseNet121, path: Path, metadata: dict[str, str] | None = None) -> EncoderOptions:
    save_file(model.state_dict(), path, metadata=metadata)
    return EncoderOptions(weights=path, device="cpu")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> EncoderOptions:
    return save(network(), tmp_path_factory.mktemp("weights") / "weights.safetensors")


def noise(rows: int, columns: int, seed: int = 0) -> GrayscaleImage:
    return GrayscaleImage(np.random.default_rng(seed).random((rows, columns), dtype=np.float32))


def test_vectors_are_the_pooled_features_of_the_bare_network(options: EncoderOptions) -> None:
    image = noise(224, 224)  # no resize, so the input is known: (x - .5) / .25
    with torch.inference_mode():
        features = network().features(torch.from_numpy(image.pixels)[None, None].sub(0.5).div(0.25))
    expected = features.clamp(min=0).mean(dim=(2, 3))[0].numpy()
    expected /= np.linalg.norm(expected)
    found = create("monai-densenet121", options).embed([image])
    assert found.shape == (1, 1024)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_batches_do_not_change_vectors(tmp_path: Path) -> None:
    declared = small(find("monai-densenet121"))
    model = DenseNet121(spatial_dims=2, out_channels=2, **declared.config)
    encoder = make(declared, save(model, tmp_path / "w"))
    images = [noise(64, 48, seed) for seed in range(3)] * 12  # more than one batch
    together = encoder.embed(images)
    np.testing.assert_allclose(together[0], encoder.embed(images[:1])[0], atol=1e-5)
    np.testing.assert_allclose(together[33], together[0], atol=1e-5)


def test_the_space_names_the_weights(options: EncoderOptions, tmp_path: Path) -> None:
    assert options.weights is not None
    space = create("monai-densenet121", options).space
    assert space.weights_digest == hashlib.sha256(options.weights.read_bytes()).hexdigest()
    told = save(
        network(3), tmp_path / "w", {"channels": "3", "mean": "0.485,0.456,0.406", "std": "0.229"}
    )
    other = create("monai-densenet121", told).space
    assert other.id != space.id
    assert "mean [0.485, 0.456, 0.406], std [0.229, 0.229, 0.229]" in other.preprocessing


def seen_by(image: GrayscaleImage, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    asked = Preprocessing(size=64, resize="longest side", eight_bits=False, mean=mean, std=std)
    return transforms_of(asked)(image.pixels)


def test_preprocessing_keeps_the_shape_of_the_patient() -> None:
    white = GrayscaleImage(np.ones((100, 50), np.float32))
    seen = seen_by(white, (0.0,), (1.0,))[0]
    assert seen.shape == (64, 64)
    np.testing.assert_allclose(seen[:, 16:48], 1, atol=1e-5)
    assert not seen[:, :16].any()
    assert not seen[:, 48:].any()


def test_preprocessing_averages_fine_detail_away() -> None:
    board = (np.indices((640, 640)).sum(axis=0) % 2).astype(np.float32)
    seen = seen_by(GrayscaleImage(board), (0.5,) * 3, (0.25,) * 3)
    assert seen.shape == (3, 64, 64)
    assert seen.abs().max() < 0.05


def test_a_classifier_in_the_file_is_passed_over(tmp_path: Path, options: EncoderOptions) -> None:
    bare = {name: t for name, t in network().state_dict().items() if "class_layers" not in name}
    save_file(bare, tmp_path / "w")
    without = create("monai-densenet121", EncoderOptions(tmp_path / "w", device="cpu"))
    image = noise(32, 32)
    found = create("monai-densenet121", options).embed([image])
    np.testing.assert_array_equal(without.embed([image]), found)


def small_options(path: Path, model: nn.Module, **told: str) -> EncoderOptions:
    save_file(model.state_dict(), path / "w", metadata=told)
    return EncoderOptions(path / "w", device="cpu", threads=1)


def test_resnet50_is_the_bare_network_before_its_classifier(tmp_path: Path) -> None:
    """A file of torchvision's names: no biases in the shortcuts, a classifier."""
    torch.manual_seed(3)
    config = small(find("monai-resnet50")).config
    stages = list(config["layers"]), list(config["planes"])
    rest: dict[str, Any] = {
        "spatial_dims": 2,
        "n_input_channels": 1,
        "conv1_t_stride": 2,
        "num_classes": 5,
    }
    bare = ResNet("bottleneck", *stages, bias_downsample=False, **rest).eval()
    image = noise(224, 224)
    seen: list[torch.Tensor] = []
    bare.avgpool.register_forward_hook(lambda *found: seen.append(found[-1]))
    with torch.inference_mode():
        bare(torch.from_numpy(image.pixels)[None, None].sub(0.5).div(0.25))
    options = small_options(tmp_path, bare)
    found = make(small(find("monai-resnet50")), options).embed([image])
    expected = functional.normalize(seen[0].flatten(1)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


VIT: dict[str, Any] = {
    "spatial_dims": 2,
    "hidden_size": 32,
    "mlp_dim": 64,
    "num_layers": 2,
    "num_heads": 4,
}


def paper_1(image: GrayscaleImage) -> torch.Tensor:
    """An image of 256 x 256 as the network of paper 1 sees it."""
    return torch.from_numpy(image.pixels)[None, None].sub(0.5056).div(0.252)


def test_the_class_token_is_what_the_head_sees(tmp_path: Path) -> None:
    torch.manual_seed(3)
    bare = ViT(1, 256, 32, classification=True, num_classes=2, **VIT).eval()
    image = noise(256, 256)
    with torch.inference_mode():
        expected = bare.norm(bare(paper_1(image))[1][-1])[:, 0]
    found = make(small(find("monai-vit-b32-256")), small_options(tmp_path, bare)).embed([image])
    np.testing.assert_allclose(found, functional.normalize(expected).numpy(), atol=1e-6)


def test_the_mean_of_patches_is_of_a_network_without_class_token(tmp_path: Path) -> None:
    torch.manual_seed(3)
    bare = ViT(1, 256, 32, classification=False, **VIT).eval()
    image = noise(256, 256)
    with torch.inference_mode():
        expected = bare(paper_1(image))[0].mean(dim=1)
    declared = small(find("monai-vit-b32-256-mean"))
    found = make(declared, small_options(tmp_path, bare)).embed([image])
    np.testing.assert_allclose(found, functional.normalize(expected).numpy(), atol=1e-6)
    with_token = ViT(1, 256, 32, classification=True, **VIT)
    with pytest.raises(EncoderError, match="unexpected: cls_token"):
        make(declared, small_options(tmp_path, with_token))


def test_cross_attention_that_older_versions_wrote_is_passed_over(tmp_path: Path) -> None:
    bare = ViT(1, 256, 32, classification=True, **VIT)
    declared = small(find("monai-vit-b32-256"))
    expected = make(declared, small_options(tmp_path, bare)).embed([noise(50, 40)])
    names = ("norm_cross_attn.weight", "cross_attn.to_q.weight")
    more = {f"blocks.0.{name}": torch.full((2,), 7.0) for name in names}
    save_file(bare.state_dict() | more, tmp_path / "w")
    found = make(declared, EncoderOptions(tmp_path / "w", device="cpu", threads=1))
    np.testing.assert_array_equal(found.embed([noise(50, 40)]), expected)


def test_a_file_tells_a_transformer_its_size_and_channels(tmp_path: Path) -> None:
    bare = ViT(3, 128, 32, classification=True, **VIT)
    declared = small(find("monai-vit-b32-256"))
    told = small_options(tmp_path, bare, size="128", channels="3", mean="0.5", std="0.5")
    encoder = make(declared, told)
    assert encoder.embed([noise(50, 40)]).shape == (1, 32)
    assert "square to 128" in encoder.space.preprocessing
    with pytest.raises(EncoderError, match="position_embeddings"):
        make(declared, small_options(tmp_path, bare, size="160", channels="3"))


@pytest.mark.parametrize(
    "told", [{"mean": "0.4"}, {"std": "0.3"}, {"size": "192"}, {"size": "256", "mean": "0.6"}]
)
def test_what_a_file_tells_is_in_the_space(tmp_path: Path, told: dict[str, str]) -> None:
    side = int(told.get("size", "256"))
    torch.manual_seed(3)
    bare = ViT(1, side, 32, classification=True, **VIT)
    declared = small(find("monai-vit-b32-256"))
    # the digest is left out: a file with other metadata is another file anyway
    plain = space_of(declared, "").id
    other = as_told(declared, read_weights(file_of(small_options(tmp_path, bare, **told))))
    assert space_of(other, "").id != plain
    same = as_told(declared, read_weights(file_of(small_options(tmp_path, bare))))
    assert space_of(same, "").id == plain


def file_of(options: EncoderOptions) -> WeightsFile:
    assert options.weights is not None
    return WeightsFile(options.weights, "")


def half(path: Path) -> None:
    save(network(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pickled(path: Path) -> None:
    torch.save(network().state_dict(), path)


def foreign(path: Path) -> None:
    save_file({"blocks.0.weight": torch.zeros(2)}, path)


def renamed(path: Path) -> None:
    state = network().state_dict()
    state["features.norm5.scale"] = state.pop("features.norm5.weight")
    save_file(state, path)


def reshaped(path: Path) -> None:
    state = network().state_dict()
    state["features.norm5.weight"] = torch.zeros(3)
    save_file(state, path)


def poisoned(path: Path) -> None:
    state = network().state_dict()
    state["features.norm5.weight"][0] = math.nan
    save_file(state, path)


def statistics(path: Path) -> None:
    save(network(), path, {"mean": "none"})


def no_channel(path: Path) -> None:
    save(network(), path, {"channels": "0"})


def half_a_channel(path: Path) -> None:
    save(network(), path, {"channels": "1.5"})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (half, "no whole safetensors file"),
        (pickled, "no whole safetensors file"),
        (foreign, "missing: .*conv0.weight"),
        (renamed, "missing: norm5.weight; unexpected: norm5.scale"),
        (reshaped, r"norm5.weight \(3,\) instead of \(1024,\)"),
        (poisoned, "NaN or infinity in features.norm5.weight"),
        (statistics, "metadata mean is 'none'"),
        (no_channel, "asks for 0 channels"),
        (half_a_channel, "asks for 1.5 channels"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path: Path, make: object, reason: str) -> None:
    path = tmp_path / "weights.safetensors"
    assert callable(make)
    make(path)
    with pytest.raises(EncoderError, match=reason) as caught:
        create("monai-densenet121", EncoderOptions(weights=path, device="cpu"))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there(options: EncoderOptions, device: str) -> None:
    with pytest.raises(EncoderError, match=device):
        create("monai-densenet121", EncoderOptions(options.weights, device=device))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_and_cpu_agree(options: EncoderOptions) -> None:
    images = [noise(300, 200, seed) for seed in range(4)]
    on_gpu = create("monai-densenet121", EncoderOptions(options.weights, device="cuda")).embed(
        images
    )
    on_cpu = create("monai-densenet121", options).embed(images)
    assert (on_gpu * on_cpu).sum(axis=1).min() > 0.999
