"""The file of a kept image: as it is, or packed without loss."""

import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from encoders.model_ready import Samples

_NUMBERS = 1 << 16
_MOST_LEVELS = 1 << 14


class DamagedError(Exception):
    """A kept file is not what was written; the message says how that shows."""


def plain(samples: Samples) -> bytes:
    """An image as a file, as it is: a line of JSON, then its pixels. It takes no time."""
    return _file({"shape": samples.shape}, samples.tobytes())


def packed(samples: Samples) -> bytes:
    """An image as a file: a line of JSON, then its gray levels, then its pixels, lossless.

    A windowed CT has some hundred gray levels, so pixels are their numbers; where there are too
    many for that to help, none are listed, and pixels are as they are. What is compressed is
    the difference to the pixel before, in the row or in the column, zigzag (0, -1, 1, -2, … as
    0, 1, 2, 3, …), first all low bytes and then all high ones; by zlib without its search for
    repetitions, which noise has not (docs/benchmarks.md).
    """
    levels, numbers = _numbered(samples)
    each = [_differences(numbers, axis) for axis in (0, 1)]
    axis = int(each[1].sum() < each[0].sum())
    differences = each[axis]
    low = differences.astype(np.uint8).tobytes()
    high = (differences >> 8).astype(np.uint8).tobytes()
    packing = zlib_ng.compressobj(1, memLevel=9, strategy=zlib_ng.Z_RLE)
    body = b"".join((levels.tobytes(), packing.compress(low), packing.compress(high)))
    body += packing.flush()
    return _file({"shape": samples.shape, "levels": len(levels), "axis": axis}, body)


def _file(head: dict[str, Any], body: bytes) -> bytes:
    """The checksum tells of damage by disks and power cuts, as that of a PNG does."""
    return json.dumps({**head, "crc32": zlib.crc32(body)}).encode() + b"\n" + body


def unpacked(data: bytes) -> Samples:
    """The image that ``plain`` or ``packed`` wrote.

    Raises:
        DamagedError: it did not write this.
    """
    line, _, body = data.partition(b"\n")
    try:
        head: dict[str, Any] = json.loads(line)
        if head["crc32"] != zlib.crc32(body):
            raise DamagedError("its checksum is another")
        return _pixels(head, body)
    except (ValueError, LookupError, TypeError, zlib.error) as fault:
        raise DamagedError("its first line is wrong") from fault


def _pixels(head: dict[str, Any], body: bytes) -> Samples:
    if "levels" not in head:
        return np.frombuffer(body, np.uint16).reshape(head["shape"])
    levels = np.frombuffer(body, np.uint16, head["levels"])
    planes = np.frombuffer(zlib.decompress(body[levels.nbytes :]), np.uint8)
    low, high = planes.reshape(2, *head["shape"])
    zigzag = low | high.astype(np.uint16) << 8
    differences = (zigzag >> 1) ^ -(zigzag & 1)
    numbers = np.add.accumulate(differences, axis=head["axis"], dtype=np.uint16)
    return levels[numbers] if levels.size else numbers


def _numbered(samples: Samples) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """The gray levels that occur, ascending, and each pixel's number among them; or none."""
    occurs = np.zeros(_NUMBERS, np.bool_)
    occurs[samples] = True
    levels = np.flatnonzero(occurs).astype(np.uint16)
    if len(levels) > _MOST_LEVELS or 2 * len(levels) > samples.size:
        return levels[:0], samples
    number_of = np.cumsum(occurs, dtype=np.uint16) - np.uint16(1)
    return levels, number_of[samples]


def _differences(numbers: NDArray[np.uint16], axis: int) -> NDArray[np.uint16]:
    """Zigzag differences along an axis, the first to 0; modulo 2**16, so none is too large."""
    signed = np.diff(numbers, axis=axis, prepend=np.uint16(0)).view(np.int16)
    return ((signed << 1) ^ (signed >> 15)).view(np.uint16)
