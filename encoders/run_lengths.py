"""Whether an RLE frame decodes to exactly the bytes that its image needs (PS3.5 Annex G)."""

import struct
from itertools import pairwise

from encoders.image import PixelError

_HEADER = struct.Struct("<16I")
_NO_OPERATION = 0x80


def check_run_lengths(frame: bytes, *, pixels: int, segments: int) -> None:
    """Refuse a frame whose runs give too few or too many bytes: decoders fill up or cut off.

    A damaged byte inside a run is not seen: RLE has no checksum.

    Args:
        frame: one whole RLE frame.
        pixels: rows x columns, the bytes that each segment decodes to (G.2).
        segments: samples per pixel x bytes per sample.

    Raises:
        PixelError: another number of segments, or a segment that is damaged.
    """
    if len(frame) < _HEADER.size:
        raise PixelError(f"RLE pixel data is truncated: {len(frame)} bytes, its header has 64")
    declared, *offsets = _HEADER.unpack_from(frame)
    if declared != segments:
        raise PixelError(f"RLE pixel data has {declared} segments; {segments} are due (PS3.5 G.2)")
    bounds = [*offsets[:segments], len(frame)]
    for number, (start, end) in enumerate(pairwise(bounds), 1):
        segment = frame[start:end]
        made, used = _decoded_length(segment, pixels)
        # the encoder pads to even length with zero (G.3.1), encapsulation again
        if start < _HEADER.size or made != pixels or segment[used:].strip(b"\0\x80"):
            raise PixelError(
                f"RLE pixel data is damaged: segment {number} does not decode to the {pixels} "
                "bytes due; send the object again"
            )


def _decoded_length(segment: bytes, enough: int) -> tuple[int, int]:
    """Bytes that the runs decode to, until enough, and the bytes of the segment used for them."""
    made = at = 0
    length = len(segment)
    while made < enough and at < length:
        head = segment[at]
        if head < _NO_OPERATION:  # that many and one bytes follow as they are (G.3.2)
            made += head + 1
            at += head + 2
        elif head > _NO_OPERATION:  # the next byte is repeated
            made += 257 - head
            at += 2
        else:
            at += 1
    return (made, at) if at <= length else (-1, length)
