"""DenseNet-121 by itself: random weights of its true shape, and the time of a bare forward pass."""

import time
from pathlib import Path

import torch
from monai.networks.nets.densenet import DenseNet121
from safetensors.torch import save_file

from encoders import registry
from encoders.encoder import EncoderOptions
from encoders.torch_encoder import TorchEncoder, load


def write_random_weights(path: Path) -> None:
    """Write weights of the true architecture, one channel; what they compute means nothing."""
    torch.manual_seed(0)
    save_file(DenseNet121(spatial_dims=2, in_channels=1, out_channels=1).state_dict(), path)


class BareNetwork:
    """The network as the node loads it, to be timed in this process."""

    def __init__(self, weights: Path, device: str, threads: int) -> None:
        options = EncoderOptions(weights=weights, device=device, threads=threads)
        self._encoder: TorchEncoder = load(registry.find("monai-densenet121"), options)
        shape = (1, 1, 224, 224)
        image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        self._image = image.to(self._encoder.device, memory_format=torch.channels_last)
        self.seconds()  # the first pass plans and allocates

    @property
    def device(self) -> str:
        """Where it runs, and with how many CPU threads."""
        return f"{self._encoder.device}, {torch.get_num_threads()} threads"

    def seconds(self) -> float:
        """Return the time of one pass over one image, its result fetched to the CPU."""
        start = time.perf_counter()
        with torch.inference_mode():
            self._encoder.network(self._image).cpu()
        return time.perf_counter() - start
