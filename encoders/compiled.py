"""Networks that torch compiles before they run."""

import torch
from torch import nn

from encoders.encoder import EncoderError
from encoders.lane import first_line
from encoders.runners import Forward, channels_last


def compiled(network: nn.Module) -> nn.Module:
    """The network behind ``torch.compile``; the first batches compile it, see ``warm``."""
    made: nn.Module = torch.compile(network)  # type: ignore[assignment] # keeps what it wraps
    return made


def warm(forward: Forward, shape: tuple[int, ...], device: torch.device) -> None:
    """Compile for one image and for any number of them, now rather than at the first study.

    Args:
        forward: what the network's batches will be run with.
        shape: of one image as the network takes it.
        device: where the network lies.

    Raises:
        EncoderError: there is no compiler, or it cannot compile the network.
    """
    from torch._dynamo import maybe_mark_dynamic  # noqa: PLC0415 # takes seconds to import
    from torch._dynamo.exc import TorchDynamoException  # noqa: PLC0415

    try:
        with torch.inference_mode():
            for images in (2, 1):  # torch compiles a batch of one apart
                batch = channels_last(torch.zeros(images, *shape, device=device))
                maybe_mark_dynamic(batch, 0)
                forward(batch)
    except TorchDynamoException as error:
        needed = "Triton" if device.type == "cuda" else "a C++ compiler (such as g++)"
        raise EncoderError(
            f"torch cannot compile this network on {device}, for which it needs {needed}: "
            f"{first_line(error)}; set compile = false"
        ) from error
