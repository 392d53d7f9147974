"""Objects made in code: small ones of each kind that the pipeline tells apart."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests.encoders.objects import Groups, enhanced_object, image_object, with_items

SIDE = 48


def made_files() -> Mapping[str, bytes]:
    """Files in DICOM format by name; no two of a kind."""
    return {name: file_of(make()) for name, make in _OBJECTS.items()}


def texture(bits: int, side: int = SIDE) -> NDArray[np.uint16]:
    """A picture that no two rows of which are alike, whatever its bits."""
    row, column = np.mgrid[0:side, 0:side] / side
    wave = np.sin(9 * row * column + 3 * row) / 2 + 0.5
    noise = np.random.default_rng(5).random((side, side))
    shade: NDArray[np.float64] = (0.8 * wave + 0.2 * noise) * (2**bits - 1)
    return shade.astype(np.uint16)


def _digital_radiograph() -> Dataset:
    table = {"LUTDescriptor": [4096, 0, 12], "LUTData": np.arange(4096, dtype="<u2").tobytes()}
    return _identified(
        image_object(texture(12)),
        SOPClassUID=uid.DigitalXRayImageStorageForPresentation,
        Modality="DX",
        BitsStored=12,
        HighBit=11,
        PhotometricInterpretation="MONOCHROME1",
        PresentationLUTShape="INVERSE",
        PixelPaddingValue=0,
        VOILUTSequence=with_items(**table, LUTExplanation="NORMAL"),
    )


def _computed_tomograph() -> Dataset:
    return _identified(
        image_object(texture(12)),
        Modality="CT",
        RescaleSlope="1",
        RescaleIntercept="-1024",
        RescaleType="HU",
        WindowCenter=["40", "-600"],
        WindowWidth=["400", "1500"],
        WindowCenterWidthExplanation=["SOFT", "LUNG"],
        BodyPartExamined="CHEST",
        ImagePositionPatient=["0", "0", "5"],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
    )


def _enhanced() -> Dataset:
    shared: Groups = {
        "PlaneOrientationSequence": {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
        "PixelValueTransformationSequence": {"RescaleSlope": 2, "RescaleIntercept": 1},
        "FrameVOILUTSequence": {"WindowCenter": 4000, "WindowWidth": 8000},
    }
    frames: list[Groups] = [
        {"PlanePositionSequence": {"ImagePositionPatient": [0, 0, z]}} for z in range(5)
    ]
    stored = np.stack([texture(12) // divisor for divisor in range(1, 6)])
    ds = enhanced_object(stored, shared, frames)
    return _identified(ds, SOPClassUID=uid.EnhancedMRImageStorage)


def _palette() -> Dataset:
    tables: dict[str, Any] = {
        f"{colour}PaletteColorLookupTable{part}": value
        for colour, shade in (("Red", 1), ("Green", 2), ("Blue", 3))
        for part, value in (
            ("Descriptor", [256, 0, 16]),
            ("Data", (np.arange(256, dtype="<u2") * 85 * shade).tobytes()),
        )
    }
    ds = image_object(texture(8).astype(np.uint8), PhotometricInterpretation="PALETTE COLOR")
    return _identified(ds, Modality="US", **tables)


def _modality_table() -> Dataset:
    table = {"LUTDescriptor": [256, 0, 16], "ModalityLUTType": "US"}
    data = (np.arange(256, dtype="<u2") ** 2).tobytes()
    ds = image_object(texture(8).astype(np.uint8))
    return _identified(ds, ModalityLUTSequence=with_items(**table, LUTData=data))


def _colour() -> Dataset:
    ds = image_object(np.zeros((SIDE, SIDE), np.uint8), SamplesPerPixel=3, PlanarConfiguration=0)
    ds.PhotometricInterpretation = "RGB"
    ds.PixelData = np.stack([texture(8) // n for n in (1, 2, 3)], -1).astype(np.uint8).tobytes()
    return _identified(ds, Modality="US")


def _in_syntax(make: Callable[[], Dataset], syntax: uid.UID) -> Callable[[], Dataset]:
    def made() -> Dataset:
        ds = make()
        if syntax.is_compressed and not syntax.is_deflated:
            ds.compress(syntax, generate_instance_uid=False)
        ds.file_meta.TransferSyntaxUID = syntax
        return ds

    return made


def _jpeg_baseline() -> Dataset:
    ds = image_object(texture(8).astype(np.uint8))
    picture = BytesIO()
    Image.fromarray(ds.pixel_array).save(picture, "JPEG", quality=90)
    ds.PixelData = encapsulate([picture.getvalue()])
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    return _identified(ds, Modality="CR")


def _identified(ds: Dataset, sop_class: uid.UID = uid.MRImageStorage, **attributes: Any) -> Dataset:
    ds.SOPClassUID = uid.MRImageStorage
    ds.StudyInstanceUID, ds.StudyDate, ds.StudyDescription = "1.2.1", "20200101", "Made"
    ds.PatientID, ds.PatientName, ds.PatientAge = "made", "Made^Up", "040Y"
    ds.ImageType, ds.InstanceNumber = ["ORIGINAL", "PRIMARY"], "1"
    ds.ReferencedStudySequence = with_items(ReferencedSOPInstanceUID="1.2.1")
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    return ds


_OBJECTS: Mapping[str, Callable[[], Dataset]] = {
    "dx": _digital_radiograph,
    "dx_deflated": _in_syntax(_digital_radiograph, uid.DeflatedExplicitVRLittleEndian),
    "ct": _computed_tomograph,
    "ct_implicit": _in_syntax(_computed_tomograph, uid.ImplicitVRLittleEndian),
    "ct_rle": _in_syntax(_computed_tomograph, uid.RLELossless),
    "ct_jpeg_ls": _in_syntax(_computed_tomograph, uid.JPEGLSLossless),
    "ct_jpeg_2000": _in_syntax(_computed_tomograph, uid.JPEG2000Lossless),
    "enhanced": _enhanced,
    "enhanced_rle": _in_syntax(_enhanced, uid.RLELossless),
    "palette": _palette,
    "modality_lut": _modality_table,
    "rgb": _colour,
    "rgb_rle": _in_syntax(_colour, uid.RLELossless),
    "jpeg_baseline": _jpeg_baseline,
}


def file_of(ds: Dataset) -> bytes:
    """Part 10 file of the dataset, in its transfer syntax."""
    file = BytesIO()
    implicit = ds.file_meta.TransferSyntaxUID == uid.ImplicitVRLittleEndian
    ds.save_as(file, enforce_file_format=True, implicit_vr=implicit, little_endian=True)
    return file.getvalue()
