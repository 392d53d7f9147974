"""What is kept of an instance's header: enough to choose images without opening files again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from encoders.elements import integer, named, number
from encoders.frame_header import FRAMES_MAX, FrameHeader, read_frames
from encoders.sop_classes import holds_no_image
from encoders.tolerant import Vector, clean_text, clean_texts, tolerant, vector
from encoders.view import read_laterality, read_view


class HeaderError(Exception):
    """An instance cannot be an image of ours; the message names the tag and the reason."""


@dataclass(frozen=True)
class ImageHeader:
    """The header of one instance.

    Attributes:
        modality: upper case, as in Modality (0008,0060).
        image_type: the values of ImageType (0008,0008), upper case.
        rows, columns: 0 only for SOP classes that hold no image.
        number_of_frames: 1 where the attribute is absent or unreadable.
        image_position: ImagePositionPatient in mm, three numbers.
        image_orientation: ImageOrientationPatient, six direction cosines.
        b_value: DiffusionBValue in s/mm².
        echo_time: EchoTime in ms.
        trigger_time: TriggerTime in ms.
        complex_image_component: MAGNITUDE, PHASE, ... as Complex Image Component has it.
        view_position: the view by ``encoders.view.read_view``: AP, PA, LL, CC, MLO, ...
        laterality: R, L, B or U.
        burned_in: YES or NO, as Burned In Annotation (0028,0301) has it; "UNKNOWN" in a header
            that was stored before the attribute was read.
        lossy: Lossy Image Compression (0028,2110) says that it ever was.
        scanner: Manufacturer (0008,0070) and Manufacturer's Model Name (0008,1090).
        frames: one entry per item of the Per-frame Functional Groups Sequence; empty for
            single-frame objects and for multi-frame objects without functional groups.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    modality: str
    image_type: tuple[str, ...] = ()
    rows: int = 0
    columns: int = 0
    number_of_frames: int = 1
    samples_per_pixel: int | None = None
    photometric_interpretation: str | None = None
    instance_number: int | None = None
    image_position: Vector | None = None
    image_orientation: Vector | None = None
    b_value: float | None = None
    echo_number: int | None = None
    temporal_position: int | None = None
    view_position: str | None = None
    laterality: str | None = None
    body_part: str | None = None
    frames: tuple[FrameHeader, ...] = ()
    complex_image_component: str | None = None
    echo_time: float | None = None
    acquisition_number: int | None = None
    trigger_time: float | None = None
    burned_in: str | None = None
    lossy: bool = False
    scanner: str | None = None

    @classmethod
    def from_dataset(cls, ds: Dataset) -> "ImageHeader":
        """Read the header of a dataset, which need not hold its pixel data.

        A damaged optional value becomes None. Rows and Columns may be absent for the SOP
        classes that hold no image (reports, presentation states), and for no other.

        Raises:
            HeaderError: no modality, no or no valid UIDs, no pixels described, or an absurd
                number of frames.
        """
        sop_class = _uid(ds, "SOPClassUID")
        return cls(
            sop_class_uid=sop_class,
            sop_instance_uid=_uid(ds, "SOPInstanceUID"),
            series_instance_uid=_uid(ds, "SeriesInstanceUID"),
            modality=_modality(ds),
            image_type=clean_texts(ds, "ImageType"),
            rows=_size(ds, "Rows", sop_class),
            columns=_size(ds, "Columns", sop_class),
            number_of_frames=_number_of_frames(ds),
            samples_per_pixel=tolerant(integer, ds, "SamplesPerPixel"),
            photometric_interpretation=clean_text(ds, "PhotometricInterpretation"),
            instance_number=tolerant(integer, ds, "InstanceNumber"),
            image_position=vector(ds, "ImagePositionPatient", 3),
            image_orientation=vector(ds, "ImageOrientationPatient", 6),
            b_value=tolerant(number, ds, "DiffusionBValue"),
            echo_number=tolerant(integer, ds, "EchoNumbers"),
            temporal_position=tolerant(integer, ds, "TemporalPositionIdentifier"),
            view_position=read_view(ds),
            laterality=read_laterality(ds),
            body_part=clean_text(ds, "BodyPartExamined"),
            frames=read_frames(ds),
            complex_image_component=clean_text(ds, "ComplexImageComponent"),
            echo_time=tolerant(number, ds, "EchoTime"),
            acquisition_number=tolerant(integer, ds, "AcquisitionNumber"),
            trigger_time=tolerant(number, ds, "TriggerTime"),
            burned_in=(clean_text(ds, "BurnedInAnnotation") or "").upper() or None,
            lossy=clean_text(ds, "LossyImageCompression") == "01",
            scanner=_scanner(ds),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, texts and numbers; ``from_json`` gives the header back."""
        plain = _plain(self)
        plain["frames"] = [_plain(frame) for frame in self.frames]
        plain["burned_in"] = self.burned_in  # even None: then the attribute was looked for
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "ImageHeader":
        """The header that ``to_json`` wrote, now or in an earlier version.

        A field that is not there has its default, so headers stored before a field was added
        load as if the object had not had it. Not so Burned In Annotation: an image that may say
        YES must not be taken for one that says nothing.

        Raises:
            TypeError: a field that every version wrote is missing, or one is unknown.
        """
        fields = {key: _tupled(item) for key, item in plain.items() if key != "frames"}
        frames = tuple(
            FrameHeader(**{key: _tupled(item) for key, item in frame.items()})
            for frame in plain.get("frames", ())
        )
        return cls(frames=frames, **{"burned_in": "UNKNOWN", **fields})


def _uid(ds: Dataset, keyword: str) -> str:
    found = clean_text(ds, keyword)
    if found is None:
        raise HeaderError(f"{named(keyword)} is missing; send the object again with it")
    if not re.fullmatch(r"[0-9.]{1,64}", found):
        raise HeaderError(f"{named(keyword)} is no UID ({len(found)} characters; PS3.5 9.1)")
    return found


def _modality(ds: Dataset) -> str:
    found = clean_text(ds, "Modality")
    if found is None:
        raise HeaderError(f"{named('Modality')} is missing; set it at the sender (CT, DX, ...)")
    return found.upper()


def _scanner(ds: Dataset) -> str | None:
    told = (clean_text(ds, "Manufacturer"), clean_text(ds, "ManufacturerModelName"))
    return " ".join(filter(None, told)) or None


def _size(ds: Dataset, keyword: str, sop_class: str) -> int:
    found = tolerant(integer, ds, keyword)
    if found is not None and found > 0:
        return found
    if holds_no_image(sop_class):
        return 0
    raise HeaderError(f"no pixels: {named(keyword)} is missing or not positive")


def _number_of_frames(ds: Dataset) -> int:
    found = tolerant(integer, ds, "NumberOfFrames") or 1
    if found > FRAMES_MAX:
        raise HeaderError(f"{named('NumberOfFrames')} is {found}, over the limit of {FRAMES_MAX}")
    return max(found, 1)


def _plain(fields: ImageHeader | FrameHeader) -> dict[str, Any]:
    # what is absent is left out: a frame has twenty thousand siblings
    present = {key: item for key, item in vars(fields).items() if item not in (None, ())}
    return {k: list(item) if isinstance(item, tuple) else item for k, item in present.items()}


def _tupled(item: Any) -> Any:
    return tuple(item) if isinstance(item, list) else item
