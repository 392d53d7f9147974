"""Ways to run one network: those that the settings offer, and those that they were chosen over."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.compiled import compiled, warm
from encoders.encoder import Precision, Prepared
from encoders.lane import Runner, Vectors
from encoders.openvino_runtime import openvino_runner
from encoders.runners import channels_last, forward_of, placed, runner_of


@dataclass(frozen=True)
class Place:
    """Where a network is run: on a device, by so many threads if a CPU, on images of a shape."""

    device: torch.device
    threads: int
    shape: tuple[int, ...]


Maker = Callable[[nn.Module, Place], Runner]
"""From a network of the way's own."""


def ways(device: torch.device, *, compile_too: bool) -> Iterator[tuple[str, Maker]]:
    """Yield the ways that this machine has, by name; the first is what others stand beside."""
    yield "torch fp32", _by_torch
    yield "fp32, channels first", _channels_first
    yield "fp32, deterministic algorithms", _deterministic
    yield "fp32, batch already on the device", _resident
    yield "bf16", partial(_by_torch, weights="bf16", arithmetic="bf16")
    yield "bf16, autocast of fp32 weights", partial(_by_torch, arithmetic="bf16")
    yield "bf16, norms too", _all_bf16
    yield "bf16, batch already on the device", partial(_resident, precision="bf16")
    if compile_too:
        yield "fp32, compiled", _compiled
        yield "bf16, compiled", partial(_compiled, precision="bf16")
    if device.type == "cpu" and importlib.util.find_spec("openvino"):
        yield "OpenVINO fp32", _openvino
        yield "OpenVINO bf16", partial(_openvino, precision="bf16")
    if device.type == "cpu" and importlib.util.find_spec("onnxruntime"):
        yield "ONNX Runtime fp32", _onnx


def _by_torch(
    network: nn.Module, place: Place, weights: Precision = "fp32", arithmetic: Precision = "fp32"
) -> Runner:
    ready = placed(network, weights, place.device)
    return runner_of(forward_of(ready, arithmetic, place.device), place.device)


def _all_bf16(network: nn.Module, place: Place) -> Runner:
    ready = placed(network, "fp32", place.device).to(torch.bfloat16)

    def forward(batch: Tensor) -> Tensor:
        return functional.normalize(ready(batch.bfloat16()).float(), dim=1)

    return runner_of(forward, place.device)


def _channels_first(network: nn.Module, place: Place) -> Runner:
    ready = network.to(place.device)

    def forward(batch: Tensor) -> Tensor:
        return functional.normalize(ready(batch.contiguous()), dim=1)

    return runner_of(forward, place.device)


def _deterministic(network: nn.Module, place: Place) -> Runner:
    run = _by_torch(network, place)

    def repeatable(prepared: Sequence[Prepared]) -> Vectors:
        torch.use_deterministic_algorithms(True)
        try:
            return run(prepared)
        finally:
            torch.use_deterministic_algorithms(False)

    return repeatable


def _resident(network: nn.Module, place: Place, precision: Precision = "fp32") -> Runner:
    """Copies a list of images once; asked for the same list again it only computes."""
    forward = forward_of(placed(network, precision, place.device), precision, place.device)
    held: dict[int, tuple[Sequence[Prepared], Tensor]] = {}

    def run(prepared: Sequence[Prepared]) -> Vectors:
        with torch.inference_mode():
            if id(prepared) not in held:
                batch = channels_last(torch.from_numpy(np.stack(prepared)).to(place.device))
                held.clear()
                held[id(prepared)] = prepared, batch
            vectors: Vectors = forward(held[id(prepared)][1]).cpu().numpy()
        return vectors

    return run


def _compiled(network: nn.Module, place: Place, precision: Precision = "fp32") -> Runner:
    ready = compiled(placed(network, precision, place.device))
    forward = forward_of(ready, precision, place.device)
    warm(forward, place.shape, place.device)
    return runner_of(forward, place.device)


def _openvino(network: nn.Module, place: Place, precision: Precision = "fp32") -> Runner:
    return openvino_runner(network, place.shape, place.threads, precision)


def _onnx(network: nn.Module, place: Place) -> Runner:
    onnxruntime: Any = importlib.import_module("onnxruntime")  # no package of ours needs it
    program = torch.onnx.export(
        network,
        (torch.zeros(2, *place.shape),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("images")},),
        verbose=False,
    )
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = place.threads
    made = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(made, options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(prepared: Sequence[Prepared]) -> Vectors:
        found = session.run(None, {name: np.stack(prepared)})[0]
        vectors: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
        return vectors

    return run
