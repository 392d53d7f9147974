"""What is kept of an instance's header: enough to choose images without opening files again."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydicom.dataset import Dataset

from encoders.elements import integer, items, named, number, numbers, text, texts
from encoders.functional_groups import macro_items
from encoders.image import PixelError
from encoders.sop_classes import holds_no_image

T = TypeVar("T")
Vector = tuple[float, ...]

FRAMES_MAX = 100_000
"""More frames than any scanner writes; a larger NumberOfFrames is refused, not counted through."""


class HeaderError(Exception):
    """An instance cannot be an image of ours; the message names the tag and the reason."""


@dataclass(frozen=True)
class FrameHeader:
    """One frame's place and acquisition, from the functional groups (PS3.3 C.7.6.16.2).

    ``position`` (mm) and ``orientation`` (direction cosines of row, then column) are in the
    patient's coordinate system, three and six numbers, or None.
    """

    position: Vector | None = None
    orientation: Vector | None = None
    b_value: float | None = None
    temporal_position: int | None = None


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
            image_type=_image_type(ds),
            rows=_size(ds, "Rows", sop_class),
            columns=_size(ds, "Columns", sop_class),
            number_of_frames=_number_of_frames(ds),
            samples_per_pixel=_tolerant(integer, ds, "SamplesPerPixel"),
            photometric_interpretation=_text(ds, "PhotometricInterpretation"),
            instance_number=_tolerant(integer, ds, "InstanceNumber"),
            image_position=_vector(ds, "ImagePositionPatient", 3),
            image_orientation=_vector(ds, "ImageOrientationPatient", 6),
            b_value=_tolerant(number, ds, "DiffusionBValue"),
            echo_number=_tolerant(integer, ds, "EchoNumbers"),
            temporal_position=_tolerant(integer, ds, "TemporalPositionIdentifier"),
            view_position=_text(ds, "ViewPosition"),
            laterality=_text(ds, "ImageLaterality") or _text(ds, "Laterality"),
            body_part=_text(ds, "BodyPartExamined"),
            frames=_frames(ds),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, texts and numbers; ``from_json`` gives the header back."""
        plain = dataclasses.asdict(self)
        return {key: _plain(item) for key, item in plain.items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "ImageHeader":
        """The header that ``to_json`` wrote.

        Raises:
            TypeError: a field is missing or unknown.
        """
        fields = {key: _tupled(item) for key, item in plain.items() if key != "frames"}
        frames = tuple(
            FrameHeader(**{key: _tupled(item) for key, item in frame.items()})
            for frame in plain.get("frames", ())
        )
        return cls(frames=frames, **fields)


def _uid(ds: Dataset, keyword: str) -> str:
    found = _text(ds, keyword)
    if found is None:
        raise HeaderError(f"{named(keyword)} is missing; send the object again with it")
    if not re.fullmatch(r"[0-9.]{1,64}", found):
        raise HeaderError(f"{named(keyword)} is {found[:70]!r}, which is no UID (PS3.5 9.1)")
    return found


def _modality(ds: Dataset) -> str:
    found = _text(ds, "Modality")
    if found is None:
        raise HeaderError(f"{named('Modality')} is missing; set it at the sender (CT, DX, ...)")
    return found.upper()


def _image_type(ds: Dataset) -> tuple[str, ...]:
    return tuple(_clean(part).upper() for part in _tolerant(texts, ds, "ImageType") or ())


def _size(ds: Dataset, keyword: str, sop_class: str) -> int:
    found = _tolerant(integer, ds, keyword)
    if found is not None and found > 0:
        return found
    if holds_no_image(sop_class):
        return 0
    raise HeaderError(f"no pixels: {named(keyword)} is missing or not positive")


def _number_of_frames(ds: Dataset) -> int:
    found = _tolerant(integer, ds, "NumberOfFrames") or 1
    if found > FRAMES_MAX:
        raise HeaderError(f"{named('NumberOfFrames')} is {found}, over the limit of {FRAMES_MAX}")
    return max(found, 1)


def _frames(ds: Dataset) -> tuple[FrameHeader, ...]:
    shared = (_tolerant(items, ds, "SharedFunctionalGroupsSequence") or ())[:1]
    per_frame = (_tolerant(items, ds, "PerFrameFunctionalGroupsSequence") or ())[:FRAMES_MAX]
    return tuple(_frame((group, *shared)) for group in per_frame)


def _frame(groups: Sequence[Dataset]) -> FrameHeader:
    return FrameHeader(
        position=_first(groups, "PlanePositionSequence", _position),
        orientation=_first(groups, "PlaneOrientationSequence", _orientation),
        b_value=_first(groups, "MRDiffusionSequence", _b_value),
        temporal_position=_first(groups, "FrameContentSequence", _temporal_position),
    )


def _position(item: Dataset) -> Vector | None:
    return _vector(item, "ImagePositionPatient", 3)


def _orientation(item: Dataset) -> Vector | None:
    return _vector(item, "ImageOrientationPatient", 6)


def _b_value(item: Dataset) -> float | None:
    return _tolerant(number, item, "DiffusionBValue")


def _temporal_position(item: Dataset) -> int | None:
    return _tolerant(integer, item, "TemporalPositionIndex")


def _first(
    groups: Sequence[Dataset], sequence: str, read: Callable[[Dataset], T | None]
) -> T | None:
    try:
        found = (read(item) for item in macro_items(groups, sequence))
        return next((item for item in found if item is not None), None)
    except PixelError:
        return None


def _tolerant(read: Callable[[Dataset, str], T], ds: Dataset, keyword: str) -> T | None:
    try:
        return read(ds, keyword)
    except PixelError:
        return None


def _vector(ds: Dataset, keyword: str, length: int) -> Vector | None:
    found = _tolerant(numbers, ds, keyword) or ()
    return found if len(found) == length else None


def _text(ds: Dataset, keyword: str) -> str | None:
    found: str | None = _tolerant(text, ds, keyword)
    return _clean(found or "") or None


def _clean(found: str) -> str:
    # PostgreSQL's JSONB takes neither NUL nor lone surrogates; 64 is the longest of these VRs
    return found.replace("\0", "").encode("utf-8", "replace").decode()[:80].strip()


def _plain(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _plain(inner) for key, inner in item.items()}
    return [_plain(inner) for inner in item] if isinstance(item, tuple | list) else item


def _tupled(item: Any) -> Any:
    return tuple(item) if isinstance(item, list) else item
