"""OpenVINO's forward pass beside torch's, of every network of the registry, built small."""

import dataclasses
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from encoders import extras, registry
from encoders.declaration import Declaration, Names
from encoders.encoder import EncoderError, EncoderOptions
from encoders.image import GrayscaleImage
from encoders.openvino_runtime import openvino_runner
from encoders.registry import make
from encoders.torch_encoder import build
from tests.encoders.run_networks import Convolution, declared, images, options
from tests.encoders.small_networks import small

here = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None,
    reason="left out: OpenVINO is not here (pip install 'likeness-node[openvino]')",
)
NETWORKS = [entry for entry in registry.declarations() if entry.preprocessing is not None]
by_name = pytest.mark.parametrize("declaration", NETWORKS, ids=lambda entry: entry.name)


def random_weights(declaration: Declaration, folder: Path, **more: Any) -> EncoderOptions:
    torch.manual_seed(3)
    body = build(declaration).body
    with torch.no_grad():
        for parameter in body.parameters():  # some begin as zeros, and would hide what they do
            parameter.normal_(0, 0.2)
    path = folder / "network.safetensors"
    save_file(body.state_dict(), path)
    return EncoderOptions(**{"weights": path, "device": "cpu", "threads": 1, **more})


def noise(count: int) -> list[GrayscaleImage]:
    pixels = np.random.default_rng(2).random((count, 90, 70), dtype=np.float32)
    return [GrayscaleImage(each) for each in pixels]


@here
@by_name
def test_its_vectors_are_those_of_torch(declaration: Declaration, tmp_path: Path) -> None:
    shrunk = dataclasses.replace(small(declaration), names=Names())
    chosen = random_weights(shrunk, tmp_path)
    by_torch = make(shrunk, chosen)
    by_openvino = make(shrunk, dataclasses.replace(chosen, runtime="openvino"))
    assert by_openvino.space == by_torch.space
    for count in (1, 3):  # it was converted with a batch of another size
        some, others = by_torch.embed(noise(count)), by_openvino.embed(noise(count))
        assert np.sum(some.astype(np.float64) * others, axis=1).min() >= 0.9999
        np.testing.assert_allclose(others, some, atol=1e-4)


@here
def test_it_repeats_to_the_last_bit_where_the_site_wants_it(tmp_path: Path) -> None:
    asked = options(tmp_path, runtime="openvino", deterministic=True, threads=2)
    encoder = make(declared(make=Convolution), asked)
    together = encoder.embed(images(5))
    np.testing.assert_array_equal(encoder.embed(images(5)), together)
    np.testing.assert_array_equal(encoder.embed(images(5)[2:3])[0], together[2])


@here
def test_two_networks_run_side_by_side(tmp_path: Path) -> None:
    asked = options(tmp_path, runtime="openvino", device="cpu,cpu")
    encoder = make(declared(make=Convolution), asked)
    assert encoder.lanes == 2
    plain = make(declared(make=Convolution), options(tmp_path))
    for _ in range(2):  # one after the other takes each lane once
        np.testing.assert_allclose(encoder.embed(images(3)), plain.embed(images(3)), atol=1e-6)


@here
def test_nobody_is_told_that_a_network_was_converted(tmp_path: Path) -> None:
    code = (
        "import torch; from encoders.openvino_runtime import openvino_runner as made;"
        "made(torch.nn.Flatten().eval(), (1, 4, 4), 1, 'fp32')"
    )
    # its converter counts uses in the home folder before it reports them; builds in CI are exempt
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD"}}
    subprocess.run([sys.executable, "-c", code], check=True, env={**kept, "HOME": str(tmp_path)})
    assert not (tmp_path / "intel").exists()


@here
def test_a_network_that_cannot_be_converted(tmp_path: Path) -> None:
    def pool(found: torch.Tensor) -> torch.Tensor:
        waves: torch.Tensor = torch.special.bessel_j0(found)
        return waves

    asked = options(tmp_path, runtime="openvino")
    with pytest.raises(EncoderError, match=r"OpenVINO cannot convert .*; set runtime = 'torch'"):
        make(declared(make=Convolution, pool=pool), asked)


@here
def test_a_network_that_is_converted_to_another_is_refused(tmp_path: Path) -> None:
    def pool(found: torch.Tensor) -> torch.Tensor:
        return found if len(found) > 1 else -found  # a tracer sees one of the two

    asked = options(tmp_path, runtime="openvino")
    with pytest.raises(EncoderError, match=r"noise has cosine -1\.00000 to torch's, not 0\.9999"):
        make(declared(make=Convolution, pool=pool), asked)


@here
def test_bf16_is_another_space_here_too(tmp_path: Path) -> None:
    plain = make(declared(make=Convolution), options(tmp_path))
    try:
        bf16 = make(
            declared(make=Convolution), options(tmp_path, runtime="openvino", precision="bf16")
        )
    except EncoderError as refused:
        if "on this processor, not in bf16" not in str(refused):
            raise
        pytest.skip(f"left out: {refused}")
    assert bf16.space.encoder_version == "1; bf16"
    assert np.sum(bf16.embed(images(5)) * plain.embed(images(5)), axis=1).min() > 0.999


def test_without_the_package_the_install_line_is_said() -> None:
    if not extras.absent("openvino"):
        pytest.skip("left out: OpenVINO is here")
    with pytest.raises(EncoderError, match=r"pip install 'likeness-node\[openvino\]'"):
        openvino_runner(torch.nn.Flatten(), (1, 4, 4), 1, "fp32")


def test_compiling_is_not_its_affair(tmp_path: Path) -> None:
    asked = options(tmp_path, runtime="openvino", compile=True)
    with pytest.raises(EncoderError, match="with runtime openvino set compile = false"):
        make(declared(make=Convolution), asked)
