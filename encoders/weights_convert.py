"""A pickle's tensors in a file that can hold nothing else."""

import os
from pathlib import Path

from safetensors.torch import save_file

from encoders.encoder import EncoderError
from encoders.fetched import WeightsFile, sha256_of
from encoders.weights import read_weights


def convert(pickled: Path, new: Path) -> int:
    """Write the tensors of a pickle, opened as tensors only, to a safetensors file.

    Args:
        pickled: as ``torch.save`` wrote it; its names stay.
        new: must not exist.

    Returns:
        How many tensors were written.

    Raises:
        EncoderError: the file is damaged or holds no tensors, or ``new`` is there already.
        OSError: it cannot be written.
    """
    if new.exists():
        raise EncoderError(f"{new} is there already; name another file")
    try:
        digest = sha256_of(pickled)
    except OSError as error:
        raise EncoderError(f"{pickled} cannot be read: {error.strerror}") from error
    weights = read_weights(WeightsFile(pickled, digest, pickle_allowed=True))
    part = new.with_name(f"{new.name}.part")
    try:
        # a tensor that shares another's memory is written for itself
        tensors = {name: tensor.contiguous().clone() for name, tensor in weights.tensors.items()}
        save_file(tensors, part, metadata={**weights.metadata, "format": "pt"})
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(new)
    finally:
        part.unlink(missing_ok=True)
    return len(weights.tensors)
