"""Which decoder is asked for which transfer syntax.

What can really be decoded here, ``encoders.self_test`` proves.
"""

from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

# Plugins in the order they are tried. GDCM stands where the stricter decoders cannot: it alone
# reads JPEG lossless and 12-bit, and JPEG-LS streams with a header that pyjpegls refuses.
# pylibjpeg-rle, written in Rust, panics on damaged runs, and a panic passes every `except
# Exception`; pydicom's own decoder takes 40 ms for 3 million pixels where it takes 16.
# pylibjpeg-libjpeg is GPL and never asked for.
_COMPRESSED: dict[UID, tuple[str, ...]] = {
    uid.JPEGLSLossless: ("pyjpegls", "gdcm"),
    uid.JPEG2000Lossless: ("pylibjpeg",),
    uid.HTJ2KLossless: ("pylibjpeg",),
    uid.HTJ2KLosslessRPCL: ("pylibjpeg",),
    uid.RLELossless: ("pydicom",),
    uid.JPEGLosslessSV1: ("gdcm",),
    uid.JPEGLossless: ("gdcm",),
    uid.JPEGLSNearLossless: ("pyjpegls", "gdcm"),
    uid.JPEG2000: ("pylibjpeg",),
    uid.HTJ2K: ("pylibjpeg",),
    uid.JPEGBaseline8Bit: ("pillow",),
    uid.JPEGExtended12Bit: ("gdcm",),
}

_PACKAGES = {
    "gdcm": "python-gdcm simplejpeg",
    "pillow": "pillow simplejpeg",
    "pylibjpeg": "pylibjpeg-openjpeg",
}

_NATIVE = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)


def decoders_of(transfer_syntax: str) -> tuple[str, ...]:
    """Names of the pydicom decoding plugins for a compressed transfer syntax, in order.

    The list is short and fixed, so that the same object gives the same pixels every time. Some
    of them fill up damaged data: ``encoders.compressed`` looks for damage before it asks them.
    Empty where none of them is installed, or the syntax is unknown or uncompressed.
    """
    wanted = _COMPRESSED.get(UID(transfer_syntax), ())
    if not wanted:
        return ()
    available = get_decoder(UID(transfer_syntax)).available_plugins
    return tuple(plugin for plugin in wanted if plugin in available)


def remedy(transfer_syntax: str) -> str:
    """What to do where a transfer syntax cannot be decoded though it should be."""
    plugins = _COMPRESSED.get(UID(transfer_syntax), ("pydicom",))
    packages = " ".join(_PACKAGES.get(plugin, plugin) for plugin in plugins)
    return f"pip install --force-reinstall {packages}, then start the node again"


def is_native(transfer_syntax: str) -> bool:
    """Whether a transfer syntax leaves pixel data uncompressed."""
    return UID(transfer_syntax) in _NATIVE
