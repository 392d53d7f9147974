"""Whether a JPEG scan holds exactly the samples that its header declares.

JPEG has no checksum, and decoders fill up what is missing: GDCM and Pillow return a picture, grey
or shifted from the damage on, and say nothing. libjpeg-turbo notices and warns; ``simplejpeg``
makes an error of its warnings. It decodes 8 bits only, but entropy coding is the same for any
precision (ITU-T T.81 F.2.2 and H.2), so a copy that declares 8 bits is judged and thrown away.

What remains unseen by nature: damage that decodes to the right number of samples. Of flipped
bits that is the greater part.
"""

import simplejpeg

from encoders.codestream import START_OF_FRAME, START_OF_SCAN, marker_segments
from encoders.image import PixelError

_EOI = b"\xff\xd9"
_SEQUENTIAL, _LOSSLESS = (0xC0, 0xC1), 0xC3
# Encoders end a scan with up to this many bytes that hold no sample
_SPARE = 2


def check_scan(frame: bytes) -> None:
    """Refuse a Huffman-coded JPEG frame (SOF0, 1, 3) that has too few or too many bytes.

    Args:
        frame: one whole encoded frame that ``read_codestream`` has passed.

    Raises:
        PixelError: libjpeg-turbo warns of corrupt data, or the last bytes are not needed: the
            scan was over before them.
    """
    judged, colours = _as_8_bits(frame)
    _decode(judged, colours)
    end = judged.rstrip(b"\0\xff").rfind(_EOI)
    try:
        _decode(judged[: end - _SPARE - 1] + _EOI, colours)
    except PixelError:
        return
    raise PixelError(
        "compressed pixel data is damaged: all samples are decoded before the scan ends"
    )


def _decode(frame: bytes, colours: str) -> None:
    try:
        simplejpeg.decode_jpeg(frame, colorspace=colours, strict=True)
    except ValueError as error:
        raise PixelError(f"compressed pixel data is damaged ({error})") from error


def _as_8_bits(frame: bytes) -> tuple[bytes, str]:
    """A copy that declares 8 bits per sample, and the colours to decode it to.

    Spectral selection and approximation bits are set as T.81 B.2.3 fixes them for sequential
    frames: NEMA's own 12-bit samples declare others, which are ignored by decoders that can.
    """
    judged, colours, process = bytearray(frame), "GRAY", 0
    for marker, at in marker_segments(frame):
        if marker in START_OF_FRAME:
            process = marker
            judged[at + 4] = 8
            # a lossless frame is not converted: it has no luminance of its own
            colours = "RGB" if process == _LOSSLESS and judged[at + 9] > 1 else "GRAY"
        elif marker == START_OF_SCAN:
            last = at + 4 + 2 * judged[at + 4]  # of the component selectors
            if process in _SEQUENTIAL:
                judged[last + 1 : last + 4] = b"\x00\x3f\x00"
            elif process == _LOSSLESS:
                judged[last + 2] = 0
    return bytes(judged), colours
