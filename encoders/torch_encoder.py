"""Declared networks behind the encoder interface: built, filled with weights, run in batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.as_told import as_told, preprocessing_of
from encoders.choice import SLICE_RULE
from encoders.declaration import Declaration
from encoders.descriptor_channel import only_descriptor
from encoders.devices import devices_of
from encoders.encoder import EncoderError, EncoderOptions, Precision, Prepared
from encoders.fetched import located
from encoders.grayscale import WINDOW_RULE
from encoders.image import GrayscaleImage
from encoders.lane import Lane
from encoders.lanes import check, lanes_of
from encoders.networks.known import built
from encoders.networks.pooled import PooledNetwork
from encoders.regions.crops import RegionError
from encoders.space import Space
from encoders.torch_process import settle
from encoders.transforms import transforms_of
from encoders.weights import load_into, read_weights


@dataclass(frozen=True)
class TorchEncoder:
    """A loaded network on its devices."""

    space: Space
    transform: Callable[..., Tensor]
    batch: int
    lanes: int
    free: "SimpleQueue[Lane]"
    made_for: Callable[[str, str], bool]
    of_regions: bool = False
    with_descriptor: bool = False

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """The network's input for one image; float32, shape (channels, size, size).

        Raises:
            EncoderError: the image's boxes are not of the regions that the network sees.
        """
        seen = self._seen(image)
        if self.with_descriptor and not self.made_for(image.modality, image.body_part):
            seen = only_descriptor(seen)
        return seen.numpy()

    def _seen(self, image: GrayscaleImage) -> Tensor:
        if not self.of_regions:
            return self.transform(image.pixels)
        try:
            return self.transform(image.pixels, image.boxes)
        except RegionError as fault:
            raise EncoderError(str(fault)) from fault

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """One vector per image, float32, shape (images, dimension), unit length, on the CPU.

        It waits for a lane where more threads call than there are lanes.

        Raises:
            EncoderError: the device has not the memory for one image.
        """
        lane = self.free.get()
        try:
            return lane.infer(prepared)
        finally:
            self.free.put(lane)


def load(declaration: Declaration, options: EncoderOptions) -> TorchEncoder:
    """Build the declared network and fill it with its weights.

    Raises:
        EncoderError: the file is missing or does not fit, the device is not there, or it cannot
            run as ``options`` say.
    """
    devices = devices_of(options.device)
    check(options, devices)
    settle(options, devices)
    weights = read_weights(located(declaration, options))
    told = as_told(declaration, weights)
    network = build(told)
    load_into(network.body, weights, told.names)
    space = space_of(told, weights.digest, options.precision)
    return on_devices(network, told, space, devices, options)


def on_devices(
    network: PooledNetwork,
    told: Declaration,
    space: Space,
    devices: Sequence[torch.device],
    options: EncoderOptions,
) -> TorchEncoder:
    """A network as an encoder, for as many callers at once as its devices serve.

    Args:
        network: with its weights.
        told: its declaration.
        space: what its vectors mean.
        devices: that it runs on.
        options: checked and settled already.

    Raises:
        EncoderError: it cannot run as ``options`` say.
    """
    network.eval()
    asked = preprocessing_of(told)
    lanes = lanes_of(network, (asked.channels, asked.size, asked.size), devices, options)
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)
    return TorchEncoder(
        space=space,
        transform=transforms_of(asked),
        batch=options.batch,
        lanes=len(lanes),
        free=free,
        made_for=told.is_made_for,
        of_regions=bool(asked.regions),
        with_descriptor=asked.descriptor,
    )


def build(declaration: Declaration) -> PooledNetwork:
    """The declared network with random weights.

    Raises:
        EncoderError: it cannot be built with the declared parameters.
    """
    asked = declaration
    return built(asked.name, asked.network, asked.config, asked.pooling)


def space_of(declaration: Declaration, weights_digest: str, precision: Precision = "fp32") -> Space:
    """What the declared encoder's vectors mean.

    bf16 stands beside the encoder's version: it is another arithmetic. Device, threads, batch and
    runtime are not in it, for what they change stays below 1e-5 in cosine.
    """
    window = declaration.ct_window
    return Space(
        encoder=declaration.name,
        encoder_version=declaration.version + ("; bf16" if precision == "bf16" else ""),
        weights_digest=weights_digest,
        preprocessing=preprocessing_of(declaration).text,
        window_rule=WINDOW_RULE + (f"; CT at {window[0]:g}/{window[1]:g} HU" if window else ""),
        slice_rule=SLICE_RULE,
        pooling=f"{declaration.pooling}, unit length",
        dimension=declaration.dimension,
    )
