"""Networks that timm names. Left out, with the reason, where timm cannot be imported."""

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
from encoders.preprocessing import IMAGENET_MEAN
from encoders.registry import find, make
from encoders.transforms import transforms_of

# timm's own networks for tests, a few hundred thousand parameters each
SMALL = ["test_vit.r160_in1k", "test_resnet.r160_in1k", "test_convnext.r160_in1k"]


@pytest.fixture(scope="module")
def timm() -> ModuleType:
    try:
        return imported("timm", "likeness-node[timm]")
    except EncoderError as error:
        pytest.skip(f"left out: {error}")


@pytest.mark.parametrize(
    ("name", "size", "resize_to", "dimension", "mean"),
    [
        # floor(224 / 0.95), floor(224 / 0.9) and 384 / 1.0, from the authors' pages
        ("resnet18.a1_in1k", 224, 235, 512, IMAGENET_MEAN),
        ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", 224, 248, 192, (0.5,) * 3),
        ("convnext_tiny.in12k_ft_in1k_384", 384, 384, 768, IMAGENET_MEAN),
    ],
)
def test_what_timm_keeps_beside_the_weights_is_declared(
    timm: ModuleType, name: str, size: int, resize_to: int, dimension: int, mean: tuple[float, ...]
) -> None:
    found = find(f"timm:{name}")
    assert found.name == f"timm:{name}"
    assert found.source == Hub(f"timm/{name}", "model.safetensors")
    assert found.dimension == dimension
    assert found.licence == "apache-2.0"
    asked = found.preprocessing
    assert asked is not None
    assert (asked.size, asked.resize_to, asked.mean) == (size, resize_to, mean)
    assert asked.filter == "bicubic"


def image(rows: int, columns: int) -> GrayscaleImage:
    levels = np.random.default_rng(rows).integers(0, 256, (rows, columns))
    return GrayscaleImage((levels / 255).astype(np.float32))


def as_timm_prepares(timm: ModuleType, name: str, shown: GrayscaleImage) -> torch.Tensor:
    prepare = timm.data.create_transform(
        **timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    )
    picture = Image.fromarray(np.rint(shown.pixels * 255).astype(np.uint8)).convert("RGB")
    prepared: torch.Tensor = prepare(picture)
    return prepared


@pytest.mark.parametrize("shape", [(300, 400), (1024, 871), (871, 1024), (123, 200), (160, 160)])
@pytest.mark.parametrize(
    "name", [*SMALL, "resnet18.a1_in1k", "vit_base_patch16_clip_224.openai", "resnetv2_50.a1h_in1k"]
)
def test_images_are_prepared_as_timm_does(
    timm: ModuleType, name: str, shape: tuple[int, int]
) -> None:
    asked = find(f"timm:{name}").preprocessing
    assert asked is not None
    shown = image(*shape)
    found = transforms_of(asked)(shown.pixels)
    expected = as_timm_prepares(timm, name, shown)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", SMALL)
def test_vectors_are_what_timms_classifier_sees(
    timm: ModuleType, name: str, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    published = timm.create_model(name, pretrained=False).eval()
    path = tmp_path / "model.safetensors"
    save_file(published.state_dict(), path)
    shown = image(200, 170)
    with torch.inference_mode():
        features = published.forward_features(as_timm_prepares(timm, name, shown)[None])
        expected = functional.normalize(published.forward_head(features, pre_logits=True), dim=1)
    options = EncoderOptions(weights=path, device="cpu", threads=1)
    encoder = make(find(f"timm:{name}"), options)
    np.testing.assert_allclose(encoder.embed([shown]), expected.numpy(), atol=1e-5)
    assert encoder.space.id == make(find(f"timm:{name}"), options).space.id


def test_an_architecture_alone_takes_weights_of_ones_own(timm: ModuleType, tmp_path: Path) -> None:
    declared = find("timm:test_vit")
    assert isinstance(declared.source, OwnFile)
    sized: dict[str, Any] = {"img_size": 96, "in_chans": 1, "num_classes": 3}
    mine = timm.create_model("test_vit", pretrained=False, **sized)
    told = {"size": "96", "channels": "1", "mean": "0.5", "std": "0.25"}
    save_file(mine.state_dict(), tmp_path / "w", metadata=told)
    encoder = make(declared, EncoderOptions(tmp_path / "w", device="cpu", threads=1))
    assert encoder.embed([image(50, 60)]).shape == (1, declared.dimension)
    assert "mean [0.5], std [0.25]" in encoder.space.preprocessing


def test_tables_that_older_files_hold_are_passed_over() -> None:
    from encoders.networks.timm_nets import without_computed

    tensors = {"layers.0.weight": torch.zeros(1), "layers.0.attn.relative_position_index": None}
    assert list(without_computed(tensors)) == ["layers.0.weight"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("timm:resnet18x", "timm has no network 'resnet18x'"),
        ("timm:resnet18.of_mine", "there are .*resnet18.a1_in1k"),
        ("timm:gemma4_vit_167m_enc.gemma4_e4b_it", "answers with .*, not a vector"),
        ("timm:", "timm has no network ''"),
        ("timm:vit_base_patch16_sapiens2.fb", "not known here: 1024 x 768"),
    ],
)
def test_names_that_timm_does_not_know(timm: ModuleType, name: str, reason: str) -> None:
    with pytest.raises(EncoderError, match=reason):
        find(name)
