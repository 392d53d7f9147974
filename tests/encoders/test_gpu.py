"""Networks on a GPU: the CPU's vectors, memory that is out, lanes, copies, to the last bit."""

import dataclasses
import importlib.util
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration, Names
from encoders.encoder import EncoderError, EncoderOptions
from encoders.registry import declarations, make
from encoders.torch_encoder import build
from tests.encoders.run_networks import Convolution, declared, images, options
from tests.encoders.small_networks import small

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="left out: no CUDA device"),
]
NETWORKS = [entry for entry in declarations() if entry.preprocessing is not None]


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """What is set for the whole process is set back, for the tests that come after."""
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def convolution(folder: Path, **more: Any) -> CheckedEncoder:
    return make(declared(make=Convolution), options(folder, **{"device": "cuda", **more}))


def cosines(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.asarray((some.astype(np.float64) * others).sum(axis=1))


def random_weights(declaration: Declaration, folder: Path) -> EncoderOptions:
    torch.manual_seed(3)
    body = build(declaration).body
    with torch.no_grad():
        for parameter in body.parameters():  # some begin as zeros, and would hide what they do
            parameter.normal_(0, 0.2)
    save_file(body.state_dict(), folder / "network.safetensors")
    return EncoderOptions(weights=folder / "network.safetensors", device="cuda")


@pytest.mark.parametrize("declaration", NETWORKS, ids=lambda entry: entry.name)
def test_a_gpu_gives_the_vectors_of_a_cpu(declaration: Declaration, tmp_path: Path) -> None:
    shrunk = dataclasses.replace(small(declaration), names=Names())
    chosen = random_weights(shrunk, tmp_path)
    on_gpu = make(shrunk, chosen)
    on_cpu = make(shrunk, dataclasses.replace(chosen, device="cpu", threads=1))
    assert on_gpu.space == on_cpu.space
    found, expected = on_gpu.embed(images(5)), on_cpu.embed(images(5))
    assert cosines(found, expected).min() > 1 - 1e-5
    bf16 = make(shrunk, dataclasses.replace(chosen, precision="bf16"))
    assert bf16.space.id != on_gpu.space.id
    assert cosines(bf16.embed(images(5)), expected).min() > 0.99


@pytest.fixture
def little_memory() -> Iterator[None]:
    """96 MiB of the GPU's memory for torch, beside what it holds already."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    allowed = torch.cuda.memory_reserved(0) + 96 * 2**20
    torch.cuda.set_per_process_memory_fraction(allowed / total, 0)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, 0)
    torch.cuda.empty_cache()


@pytest.mark.usefixtures("little_memory")
def test_a_batch_that_is_too_large_is_halved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # an image takes 4 kB, and 14 kB in each of three maps: a batch of 16384 some 750 MB
    encoder = convolution(tmp_path, batch=16384)
    several = images(8)
    prepared = [encoder.prepare(image) for image in several] * 2048
    found = encoder.infer(prepared)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    assert "cuda:0 has no memory for 16384 images of 1 x 32 x 32" in said[0]
    expected = convolution(tmp_path, device="cpu").embed(several)
    assert cosines(found[:8], expected).min() > 1 - 1e-5
    assert cosines(found[-8:], expected).min() > 1 - 1e-5


def greedy(found: torch.Tensor) -> torch.Tensor:
    """A pool that wants 64 GiB for each image."""
    room = torch.empty((len(found), 2**34), device=found.device)
    return found + room[:, :1]


@pytest.mark.usefixtures("little_memory")
def test_without_memory_for_one_image_the_device_is_named(tmp_path: Path) -> None:
    chosen = options(tmp_path, device="cuda")
    encoder = make(declared(make=Convolution, pool=greedy), chosen)
    with pytest.raises(EncoderError, match=r"cuda:0 has no memory for one image of 1 x 32 x 32"):
        encoder.embed(images(4))


def test_one_batch_is_copied_while_another_is_computed(tmp_path: Path) -> None:
    encoder = convolution(tmp_path)
    assert encoder.lanes == 2
    batches = [images(12)[at:] for at in range(8)] * 8
    expected = [encoder.embed(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        for found, alone in zip(threads.map(encoder.embed, batches), expected, strict=True):
            np.testing.assert_allclose(found, alone, atol=1e-6)


def test_batches_are_copied_from_pinned_memory(tmp_path: Path) -> None:
    encoder = convolution(tmp_path)
    encoder.embed(images(4))
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as seen:
        encoder.embed(images(4))
    copies = {event.key for event in seen.key_averages() if "Memcpy" in event.key}
    if not copies:
        pytest.skip("left out: this machine's profiler sees no copies")
    assert any("HtoD" in copy and "Pinned" in copy for copy in copies)
    assert any("DtoH" in copy and "Pinned" in copy for copy in copies)
    assert not any("Pageable" in copy for copy in copies)


def test_an_image_has_one_vector_to_the_last_bit_where_the_site_wants_it(tmp_path: Path) -> None:
    encoder = convolution(tmp_path, deterministic=True)
    together = encoder.embed(images(9))
    np.testing.assert_array_equal(encoder.embed(images(9)), together)
    np.testing.assert_array_equal(encoder.embed(images(9)[5:6])[0], together[5])


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="left out: fewer than two GPUs")
def test_two_gpus_share_the_batches(tmp_path: Path) -> None:
    encoder = convolution(tmp_path, device="cuda:0,cuda:1")
    assert encoder.lanes == 4
    assert all(torch.cuda.memory_allocated(index) for index in (0, 1))
    expected = convolution(tmp_path, device="cpu").embed(images(6))
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(encoder.embed, [images(6)] * 32):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="left out: no Triton")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_compiled_network_is_in_the_same_space(precision: str, tmp_path: Path) -> None:
    plain = convolution(tmp_path, precision=precision)
    compiled = convolution(tmp_path, precision=precision, compile=True)
    assert compiled.space == plain.space
    for count in (1, 2, 7):
        found, expected = compiled.embed(images(count)), plain.embed(images(count))
        assert cosines(found, expected).min() > (1 - 1e-5 if precision == "fp32" else 0.999)


def test_openvino_is_not_for_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="runtime openvino is for a CPU, and cuda:0 was chosen"):
        convolution(tmp_path, runtime="openvino")
