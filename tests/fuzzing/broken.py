"""Small files made in code, each with one fault that mutated files have had."""

import struct
from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence

from tests.encoders.objects import gray, image_object, with_items
from tests.fuzzing.layout import META_AT
from tests.fuzzing.made import file_of

_EXPLICIT = b"1.2.840.10008.1.2.1\0"
_RLE = b"1.2.840.10008.1.2.5\0"
_IMPLICIT = b"1.2.840.10008.1.2\0\0\0"  # as many bytes
_DEEP = 3000


def table_over_its_bits() -> bytes:
    """A VOI LUT of 12 bits that has an entry of 16 (PS3.3 C.11.2.1.1)."""
    table = {"LUTDescriptor": [4, 0, 12], "LUTData": gray(0, 100, 4095, 65535).tobytes()}
    return file_of(image_object(gray(0, 1, 2, 3), VOILUTSequence=with_items(**table)))


def frame_lost_bytes() -> bytes:
    """Three frames of 16 bytes, of which the first lost 2: the file ends 2 bytes too soon."""
    whole = file_of(image_object(_ramp(3, 2, 4)))
    return whole[:-48] + whole[-46:]


def lost_bytes_before_padding() -> bytes:
    """Pixel data that lost 2 bytes, with Data Set Trailing Padding (PS3.10 7.2) behind."""
    ds = image_object(_ramp(2, 4))
    ds.add_new(0xFFFCFFFC, "OB", bytes(16))
    whole = file_of(ds)
    at = whole.index(_ramp(2, 4).tobytes())
    return whole[:at] + whole[at + 2 :]


def bytes_put_in() -> bytes:
    """Pixel data with 2 bytes more at its start than declared."""
    whole = file_of(image_object(_ramp(2, 4)))
    return whole[:-16] + b"\1\2" + whole[-16:]


def white_pixels_behind() -> bytes:
    """The same in Implicit VR, where 8 white bytes look like (FFFF,FFFF) of undefined length."""
    ds = image_object(np.full((2, 4), 0xFFFF, np.uint16))
    ds.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    whole = file_of(ds)
    return whole[:-16] + bytes(8) + whole[-16:]


def half_the_columns() -> bytes:
    """Columns that the pixel data has twice."""
    ds = image_object(_ramp(4, 4))
    ds.Columns = 2
    return file_of(ds)


def half_the_columns_in_runs() -> bytes:
    """The same in RLE, whose segments say nothing of their decoded length (PS3.5 G.3)."""
    ds = _in_runs(_ramp(4, 4))
    ds.Columns = 2
    return file_of(ds)


def runs_cut_short() -> bytes:
    """RLE of which the last segment lost its end."""
    ds = _in_runs(_noise(16))
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    ds.PixelData = encapsulate([frame[:-8]])
    return file_of(ds)


def fragments_called_native() -> bytes:
    """Encapsulated fragments under an uncompressed transfer syntax."""
    return file_of(_in_runs(_noise(16))).replace(_RLE, _EXPLICIT)


def fragments_called_implicit() -> bytes:
    """The same, whose data set is not encoded as said either."""
    return file_of(_in_runs(_noise(16))).replace(_RLE, _IMPLICIT)


def palette_of_two_colours() -> bytes:
    """A palette without values for blue (PS3.3 C.7.9)."""
    ds = image_object(_ramp(2, 4).astype(np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [8, 0, 16])
        data = b"" if colour == "Blue" else _ramp(2, 4).tobytes()
        setattr(ds, f"{colour}PaletteColorLookupTableData", data)
    return file_of(ds)


def syntax_of_control_characters() -> bytes:
    """A TransferSyntaxUID that clears the terminal's screen."""
    return file_of(image_object(gray(0, 1))).replace(_EXPLICIT, b"\x1b[2J\x07\r\n" + bytes(13))


def group_length_of_bytes() -> bytes:
    """A File Meta Information Group Length (PS3.10 7.1) of VR UN and 202 bytes."""
    whole = file_of(image_object(_noise(16)))
    vr_at = META_AT + 4
    return whole[:vr_at] + struct.pack("<2s2xI", b"UN", 202) + whole[vr_at + 8 :]


def marker_that_ends_gdcm() -> bytes:
    """JPEG lossless whose JFIF version does not exist: GDCM ends the process on it."""
    header = b"\xff\xe0\0\x10JFIF\0\x10\1\0\0\1\0\1\0\0" + b"\xff\xc3\0\x0b\x08\0\4\0\4\1\1\x11\0"
    table = b"\xff\xc4\0\x14\0\1" + bytes(15) + b"\0"  # one code, of one bit: no difference
    scan = b"\xff\xda\0\x08\1\1\0\1\0\0" + bytes(2)
    return _in_jpeg(b"\xff\xd8" + header + table + scan + b"\xff\xd9", uid.JPEGLosslessSV1, 4)


def scan_cut_short() -> bytes:
    """JPEG baseline that lost the end of its scan, but not the marker EOI."""
    picture = BytesIO()
    Image.fromarray(_noise(64).astype(np.uint8)).save(picture, "JPEG")
    frame = picture.getvalue()[:-500] + b"\xff\xd9"
    return _in_jpeg(frame, uid.JPEGBaseline8Bit, 64)


def nested_beyond_measure() -> bytes:
    """Sequences in sequences, deeper than a parser that calls itself can go."""
    item = Dataset()
    whole = file_of(image_object(gray(0, 1), ReferencedImageSequence=Sequence([item])))
    nested = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    at = whole.index(b"\x08\0\x40\x11SQ")
    return whole[:at] + nested * _DEEP + whole[at:]


REFUSED: Mapping[Callable[[], bytes], str] = {
    table_over_its_bits: r"\(0028,3006\) LUTData",
    frame_lost_bytes: "pixel data",
    lost_bytes_before_padding: "pixel data",
    bytes_put_in: "pixel data",
    white_pixels_behind: "pixel data",
    half_the_columns: "pixel data",
    half_the_columns_in_runs: "RLE pixel data",
    runs_cut_short: "RLE pixel data",
    fragments_called_native: "pixel data|encapsulated|transfer syntax",
    fragments_called_implicit: "pixel data|encapsulated|transfer syntax",
    palette_of_two_colours: "palette",
    syntax_of_control_characters: "TransferSyntaxUID|transfer syntax",
    marker_that_ends_gdcm: "compressed pixel data",
    scan_cut_short: "compressed pixel data",
    nested_beyond_measure: "DICOM|RecursionError",
}
"""Files that have no image, and what the reason speaks of."""


def _ramp(*shape: int) -> NDArray[np.uint16]:
    """Values that differ everywhere, in neither byte 0."""
    return (np.arange(1, 1 + np.prod(shape)) * 257).astype(np.uint16).reshape(shape)


def _noise(side: int) -> NDArray[np.uint16]:
    return np.random.default_rng(3).integers(0, 65536, (side, side), np.uint16)


def _in_runs(stored: NDArray[np.uint16]) -> Dataset:
    ds = image_object(stored)
    ds.compress(uid.RLELossless, generate_instance_uid=False)
    return ds


def _in_jpeg(frame: bytes, syntax: uid.UID, side: int) -> bytes:
    ds = image_object(np.zeros((side, side), np.uint8))
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2)])
    ds["PixelData"].is_undefined_length = True
    return file_of(ds)
