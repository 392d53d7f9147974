"""CT volumes as series of CT Image objects, with and without localizers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from evaluation.synthetic.chest_ct import Scan
from evaluation.synthetic.dicom import StudyHeader, add_pixels, new_object

_AXIAL = (1, 0, 0, 0, 1, 0)
# Along the rows, then down the columns: the patient's left or back, and the feet.
_SCOUTS = (("frontal", 1, (1, 0, 0, 0, 0, -1)), ("lateral", 2, (0, 1, 0, 0, 0, -1)))


@dataclass(frozen=True)
class SeriesForm:
    """How Hounsfield units are stored and ordered.

    ``from_feet`` numbers the slices against their position; ``window`` is centre and width or
    None; ``localizers`` counts the images of a second series.
    """

    signed: bool
    intercept: int
    from_feet: bool
    window: tuple[int, int] | None
    localizers: int

    @property
    def bits(self) -> int:
        """Bits Stored: 12 are enough for unsigned values above an intercept of -1024."""
        return 16 if self.signed else 12


def draw_series_form(rng: np.random.Generator) -> SeriesForm:
    """A form of storage; half the studies have localizers."""
    layouts = ((False, -1024), (True, -1024), (True, 0))
    windows = ((-600, 1500), (40, 400), None)
    signed, intercept = layouts[int(rng.integers(len(layouts)))]
    return SeriesForm(
        signed=signed,
        intercept=intercept,
        from_feet=bool(rng.random() < 0.5),
        window=windows[int(rng.integers(len(windows)))],
        localizers=int(rng.choice([0, 0, 1, 2])),
    )


def ct_objects(
    header: StudyHeader, volume: NDArray[np.int16], scan: Scan, form: SeriesForm
) -> Iterator[Dataset]:
    """The axial series in order of instance number, then the localizers.

    Args:
        header: the study.
        volume: HU from the neck down, shape (slices, rows, columns).
        scan: its spacing in mm.
        form: how it is stored and numbered.
    """
    order = range(scan.slices)
    for number, k in enumerate(reversed(order) if form.from_feet else order, start=1):
        yield _slice(header, volume[k], scan, form, k, number)
    for number, (name, axis, orientation) in enumerate(_SCOUTS[: form.localizers], start=1):
        scout = _localizer(header, volume, scan, form, axis, number)
        scout.ImageOrientationPatient = list(orientation)
        scout.SeriesDescription = "SYNTHETIC localizer"
        scout.ImageComments = f"{scout.ImageComments} ({name})"
        yield scout


def _height(scan: Scan, k: int) -> float:
    """z of slice ``k`` in mm, upwards in the patient's coordinates (PS3.3 C.7.6.2.1.1)."""
    return 1500.0 - k * scan.spacing


def _slice(
    header: StudyHeader,
    values: NDArray[np.int16],
    scan: Scan,
    form: SeriesForm,
    k: int,
    number: int,
) -> Dataset:
    """One axial image, slice ``k`` from the top, with Instance Number ``number``."""
    ds = new_object(header, CTImageStorage, f"slice/{k}", "series/axial")
    ds.SeriesNumber, ds.InstanceNumber = 2, number
    ds.SeriesDescription = "SYNTHETIC chest axial 5 mm"
    corner = -(scan.matrix - 1) / 2 * scan.pixel_spacing
    ds.ImageOrientationPatient = list(_AXIAL)
    ds.ImagePositionPatient = [round(corner, 4), round(corner, 4), _height(scan, k)]
    ds.SliceLocation = _height(scan, k)
    ds.SliceThickness = scan.spacing
    ds.PixelSpacing = [round(scan.pixel_spacing, 5)] * 2
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    if form.window:
        ds.WindowCenter, ds.WindowWidth = form.window
    _add_ct_image(ds, header, values, form, scan)
    return ds


def _localizer(
    header: StudyHeader,
    volume: NDArray[np.int16],
    scan: Scan,
    form: SeriesForm,
    axis: int,
    number: int,
) -> Dataset:
    """A scout view: the mean along the beam, rows repeated to about the size of a pixel."""
    repeats = max(1, round(scan.spacing / scan.pixel_spacing))
    mean = np.rint(np.repeat(volume.mean(axis=axis), repeats, axis=0)).astype(np.int16)
    ds = new_object(header, CTImageStorage, f"localizer/{number}", "series/localizer")
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    corner = round(-(scan.matrix - 1) / 2 * scan.pixel_spacing, 4)
    top = round(_height(scan, 0) + scan.spacing / 2 * (1 - 1 / repeats), 4)
    ds.ImagePositionPatient = [corner, 0, top] if axis == 1 else [0, corner, top]
    ds.SliceThickness = round(scan.field, 3)
    ds.PixelSpacing = [round(scan.spacing / repeats, 5), round(scan.pixel_spacing, 5)]
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.WindowCenter, ds.WindowWidth = -400, 1000
    _add_ct_image(ds, header, mean, form, scan)
    # A mean along the beam is no attenuation in a place: its unit is left unsaid.
    del ds.RescaleType
    return ds


def _add_ct_image(
    ds: Dataset, header: StudyHeader, values: NDArray[np.int16], form: SeriesForm, scan: Scan
) -> None:
    """Frame of Reference, Image Pixel and CT Image modules (PS3.3 C.7.4.1, C.7.6.3, C.8.2.1)."""
    ds.FrameOfReferenceUID = header.uid("frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.PatientPosition = "HFS"
    ds.AcquisitionNumber = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = form.intercept, 1, "HU"
    ds.KVP = 120
    ds.ReconstructionDiameter = round(scan.field, 3)
    stored = values.astype(np.int32) - form.intercept
    add_pixels(ds, stored, bits=form.bits, signed=form.signed)
