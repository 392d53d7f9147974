"""How networks are run: devices, lanes, memory, precision, to the last bit, compiled."""

import dataclasses
import logging
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.checked import CheckedEncoder
from encoders.devices import devices_of
from encoders.encoder import EncoderError, EncoderOptions, UnusableVectorsError
from encoders.lane import is_out_of_memory
from encoders.registry import find, make
from encoders.torch_encoder import build
from encoders.torch_process import settle, threads_each
from tests.encoders.run_networks import (
    Convolution,
    Greedy,
    NanOfWhite,
    TooLarge,
    declared,
    images,
    options,
)
from tests.encoders.small_networks import small

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """What is set for the whole process is set back, for the tests that come after."""
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def convolution(folder: Path, **more: Any) -> CheckedEncoder:
    return make(declared(make=Convolution), options(folder, **more))


def greedy(folder: Path, most: int, asked: list[int], **more: Any) -> CheckedEncoder:
    return make(declared(make=partial(Greedy, most, asked)), options(folder, **more))


def cosine(some: np.ndarray, others: np.ndarray) -> float:
    return float((some.astype(np.float64) * others).sum(axis=1).min())


def test_a_batch_that_is_too_large_is_halved_until_it_fits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []
    encoder = greedy(tmp_path, 3, asked, batch=16)
    found = encoder.embed(images(14))
    assert asked == [14, 7, 3, 3, 3, 3, 2]
    np.testing.assert_allclose(found, convolution(tmp_path).embed(images(14)), atol=1e-6)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == ["cpu has no memory for 14 images of 1 x 32 x 32 at once; from now on it gets 3"]


def test_the_smaller_size_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked: list[int] = []
    encoder = greedy(tmp_path, 2, asked, batch=8)
    encoder.embed(images(4))
    asked.clear()
    caplog.clear()
    encoder.embed(images(8))
    assert asked == [2, 2, 2, 2]
    assert not caplog.records


def test_without_memory_for_one_image_the_device_and_its_size_are_named(tmp_path: Path) -> None:
    asked: list[int] = []
    with pytest.raises(EncoderError, match="cpu has no memory for one image of 1 x 32 x 32"):
        greedy(tmp_path, 0, asked).embed(images(5))
    assert asked == [5, 2, 1]


def test_without_memory_for_the_network_it_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"cpu has no memory for the network \(CUDA out of"):
        make(declared(make=TooLarge), options(tmp_path))


def test_the_cpu_says_that_memory_is_out_without_a_type_for_it() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_no_forward_pass_gets_more_images_than_the_site_says(tmp_path: Path) -> None:
    asked: list[int] = []
    encoder = greedy(tmp_path, 99, asked, batch=4)
    encoder.infer([encoder.prepare(image) for image in images(10)])
    assert asked == [4, 4, 2]


def test_images_without_a_usable_vector_are_named(tmp_path: Path) -> None:
    encoder = make(declared(make=NanOfWhite), options(tmp_path))
    several = images(5)
    for at in (1, 4):
        several[at] = dataclasses.replace(several[at], pixels=np.ones((32, 32), np.float32))
    with pytest.raises(UnusableVectorsError, match="for image 1, 4 of 5") as caught:
        encoder.embed(several)
    assert caught.value.positions == (1, 4)
    assert encoder.embed([several[0], several[2]]).shape == (2, 8)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("abacus", "device 'abacus' is unknown; use auto, cpu, cuda or cuda:N"),
        ("meta", "device 'meta' is unknown"),
        ("cpu:0", "device 'cpu:0' is unknown"),
        ("", "device '' is unknown"),
        ("cpu,", "device '' is unknown"),
        ("cuda:99", "device cuda:99 is not on this machine, which has . for CUDA"),
        ("cpu, cuda:99", "device cuda:99 is not on this machine"),
    ],
)
def test_devices_that_are_not_there(names: str, reason: str) -> None:
    with pytest.raises(EncoderError, match=reason):
        devices_of(names)


def test_devices_come_in_their_order() -> None:
    assert devices_of("cpu") == (CPU,)
    assert devices_of("cpu , cpu") == (CPU, CPU)
    assert devices_of("auto")[0].type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_each_device_runs_a_batch_of_its_own(tmp_path: Path) -> None:
    together = threading.Barrier(2)  # broken, were one pass to wait for the other

    def pool(found: Tensor) -> Tensor:
        together.wait(timeout=60)
        return found

    encoder = make(declared(make=Convolution, pool=pool), options(tmp_path, device="cpu,cpu"))
    assert encoder.lanes == 2
    several = images(6)
    parts = [several[:3], several[3:]]
    with ThreadPoolExecutor(2) as threads:
        found = np.concatenate(list(threads.map(encoder.embed, parts)))
    np.testing.assert_allclose(found, convolution(tmp_path).embed(several), atol=1e-6)


