"""The picture of an embedded image that people look at."""

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from zlib_ng import zlib_ng

from encoders.image import GrayscaleImage

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY_8_BITS = (8, 0, 0, 0, 0)
"""Bit depth, colour type, compression, filter method, no interlace (PNG, third edition, 11.2.1)."""
_SUB = 1
"""The filter of a row whose pixels are differences to the one before (9.2)."""


def to_png(image: GrayscaleImage, longest: int = 512) -> bytes:
    """An 8-bit gray PNG with the windowing that the encoder saw.

    Args:
        image: the image; 0 is written as 0, 1 as 255, between them to the nearest step.
        longest: pixels of the longer side; a larger image is averaged down to it by area, a
            smaller one stays as it is.

    Returns:
        The PNG file's bytes, without any metadata.
    """
    gray = np.rint(image.pixels * 255).astype(np.uint8)
    scale = longest / max(gray.shape)
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in gray.shape)
        small = Image.fromarray(gray).resize((width, height), Image.Resampling.BOX)
        gray = np.asarray(small)
    return _png(gray)


def _png(gray: NDArray[np.uint8]) -> bytes:
    """By hand, in a quarter of the time of Pillow's fastest and no larger: one filter is tried
    instead of five, and of repetitions only those of one value are looked for, for noise has no
    others. zlib-ng does that in half of zlib's time."""
    rows, columns = gray.shape
    filtered = np.empty((rows, columns + 1), np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1] = gray[:, 0]
    np.subtract(gray[:, 1:], gray[:, :-1], out=filtered[:, 2:])  # modulo 256, as the filter is
    packing = zlib_ng.compressobj(1, memLevel=9, strategy=zlib_ng.Z_RLE)
    data = packing.compress(filtered.tobytes()) + packing.flush()
    head = struct.pack(">IIBBBBB", columns, rows, *_GRAY_8_BITS)
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib_ng.crc32(body))
