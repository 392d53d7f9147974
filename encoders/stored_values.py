"""From a codestream's samples to stored values, where the two descriptions of them differ.

PS3.5 8.2 wants a codestream's precision and sign to be those of Bits Stored and Pixel
Representation. Encoders often give it the whole pixel cell (16 bits for 12), and JPEG and JPEG-LS
cannot say that samples are signed. The rule here: whatever reading of the samples lies within the
range that Bits Stored and Pixel Representation declare is taken; where none does, or where two
that differ do, the object contradicts itself and is refused. Nothing is masked in silence.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from encoders.codestream import Codestream
from encoders.elements import named
from encoders.image import PixelError

OVERSHOOT = 1 / 8
"""Share of the declared range by which lossy samples may lie outside it; they are clipped."""


def stored_values(
    samples: NDArray[Any], stream: Codestream, ds: Dataset, *, lossy: bool
) -> NDArray[Any]:
    """Read a codestream's samples as the stored values that a dataset declares.

    Args:
        samples: as the codestream has them, shape (rows, columns) or (rows, columns, 3).
        stream: what the codestream says of itself.
        ds: with BitsAllocated, BitsStored and PixelRepresentation, checked before.
        lossy: whether the transfer syntax is one whose decoders overshoot.

    Returns:
        Signed or unsigned integers of BitsAllocated bits.

    Raises:
        PixelError: no reading, or more than one, lies within the declared range.
    """
    signed = ds.PixelRepresentation == 1
    bits = ds.BitsStored - signed
    low, high = -(1 << bits) if signed else 0, (1 << bits) - 1
    margin = int(OVERSHOOT * (high - low)) if lossy and stream.precision > ds.BitsStored else 0
    fitting = [
        reading
        for reading in _readings(samples, stream, ds)
        if low - margin <= int(reading.min()) and int(reading.max()) <= high + margin
    ]
    if not fitting or any(not np.array_equal(fitting[0], other) for other in fitting[1:]):
        raise PixelError(
            f"the compressed frame holds {_described(stream)}, which {named('BitsStored')} "
            f"{ds.BitsStored} and {named('PixelRepresentation')} {ds.PixelRepresentation} "
            f"{'contradict' if not fitting else 'leave open to two readings'}; "
            "correct the attributes at the sender"
        )
    kept = fitting[0].astype(np.int64).clip(low, high) if margin else fitting[0]
    return kept.astype(f"{'i' if signed else 'u'}{max(ds.BitsAllocated, 8) // 8}", copy=False)


def _readings(samples: NDArray[Any], stream: Codestream, ds: Dataset) -> Iterator[NDArray[Any]]:
    """The samples as they are; and as two's complement, of the precision or of the value."""
    yield samples
    if ds.PixelRepresentation == 0 or stream.signed:
        return
    top = int(samples.max())
    if top >= 1 << (min(ds.BitsStored, stream.precision) - 1):
        yield _twos_complement(samples, stream.precision)
        if top < 1 << ds.BitsStored < 1 << stream.precision:
            yield _twos_complement(samples, ds.BitsStored)


def _twos_complement(samples: NDArray[Any], bits: int) -> NDArray[Any]:
    wide: NDArray[np.int64] = samples.astype(np.int64)
    wide[wide >= 1 << (bits - 1)] -= 1 << bits
    return wide


def _described(stream: Codestream) -> str:
    return f"{'signed' if stream.signed else 'unsigned'} samples of {stream.precision} bits"
