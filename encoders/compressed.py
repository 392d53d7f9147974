"""One compressed frame's stored values: judged, decoded, and held against its description."""

from contextlib import suppress
from typing import Any

from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from encoders.codestream import Codestream, read_codestream
from encoders.decodable import decoders_of
from encoders.elements import READ_ERRORS, integer, named
from encoders.extended_jpeg import decode_extended_jpeg
from encoders.image import PixelError
from encoders.run_lengths import check_run_lengths
from encoders.stored_values import stored_values
from encoders.strict_jpeg import check_scan

_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_LOSSY = (*_JPEG[:2], uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K)


def decode_compressed(frame: bytes, ds: Dataset, syntax: UID) -> tuple[NDArray[Any], str]:
    """Decode one frame that is whole, and as its dataset describes it.

    Damage that a decoder would fill up or pass over is refused where the codestream shows it:
    lengths, markers, and for JPEG and RLE whether the data gives exactly the samples due. Damage
    to a value alone shows in no codestream, for none has a checksum.

    Args:
        frame: one whole encoded frame.
        ds: its description (PS3.3 C.7.6.3), checked before.
        syntax: a compressed transfer syntax.

    Returns:
        The stored values, shape (rows, columns) or (rows, columns, 3) as RGB, and the name of
        the decoder.

    Raises:
        PixelError: the frame is damaged, or is not what ``ds`` describes.
        One of READ_ERRORS: the decoder gave up.
    """
    if syntax == uid.RLELossless:
        _check_runs(frame, ds)
        return _by_plugins(_described(frame, ds, syntax))
    stream = read_codestream(frame)
    _check_description(ds, stream)
    if stream.lossless is False and syntax not in _LOSSY:
        raise PixelError(f"the compressed frame was coded with loss, which {syntax.name} rules out")
    if syntax in _JPEG:
        check_scan(frame)
    if syntax == uid.JPEGExtended12Bit and stream.precision > 8:
        samples, decoder = decode_extended_jpeg(frame, stream), "gdcm"
    else:
        samples, decoder = _by_plugins(_described(frame, ds, syntax, stream))
    return stored_values(samples, stream, ds, lossy=syntax in _LOSSY), decoder


def _check_runs(frame: bytes, ds: Dataset) -> None:
    check_high_bit(ds)
    if ds.BitsAllocated == 1:
        raise PixelError(f"{named('BitsAllocated')} is 1; RLE of single bits is not supported")
    samples: int = ds.SamplesPerPixel
    check_run_lengths(
        frame, pixels=ds.Rows * ds.Columns, segments=samples * (ds.BitsAllocated // 8)
    )


def check_high_bit(ds: Dataset) -> None:
    """Refuse a pixel cell whose value does not start at bit 0.

    Raises:
        PixelError: HighBit is not BitsStored - 1, which PS3.5 8.1.1 requires since 2014.
    """
    high = integer(ds, "HighBit")
    if high is not None and high != ds.BitsStored - 1:
        raise PixelError(f"{named('HighBit')} is {high}, not BitsStored - 1 (PS3.5 8.1.1)")


def _check_description(ds: Dataset, stream: Codestream) -> None:
    declared = (ds.Rows, ds.Columns, ds.SamplesPerPixel)
    if declared != (stream.rows, stream.columns, stream.components):
        raise PixelError(
            f"rows, columns and samples are {declared}, but {stream.rows}, {stream.columns} and "
            f"{stream.components} in the compressed frame"
        )
    if stream.precision > ds.BitsAllocated:
        raise PixelError(
            f"{named('BitsAllocated')} is {ds.BitsAllocated}, but the compressed frame holds "
            f"samples of {stream.precision} bits"
        )


def _described(frame: bytes, ds: Dataset, syntax: UID, stream: Codestream | None = None) -> Dataset:
    """The frame alone, for pydicom's decoders; described as the codestream does, where it can.

    Left to the dataset, some decoders mask what Bits Stored leaves out and others do not.
    """
    alone = Dataset()
    alone.file_meta = FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = syntax
    for keyword in (
        "Rows",
        "Columns",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "BitsAllocated",
        "BitsStored",
        "PixelRepresentation",
    ):
        if keyword in ds:  # the value alone: an element would be shared, and changed below
            setattr(alone, keyword, ds[keyword].value)
    if stream is not None:
        alone.BitsAllocated = next(bits for bits in (8, 16, 32, 64) if stream.precision <= bits)
        alone.BitsStored = stream.precision
        alone.PixelRepresentation = int(stream.signed)
    alone.PixelData = encapsulate([frame])
    return alone


def _by_plugins(alone: Dataset) -> tuple[NDArray[Any], str]:
    *first, last = decoders_of(alone.file_meta.TransferSyntaxUID)
    for plugin in first:
        with suppress(*READ_ERRORS):
            return pixel_array(alone, index=0, decoding_plugin=plugin), plugin
    return pixel_array(alone, index=0, decoding_plugin=last), last
