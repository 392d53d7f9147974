"""Rendered radiographs as DX and CR objects, in the variety that archives hold."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation

from evaluation.synthetic.chest_radiograph import Exposure
from evaluation.synthetic.dicom import StudyHeader, add_pixels, new_object
from evaluation.synthetic.shapes import Floats

# CID 4010 (PS3.16): the coded views beside the defined terms of View Position.
_VIEWS = {
    "PA": Code("272479007", "SCT", "postero-anterior"),
    "AP": Code("399348003", "SCT", "antero-posterior"),
    "LL": Code("399173006", "SCT", "left lateral"),
}


@dataclass(frozen=True)
class StorageForm:
    """How brightness becomes stored values, and how a viewer is told to turn it back.

    ``low`` and ``high`` are the parts of the range of ``bits`` at which black and white are
    stored (before inversion). ``windows`` counts the windows given, 0 to 2.
    """

    monochrome1: bool
    bits: int
    low: float
    high: float
    windows: int
    function: str | None


def draw_form(rng: np.random.Generator, modality: str) -> StorageForm:
    """A form of storage; only CR goes without a window, and then uses the whole range."""
    windows = int(rng.choice([0, 1, 1, 1, 2])) if modality == "CR" else int(rng.choice([1, 1, 2]))
    functions = (None, None, "LINEAR", "LINEAR_EXACT", "SIGMOID")
    function = functions[int(rng.integers(len(functions)))]
    return StorageForm(
        monochrome1=bool(rng.random() < 0.35),
        bits=int(rng.choice([10, 12, 12, 14, 16])),
        low=rng.uniform(0.02, 0.15) if windows else 0.0,
        high=rng.uniform(0.75, 0.97) if windows else 1.0,
        windows=windows,
        function=function if windows else None,
    )


def radiograph_object(
    header: StudyHeader, bright: Floats, exposure: Exposure, form: StorageForm, number: int
) -> Dataset:
    """One DX (PS3.3 A.26) or CR (A.2) object.

    Args:
        header: the study; its modality decides the SOP class.
        bright: displayed brightness in [0, 1], shape (rows, columns).
        exposure: view and pixel spacing.
        form: how the values are stored.
        number: series number within the study, from 1; each view is a series.
    """
    digital = header.modality == "DX"
    sop_class = (
        DigitalXRayImageStorageForPresentation if digital else ComputedRadiographyImageStorage
    )
    ds = new_object(header, sop_class, f"image/{number}", f"series/{number}")
    ds.SeriesNumber = number
    ds.InstanceNumber = 1
    ds.SeriesDescription = f"SYNTHETIC chest {exposure.view}"
    _add_image(ds, exposure)
    _add_stored_values(ds, bright, form)
    if digital:
        _add_digital(ds, exposure, form)
    return ds


def _add_image(ds: Dataset, exposure: Exposure) -> None:
    """What DX and CR share: how patient, beam and detector stood."""
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.AcquisitionNumber = 1
    # Rows run to the patient's left, or to the back where the patient faces the left border.
    ds.PatientOrientation = ["P", "F"] if exposure.view == "LL" else ["L", "F"]
    ds.ViewPosition = exposure.view
    spacing = round(exposure.pixel_spacing, 4)
    ds.ImagerPixelSpacing = [spacing, spacing]
    ds.KVP = 90 if exposure.view == "AP" else 120
    ds.LossyImageCompression = "00"


def _add_stored_values(ds: Dataset, bright: Floats, form: StorageForm) -> None:
    """Pixels and VOI LUT (PS3.3 C.11.2); MONOCHROME1 shows its smallest value as white."""
    full = 2**form.bits - 1
    low, high = round(form.low * full), round(form.high * full)
    stored = np.rint(low + bright * np.float32(high - low)).astype(np.int32)
    centre, width = (low + high + 1) / 2, high - low + 1
    if form.monochrome1:
        stored, centre = full - stored, full - centre + 1
    ds.PhotometricInterpretation = "MONOCHROME1" if form.monochrome1 else "MONOCHROME2"
    if form.function == "SIGMOID":
        # The sigmoid reaches 95 % at the end of the range where its width is 0.7 of it.
        width = round(0.7 * width)
    if form.windows == 1:
        ds.WindowCenter, ds.WindowWidth = centre, width
    elif form.windows == 2:
        ds.WindowCenter, ds.WindowWidth = [centre, centre], [width, round(0.7 * width)]
        ds.WindowCenterWidthExplanation = ["NORMAL", "HARDER"]
    if form.function:
        ds.VOILUTFunction = form.function
    add_pixels(ds, stored, bits=form.bits, signed=False)


def _add_digital(ds: Dataset, exposure: Exposure, form: StorageForm) -> None:
    """DX Series, Anatomy, Image, Detector and Positioning (PS3.3 C.8.11.1 to C.8.11.5)."""
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageLaterality = "U"
    ds.AnatomicRegionSequence = [_coded(Code("816094009", "SCT", "Chest"))]
    ds.PixelIntensityRelationship = "LOG"
    # 1: lower values mean less X-ray; bone is stored low where the polarity is MONOCHROME1.
    ds.PixelIntensityRelationshipSign = 1 if form.monochrome1 else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PresentationLUTShape = "INVERSE" if form.monochrome1 else "IDENTITY"
    ds.DetectorType = "SCINTILLATOR"
    ds.PositionerType = "NONE"
    ds.AcquisitionContextSequence = []
    view = _coded(_VIEWS[exposure.view])
    view.ViewModifierCodeSequence = []
    ds.ViewCodeSequence = [view]
    ds.PatientOrientationCodeSequence = [_coded(Code("C86043", "NCIt", "erect"))]
    if exposure.view == "AP":
        ds.PatientOrientationCodeSequence = [_coded(Code("102538003", "SCT", "recumbent"))]
        position = _coded(Code("40199007", "SCT", "supine"))
        ds.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [position]


def _coded(code: Code) -> Dataset:
    """One item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
