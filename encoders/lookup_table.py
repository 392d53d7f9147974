"""Lookup tables as DICOM writes them: descriptor and data (PS3.3 C.11.1.1, C.11.2.1.1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from encoders.elements import READ_ERRORS, explain, named, numbers, value
from encoders.image import PixelError


@dataclass(frozen=True)
class LookupTable:
    """A table from whole input values to outputs.

    Attributes:
        first: input value that the first entry belongs to.
        entries: float64 outputs; inputs below and above the table take its first and last entry.
        bits: bits per entry; outputs span 0 to ``2**bits - 1``.
    """

    first: int
    entries: NDArray[np.float64]
    bits: int

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Look up each value, rounded to the nearest whole input; same shape, float64."""
        index = np.rint(values - self.first).clip(0, len(self.entries) - 1).astype(np.intp)
        return self.entries[index]


def read_lookup_table(item: Dataset, *, signed: bool) -> LookupTable:
    """Read LUTDescriptor (0028,3002) and LUTData (0028,3006).

    An entry count of 0 means 65536. The first input value is read as signed where the values
    that enter the table are (PS3.3 C.11.1.1.1), whatever VR the sender gave it. Data of 8 bits
    may come one or two entries to a word.

    Args:
        item: the item of a Modality LUT or VOI LUT Sequence.
        signed: whether the values that enter the table can be negative.

    Raises:
        PixelError: the descriptor or data is missing, malformed, shorter than declared, or holds
            an entry of more bits than declared.
    """
    descriptor = [int(part) for part in numbers(item, "LUTDescriptor")]
    if len(descriptor) != 3:
        raise PixelError(f"{named('LUTDescriptor')} has {len(descriptor)} values, not 3")
    count, first, bits = descriptor[0] % 65536 or 65536, descriptor[1], descriptor[2]
    if not 8 <= bits <= 16:
        raise PixelError(f"{named('LUTDescriptor')} says {bits} bits per entry, not 8 to 16")
    if signed and first > 32767:
        first -= 65536
    elif not signed and first < 0:
        first += 65536
    entries = _entries(item, count, bits)
    return LookupTable(first, entries.astype(np.float64), bits)


def _entries(item: Dataset, count: int, bits: int) -> NDArray[np.uint16]:
    data = value(item, "LUTData")
    try:
        if isinstance(data, bytes):  # VR OW or UN
            order = "<" if item.original_encoding[1] is not False else ">"
            words = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2").astype(np.uint16)
        else:
            words = np.atleast_1d(np.asarray(data)).astype(np.uint16)
    except READ_ERRORS as error:
        raise PixelError(f"{named('LUTData')} cannot be read ({explain(error)})") from error
    if bits == 8 and len(words) < count <= 2 * len(words):
        words = words.view(np.uint8).astype(np.uint16)  # two entries packed to a word
    if data is None or len(words) < count:
        held = 0 if data is None else len(words)
        raise PixelError(f"{named('LUTData')} holds {held} of the {count} entries declared")
    greatest = int(words[:count].max())
    if greatest >= 2**bits:
        raise PixelError(
            f"{named('LUTData')} holds {greatest}, over the {bits} bits of its entries"
        )
    return words[:count]
