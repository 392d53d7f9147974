"""The forward pass by OpenVINO on a CPU: the network that torch loaded, converted in memory."""

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from encoders import extras
from encoders.encoder import EncoderError, Precision, Prepared
from encoders.lane import Runner, Vectors, first_line

WANTED = "likeness-node[openvino]"
_ELEMENT_TYPE = {"fp32": "f32", "bf16": "bf16"}
_AGREEMENT = {"fp32": 0.9999, "bf16": 0.99}
"""Least cosine of its vectors to those of torch in fp32."""


def openvino_runner(
    network: nn.Module, shape: tuple[int, ...], threads: int, precision: Precision
) -> Runner:
    """What runs batches of any number of images with the network.

    Args:
        network: in eval mode, on the CPU; not needed afterwards.
        shape: of one image as the network takes it.
        threads: of the forward pass.
        precision: of its arithmetic.

    Raises:
        EncoderError: OpenVINO is not here, cannot convert the network or computes another one, or
            this processor does not compute in the precision that is asked for.
    """
    openvino = _imported()
    failures = (RuntimeError, openvino.frontend.OpConversionFailure)
    try:
        model = _converted(openvino, network, shape)
        compiled = openvino.Core().compile_model(model, "CPU", _settings(threads, precision))
    except failures as error:
        raise EncoderError(
            f"OpenVINO cannot convert this network ({_reason(error)}); set runtime = 'torch'"
        ) from error
    _check_precision(compiled, precision)
    run = OnOpenvino(compiled)
    _check_agreement(run, network, shape, precision)
    return run


class OnOpenvino:
    """Runs batches with a compiled model."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()

    def __call__(self, prepared: Sequence[Prepared]) -> Vectors:
        """One vector per image, float32, shape (images, dimension), unit length."""
        found = self._request.infer([np.stack(prepared)], share_inputs=True)[0]
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        vectors: Vectors = found / np.maximum(lengths, np.float32(1e-12))
        return vectors


def _imported() -> Any:
    # OpenVINO tells its makers over the network that it was imported, and later of each network
    # that it converts; it does without where the package for that cannot be imported
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # means: not here
    return extras.imported("openvino", WANTED)


def _converted(openvino: Any, network: nn.Module, shape: tuple[int, ...]) -> Any:
    # not openvino.convert_model: where it fails it leaves the process without its log's warnings
    made = extras.imported("openvino.frontend.pytorch.ts_decoder", WANTED)
    frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of torch's tracer: about sizes, which never change
        decoder = made.TorchScriptPythonDecoder(network, example_input=torch.zeros(2, *shape))
        model = frontend.convert(frontend.load(decoder))
    model.reshape({model.input(0): openvino.PartialShape([-1, *shape])})
    return model


def _settings(threads: int, precision: Precision) -> dict[str, Any]:
    return {
        # without it newer processors would compute in bf16 what was asked for in fp32
        "INFERENCE_PRECISION_HINT": _ELEMENT_TYPE[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",  # all threads on one batch
        "ENABLE_CPU_PINNING": False,  # the node's other threads are about
    }


def _check_precision(compiled: Any, precision: Precision) -> None:
    used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if used != _ELEMENT_TYPE[precision]:
        raise EncoderError(
            f"OpenVINO computes in {used} on this processor, not in {precision}; "
            "set precision = 'fp32' or runtime = 'torch'"
        )


def _check_agreement(
    run: Runner, network: nn.Module, shape: tuple[int, ...], precision: Precision
) -> None:
    # the space does not name the runtime: a converter's fault would mix two spaces unseen
    image = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with torch.inference_mode():
        expected = functional.normalize(network(torch.from_numpy(image)[None]), dim=1)[0].numpy()
    cosine = float(run([image])[0] @ expected)
    if not cosine >= _AGREEMENT[precision]:  # so that NaN is refused, too
        raise EncoderError(
            f"OpenVINO's vector of noise has cosine {cosine:.5f} to torch's, not "
            f"{_AGREEMENT[precision]} or more; set runtime = 'torch'"
        )


def _reason(error: Exception) -> str:
    about = [line for line in str(error).splitlines() if "operations" in line]
    return about[0] if about else first_line(error)
