"""Modality LUT: stored values to modality units (PS3.3 C.11.1; enhanced: C.7.6.16.2.9)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from encoders.elements import items, named, number, text
from encoders.functional_groups import holders
from encoders.image import PixelError
from encoders.lookup_table import LookupTable, read_lookup_table


@dataclass(frozen=True)
class Rescale:
    """``slope * stored value + intercept``, in ``unit`` (RescaleType, HU for Hounsfield units)."""

    slope: float
    intercept: float
    unit: str | None = None

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Output units = m * SV + b (PS3.3 C.11.1.1.2); same shape, float64."""
        return values * self.slope + self.intercept


ModalityLut = Rescale | LookupTable

_NOT_FOR_DISPLAY = frozenset(
    {uid.XRayAngiographicImageStorage, uid.XRayRadiofluoroscopicImageStorage}
)


def is_for_display(ds: Dataset) -> bool:
    """Whether the object's modality LUT is a step of its display.

    That of X-ray angiography and fluoroscopy leads back to a scale linear to X-ray intensity,
    and is ignored where the image is shown (PS3.4 N.2.5).
    """
    return text(ds, "SOPClassUID") not in _NOT_FOR_DISPLAY


def read_modality_lut(ds: Dataset, frame: int) -> ModalityLut | None:
    """The modality LUT of one frame, or None where the stored values are the output.

    A Modality LUT Sequence excludes Rescale (PS3.3 C.11.1); where an object has both, the
    sequence is taken. Rescale is looked for in the frame's Pixel Value Transformation Sequence,
    the shared one, then at the root. Of slope and intercept one may be missing: it counts as
    1 or 0. One that is not for display is None, too.

    Args:
        ds: the object.
        frame: index of the frame, from 0.

    Raises:
        PixelError: slope zero, not finite, or a table that cannot be read.
    """
    if not is_for_display(ds):
        return None
    for item in items(ds, "ModalityLUTSequence")[:1]:
        return read_lookup_table(item, signed=ds.get("PixelRepresentation") == 1)
    for holder in holders(ds, "PixelValueTransformationSequence", frame):
        slope, intercept = number(holder, "RescaleSlope"), number(holder, "RescaleIntercept")
        if slope is None and intercept is None:
            continue
        if slope == 0:
            raise PixelError(f"{named('RescaleSlope')} is 0, which leaves no image")
        unit = text(holder, "RescaleType")
        return Rescale(1.0 if slope is None else slope, intercept or 0.0, unit)
    return None


def in_hounsfield(ds: Dataset, lut: ModalityLut | None) -> bool:
    """Whether a CT's values are Hounsfield units: rescaled, and to no other stated unit.

    RescaleType may be absent from a CT image whose output is HU (PS3.3 C.8.2.1.1.4).
    """
    return text(ds, "Modality") == "CT" and isinstance(lut, Rescale) and lut.unit in (None, "HU")
