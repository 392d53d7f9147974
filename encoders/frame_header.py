"""What is kept of one frame of an enhanced multi-frame object (PS3.3 C.7.6.16)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from encoders.elements import integer, items, number
from encoders.tolerant import Vector, clean_text, clean_texts, first_item, tolerant, vector

FRAMES_MAX = 100_000
"""More frames than any scanner writes; a larger NumberOfFrames is refused, not counted through."""


@dataclass(frozen=True)
class FrameHeader:
    """One frame's place, kind and phase, from its own and the shared functional groups.

    Attributes:
        position: ImagePositionPatient in mm, three numbers (C.7.6.16.2.3).
        orientation: direction cosines of row, then column, six numbers (C.7.6.16.2.4).
        b_value: DiffusionBValue in s/mm² (C.8.13.5.9).
        temporal_position: TemporalPositionIndex (C.7.6.16.2.2).
        image_type: the values of FrameType, upper case (CT: C.8.15.3.1, MR: C.8.13.5.1).
        complex_image_component: MAGNITUDE, PHASE, ... (C.8.13.3.1.1).
        echo_time: EffectiveEchoTime in ms (C.8.13.5.4).
        acquisition_number: FrameAcquisitionNumber (C.7.6.16.2.2).
        trigger_time: NominalCardiacTriggerDelayTime in ms (C.7.6.16.2.7).
    """

    position: Vector | None = None
    orientation: Vector | None = None
    b_value: float | None = None
    temporal_position: int | None = None
    image_type: tuple[str, ...] = ()
    complex_image_component: str | None = None
    echo_time: float | None = None
    acquisition_number: int | None = None
    trigger_time: float | None = None


def read_frames(ds: Dataset) -> tuple[FrameHeader, ...]:
    """One entry per item of the Per-frame Functional Groups Sequence, ``FRAMES_MAX`` at most.

    A damaged value becomes None. Stack ID and In-Stack Position Number (C.7.6.16.2.2) are not
    read: geometry says which frames belong together, for classic and enhanced objects alike.
    """
    group = first_item(ds, "SharedFunctionalGroupsSequence")
    shared = {} if group is None else _values(group)
    per_frame = (tolerant(items, ds, "PerFrameFunctionalGroupsSequence") or ())[:FRAMES_MAX]
    return tuple(FrameHeader(**{**shared, **_values(group)}) for group in per_frame)


def _values(group: Dataset) -> dict[str, Any]:
    # by the tags that are there: most macros are absent from most groups
    macros = [macro for macro in map(_MACROS.get, group.keys()) if macro is not None]
    found: dict[str, Any] = {}
    for sequence, fields in macros:
        item = first_item(group, sequence)
        if item is not None:
            found |= {field: read(item) for field, read in fields.items()}
    return {field: value for field, value in found.items() if value is not None}


def _position(item: Dataset) -> Vector | None:
    return vector(item, "ImagePositionPatient", 3)


def _orientation(item: Dataset) -> Vector | None:
    return vector(item, "ImageOrientationPatient", 6)


def _b_value(item: Dataset) -> float | None:
    return tolerant(number, item, "DiffusionBValue")


def _temporal_position(item: Dataset) -> int | None:
    return tolerant(integer, item, "TemporalPositionIndex")


def _frame_type(item: Dataset) -> tuple[str, ...] | None:
    return clean_texts(item, "FrameType") or None


def _component(item: Dataset) -> str | None:
    return clean_text(item, "ComplexImageComponent")


def _echo_time(item: Dataset) -> float | None:
    return tolerant(number, item, "EffectiveEchoTime")


def _acquisition_number(item: Dataset) -> int | None:
    return tolerant(integer, item, "FrameAcquisitionNumber")


def _trigger_time(item: Dataset) -> float | None:
    return tolerant(number, item, "NominalCardiacTriggerDelayTime")


_Fields = Mapping[str, Callable[[Dataset], Any]]

_FIELDS: Mapping[str, _Fields] = {
    "PlanePositionSequence": {"position": _position},
    "PlaneOrientationSequence": {"orientation": _orientation},
    "MRDiffusionSequence": {"b_value": _b_value},
    "FrameContentSequence": {
        "temporal_position": _temporal_position,
        "acquisition_number": _acquisition_number,
    },
    "CTImageFrameTypeSequence": {"image_type": _frame_type},
    "MRImageFrameTypeSequence": {
        "image_type": _frame_type,
        "complex_image_component": _component,
    },
    "MREchoSequence": {"echo_time": _echo_time},
    "CardiacSynchronizationSequence": {"trigger_time": _trigger_time},
}

_MACROS: Mapping[int, tuple[str, _Fields]] = {
    tag_for_keyword(sequence) or 0: (sequence, fields) for sequence, fields in _FIELDS.items()
}
