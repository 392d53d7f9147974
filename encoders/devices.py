"""Devices by the names that settings give them."""

import re

import torch

from encoders.encoder import EncoderError

_NAMED = re.compile(r"cpu|cuda(:\d+)?")


def devices_of(names: str) -> tuple[torch.device, ...]:
    """The devices of a setting, in its order: ``auto``, or names parted by commas.

    Raises:
        EncoderError: a name is unknown, or this machine has no such device.
    """
    return tuple(_device(name.strip()) for name in names.split(","))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if not _NAMED.fullmatch(name):
        raise EncoderError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N")
    if name == "cpu":
        return torch.device("cpu")
    index, there = torch.device(name).index or 0, torch.cuda.device_count()
    if index >= there:
        raise EncoderError(
            f"device {name} is not on this machine, which has {there} for CUDA; use auto or cpu"
        )
    return torch.device("cuda", index)