def test_more_callers_than_lanes_wait(tmp_path: Path) -> None:
    encoder = convolution(tmp_path, device="cpu,cpu")
    expected = encoder.embed(images(4))
    with ThreadPoolExecutor(6) as threads:
        for found in threads.map(encoder.embed, [images(4)] * 24):
            np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("threads", "devices", "each"),
    [(4, [CPU], 4), (4, [CPU, CPU], 2), (5, [CPU, CPU], 2), (1, [CPU, CPU], 1)],
)
def test_networks_on_the_cpu_share_its_threads(
    threads: int, devices: list[torch.device], each: int
) -> None:
    assert threads_each(EncoderOptions(threads=threads), devices) == each


def test_networks_on_gpus_leave_the_cpu_to_those_that_prepare() -> None:
    gpu = torch.device("cuda", 0)
    assert threads_each(EncoderOptions(threads=8), [gpu, gpu]) == 1
    assert threads_each(EncoderOptions(threads=8), [gpu, CPU]) == 8


def test_the_process_gets_the_threads_and_no_tf32() -> None:
    settle(EncoderOptions(threads=2), [CPU])
    assert torch.get_num_threads() == 2
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_image_has_one_vector_to_the_last_bit_where_the_site_wants_it(tmp_path: Path) -> None:
    encoder = convolution(tmp_path, deterministic=True, threads=2)
    assert torch.are_deterministic_algorithms_enabled()
    several = images(9)
    together = encoder.embed(several)
    np.testing.assert_array_equal(encoder.embed(several), together)
    for at in (0, 5):
        np.testing.assert_array_equal(encoder.embed(several[at : at + 1])[0], together[at])


def test_an_operation_that_does_not_repeat_is_named(tmp_path: Path) -> None:
    reason = "put_ does not have a deterministic implementation"

    def pool(found: Tensor) -> Tensor:
        raise RuntimeError(reason)  # as torch says it, of operations that only a GPU has so

    encoder = make(declared(make=Convolution, pool=pool), options(tmp_path, deterministic=True))
    with pytest.raises(EncoderError, match=rf"last bit on cpu \({reason}\)"):
        encoder.embed(images(1))


@pytest.mark.parametrize("name", ["monai-densenet121", "monai-resnet50", "monai-vit-b32-256"])
def test_vectors_do_not_depend_on_their_batch(name: str, tmp_path: Path) -> None:
    declaration = small(find(name))
    encoder = make(declaration, random_weights(declaration, tmp_path))
    several = images(7)
    together = encoder.embed(several)
    alone = np.concatenate([encoder.embed([image]) for image in several])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert cosine(together, alone) > 1 - 1e-6


def random_weights(declaration: Any, folder: Path, **more: Any) -> EncoderOptions:
    torch.manual_seed(3)
    prefix = declaration.names.prefix
    state = {prefix + name: t for name, t in build(declaration).body.state_dict().items()}
    return dataclasses.replace(saved(state, folder), **more)


def saved(state: dict[str, Tensor], folder: Path) -> EncoderOptions:
    from safetensors.torch import save_file

    path = folder / "network.safetensors"
    save_file(state, path)
    return EncoderOptions(weights=path, device="cpu", threads=1)


def test_bf16_is_another_space_and_nearly_the_same_vectors(tmp_path: Path) -> None:
    fp32, bf16 = convolution(tmp_path), convolution(tmp_path, precision="bf16")
    assert fp32.space.encoder_version == "1"
    assert bf16.space.encoder_version == "1; bf16"
    assert fp32.space.id != bf16.space.id
    some, others = fp32.embed(images(8)), bf16.embed(images(8))
    assert others.dtype == np.float32
    assert np.abs(some - others).max() > 1e-5  # it did compute otherwise
    assert cosine(some, others) > 0.999


@pytest.mark.parametrize(
    "more",
    [{"device": "cpu,cpu"}, {"threads": 2}, {"batch": 1}, {"deterministic": True}],
    ids=lambda more: next(iter(more)),
)
def test_how_a_network_is_run_is_not_in_its_space(more: dict[str, Any], tmp_path: Path) -> None:
    plain, other = convolution(tmp_path), convolution(tmp_path, **more)
    assert other.space == plain.space
    np.testing.assert_allclose(other.embed(images(5)), plain.embed(images(5)), atol=1e-6)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="left out: no C++ compiler (g++)")
def test_a_compiled_network_is_in_the_same_space(tmp_path: Path) -> None:
    from torch._dynamo.utils import counters

    plain, compiled = convolution(tmp_path), convolution(tmp_path, compile=True)
    assert compiled.space == plain.space
    made = dict(counters["stats"])
    for count in (1, 2, 5, 3):
        expected = plain.embed(images(count))
        with ThreadPoolExecutor(1) as thread:  # the worker's threads are not the one that loads
            found = thread.submit(compiled.embed, images(count)).result()
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert dict(counters["stats"]) == made  # nothing is compiled later, when a study waits


def test_without_a_compiler_the_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    torch.compiler.reset()
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(EncoderError, match=r"needs a C.. compiler .*; set compile = false"),
    ):
        convolution(tmp_path, compile=True)
