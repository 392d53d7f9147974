"""The forward pass of a network by torch, on a CPU or a GPU."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.encoder import Precision, Prepared
from encoders.lane import Runner, Vectors

Forward = Callable[[Tensor], Tensor]
"""From a batch to vectors of unit length, float32, on the same device."""


def placed(network: nn.Module, precision: Precision, device: torch.device) -> nn.Module:
    """The network on its device, its weights in the layout and type that it computes with.

    For bf16 only factors of products are kept in it, which autocast would round to it anyhow, in
    every forward pass: for one image that took more than half of a transformer's speed on a CPU
    (docs/benchmarks.md). Norms and positions stay as they are.
    """
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # not in stubs
    if precision == "bf16":
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.to(torch.bfloat16)
    return network


def forward_of(network: nn.Module, precision: Precision, device: torch.device) -> Forward:
    """What computes a batch with a network that ``placed`` has put on ``device``.

    bf16 is by autocast: norms, softmax and sums stay in fp32, and a network that makes fp32
    tensors of its own (positions, windows) runs as well; one converted as a whole would not.
    """

    def forward(batch: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            found: Tensor = network(batch)
        return functional.normalize(found.float(), dim=1)

    return forward


def runner_of(forward: Forward, device: torch.device) -> Runner:
    """A runner for one device; a GPU's may be called by two threads at once."""
    return OnGpu(forward, device) if device.type == "cuda" else OnCpu(forward)


class OnCpu:
    """Runs batches where they are."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    def __call__(self, prepared: Sequence[Prepared]) -> Vectors:
        """One vector per image, float32, shape (images, dimension)."""
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(prepared))
            vectors: Vectors = self._forward(channels_last(batch)).numpy()
        return vectors


class OnGpu:
    """Runs batches on a GPU: while one is computed, another thread's is copied there.

    All copies to the GPU go through one stream, from pinned memory, which alone can be copied
    while others compute. Batches are computed one after the other, so that two never need memory
    at once.
    """

    def __init__(self, forward: Forward, device: torch.device) -> None:
        self._forward = forward
        self._device = device
        self._copies = torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch's own
        self._computing = threading.Lock()

    def __call__(self, prepared: Sequence[Prepared]) -> Vectors:
        """One vector per image, float32, shape (images, dimension), fetched once for all."""
        with torch.inference_mode(), torch.cuda.device(self._device):
            batch, copied = self._copied(prepared)
            # a sleeping thread leaves its core to those that decode
            done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            with self._computing:
                stream = torch.cuda.current_stream()
                stream.wait_event(copied)
                batch.record_stream(stream)
                vectors = self._forward(channels_last(batch)).to("cpu", non_blocking=True)
                done.record(stream)
            done.synchronize()
        fetched: Vectors = vectors.numpy()
        return fetched

    def _copied(self, prepared: Sequence[Prepared]) -> tuple[Tensor, torch.cuda.Event]:
        shape = (len(prepared), *prepared[0].shape)
        pinned = torch.empty(shape, dtype=torch.float32, pin_memory=True)
        np.stack(prepared, out=pinned.numpy())
        with torch.cuda.stream(self._copies):
            batch = pinned.to(self._device, non_blocking=True)
            return batch, self._copies.record_event()


def channels_last(batch: Tensor) -> Tensor:
    """The same values with the channels of a pixel side by side, as convolutions like them."""
    return batch.contiguous(memory_format=torch.channels_last)
