"""Readers of data sets in the layouts in which they are published, by name.

Each module has ``read(place, *, images=Images.ALL, ...)``, which returns a `Collection` or raises
`ReaderError`, and ``recognises(place)``, which tells whether the set lies there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from evaluation.collection import Collection
from evaluation.readers import (
    chestx_ray14,
    chexpert,
    covidx,
    dicom,
    manifest,
    mimic_cxr_jpg,
    nlst,
    padchest,
    radimagenet,
    vectors,
)
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images

__all__ = ["READERS", "Images", "Reader", "ReaderError", "recognised"]


@dataclass(frozen=True)
class Reader:
    """How a layout is read, and recognised."""

    read: Callable[..., Collection]
    recognises: Callable[[Path], bool]


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "chestx-ray14": Reader(chestx_ray14.read, chestx_ray14.recognises),
        "chexpert": Reader(chexpert.read, chexpert.recognises),
        "mimic-cxr-jpg": Reader(mimic_cxr_jpg.read, mimic_cxr_jpg.recognises),
        "radimagenet": Reader(radimagenet.read, radimagenet.recognises),
        "covidx": Reader(covidx.read, covidx.recognises),
        "nlst": Reader(nlst.read, nlst.recognises),
        "padchest": Reader(padchest.read, padchest.recognises),
        "vectors": Reader(vectors.read, vectors.recognises),
        "manifest": Reader(manifest.read, manifest.recognises),
        "dicom": Reader(dicom.read, dicom.recognises),
    }
)
"""In the order in which they are tried: a folder of DICOM may be anything's."""


def recognised(place: Path) -> str | None:
    """Which layout a file or a folder has, told by the files and columns there; None for none."""
    return next((name for name, reader in READERS.items() if reader.recognises(place)), None)
