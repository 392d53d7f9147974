"""The lanes of an encoder: on each device that is set, its own copy of the network."""

import copy
from collections.abc import Sequence

import torch

from encoders.compiled import compiled, warm
from encoders.encoder import EncoderError, EncoderOptions
from encoders.lane import Lane, Runner, first_line, is_out_of_memory
from encoders.networks.pooled import PooledNetwork
from encoders.openvino_runtime import openvino_runner
from encoders.runners import forward_of, placed, runner_of
from encoders.torch_process import threads_each


def lanes_of(
    network: PooledNetwork,
    shape: tuple[int, ...],
    devices: Sequence[torch.device],
    options: EncoderOptions,
) -> tuple[Lane, ...]:
    """One lane for each place on the CPU, two for each GPU, which share its network.

    Args:
        network: in eval mode, filled; it becomes the first device's own.
        shape: of one image as the network takes it.
        devices: as ``encoders.devices`` names them; one that comes twice gets two networks.
        options: how to run.

    Raises:
        EncoderError: a device has no memory for the network, or a runtime cannot run it.
    """
    # an image must get the same vector to the last bit whatever images come along
    most = 1 if options.deterministic else options.batch
    threads = threads_each(options, devices)
    own = [network, *(copy.deepcopy(network) for _ in devices[1:])]
    runners = [
        _runner(of, shape, device, threads, options)
        for of, device in zip(own, devices, strict=True)
    ]
    return tuple(
        Lane(run, str(device), most)
        for run, device in zip(runners, devices, strict=True)
        for _ in range(2 if device.type == "cuda" else 1)
    )


def _runner(
    network: PooledNetwork,
    shape: tuple[int, ...],
    device: torch.device,
    threads: int,
    options: EncoderOptions,
) -> Runner:
    if options.runtime == "openvino":
        return openvino_runner(network, shape, threads, options.precision)
    try:
        ready = placed(network, options.precision, device)
        run = compiled(ready) if options.compile else ready
        forward = forward_of(run, options.precision, device)
        if options.compile:
            warm(forward, shape, device)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise EncoderError(
                f"{device} has no memory for the network ({first_line(error)}); free some, or "
                "choose another device or a smaller encoder"
            ) from error
        raise
    return runner_of(forward, device)


def check(options: EncoderOptions, devices: Sequence[torch.device]) -> None:
    """Refuse at once what could not run.

    Raises:
        EncoderError: options contradict each other, or a device does not compute so.
    """
    gpus = [device for device in devices if device.type == "cuda"]
    if options.runtime == "openvino" and gpus:
        raise EncoderError(
            f"runtime openvino is for a CPU, and {gpus[0]} was chosen; set device = 'cpu' or "
            "runtime = 'torch'"
        )
    if options.runtime == "openvino" and options.compile:
        raise EncoderError("compile is torch's; with runtime openvino set compile = false")
    if options.precision == "bf16":
        for gpu in gpus:
            _check_bf16(gpu)


def _check_bf16(gpu: torch.device) -> None:
    with torch.cuda.device(gpu):
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            raise EncoderError(f"{gpu} does not compute in bf16; set precision = 'fp32'")
