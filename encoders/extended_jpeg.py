"""JPEG Extended of 12 bits (process 4, ITU-T T.81), which pydicom's decoders refuse."""

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import JPEGExtended12Bit

from encoders.codestream import Codestream
from encoders.image import PixelError


def decode_extended_jpeg(frame: bytes, stream: Codestream) -> NDArray[np.uint16]:
    """Decode one grayscale frame of 9 to 12 bits with GDCM.

    Args:
        frame: one whole encoded frame.
        stream: what the frame's own header says.

    Returns:
        uint16, shape (rows, columns).

    Raises:
        PixelError: more than one component, or GDCM cannot decode it.
    """
    if stream.components != 1:
        raise PixelError(f"12-bit JPEG with {stream.components} components is not supported")
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((stream.columns, stream.rows, 1))
    image.SetDataElement(_pixel_data(frame))
    mono = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(mono))
    syntax = gdcm.TransferSyntax.GetTSType(str(JPEGExtended12Bit))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, stream.precision, stream.precision - 1, 0))
    decoded = image.GetBuffer()  # None where decoding failed, else bytes dressed as text
    if decoded is None:
        raise PixelError("GDCM cannot decode the 12-bit JPEG frame: it is damaged")
    samples = np.frombuffer(decoded.encode("utf-8", "surrogateescape"), "<u2")
    return samples.reshape(stream.rows, stream.columns)


def _pixel_data(frame: bytes) -> "gdcm.DataElement":
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    return element
