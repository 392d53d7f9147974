"""Networks by themselves: random weights of their true shape, and the time of a forward pass."""

import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from encoders import registry
from encoders.declaration import Declaration
from encoders.devices import devices_of
from encoders.encoder import EncoderOptions, Precision
from encoders.fetched import WeightsFile
from encoders.runners import channels_last, forward_of, placed
from encoders.torch_encoder import build
from encoders.torch_process import settle
from encoders.weights import load_into, read_weights

DENSENET = "monai-densenet121"


def write_random_weights(path: Path, name: str = DENSENET) -> None:
    """Write weights for a declared network; what they compute means nothing."""
    torch.manual_seed(0)
    declared = registry.find(name)
    tensors = build(declared).body.state_dict()
    prefix = declared.names.prefix
    save_file({prefix + name: tensor.contiguous() for name, tensor in tensors.items()}, path)


class BareNetwork:
    """A declared network, computed as the node does and without the node.

    Args:
        weights: as ``write_random_weights`` writes them.
        device: one, as the settings name it.
        threads: of the CPU, 0 for one less than there are cores.
        name: of the declaration.
        batch: images in one pass; they lie on the device.
        precision: of its arithmetic.
    """

    def __init__(
        self,
        weights: Path,
        device: str,
        threads: int,
        *,
        name: str = DENSENET,
        batch: int = 1,
        precision: Precision = "fp32",
    ) -> None:
        (self._device,) = devices_of(device)
        settle(EncoderOptions(threads=threads), [self._device])
        declared = registry.find(name)
        network = build(declared).eval()
        load_into(network.body, read_weights(WeightsFile(weights, "")), declared.names)
        ready = placed(network, precision, self._device)
        self._forward = forward_of(ready, precision, self._device)
        self._images = channels_last(noise(declared, batch).to(self._device))
        self.seconds()  # the first pass plans and allocates

    @property
    def device(self) -> str:
        """Where it runs, and with how many CPU threads."""
        return f"{self._device}, {torch.get_num_threads()} threads"

    def seconds(self) -> float:
        """Return the time of one pass over one batch, its vectors fetched to the CPU."""
        start = time.perf_counter()
        with torch.inference_mode():
            self._forward(self._images).cpu()
        return time.perf_counter() - start


def noise(declared: Declaration, batch: int) -> torch.Tensor:
    """Return a batch as the network takes it, float32, around 0."""
    asked = declared.preprocessing
    assert asked is not None
    shape = (batch, asked.channels, asked.size, asked.size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
