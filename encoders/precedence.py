"""Of several slices at one position, which stands for all: b-values, echoes, phases, components."""

import math

from encoders.frame_header import FrameHeader
from encoders.header import ImageHeader

Precedence = tuple[int, float, float, float, float, float, float, tuple[str, ...], str, int]
"""Compared from left to right; the least stands for all."""

_RANKS = {"MAGNITUDE": 0, "REAL": 2, "IMAGINARY": 3, "PHASE": 4}
_UNSTATED = 1

# Value 3 (and later) of ImageType in MR as it is met. PHASE MAP and VELOCITY MAP are defined terms
# (PS3.3 C.8.3.1.1.1); the letters alone are Siemens', with _ and the sequence behind them Philips'.
_COMPONENTS = {
    "M": "MAGNITUDE",
    "MAGNITUDE": "MAGNITUDE",
    "R": "REAL",
    "REAL": "REAL",
    "I": "IMAGINARY",
    "IMAGINARY": "IMAGINARY",
    "P": "PHASE",
    "PHASE": "PHASE",
    "PHASE MAP": "PHASE",
    "VELOCITY MAP": "PHASE",
}


def precedence(header: ImageHeader, index: int | None, frame: FrameHeader) -> Precedence:
    """What decides between slices at one position, in this order.

    1. Magnitude, then unstated, real, imaginary, phase: Complex Image Component (0008,9208,
       PS3.3 C.8.13.3.1.1), else the terms that vendors write in ImageType from value 3 on.
    2. The lowest b-value (0018,9087, C.8.13.5.9), so the image without diffusion weighting.
    3. The shortest echo time (0018,0081, C.8.3.1; enhanced 0018,9082, C.8.13.5.4), then the
       lowest echo number (0018,0086).
    4. The lowest acquisition number (0020,0012, C.7.10.1; enhanced 0020,9156, C.7.6.16.2.2):
       contrast phases scanned one after the other into one series.
    5. The lowest temporal position (0020,0100; enhanced 0020,9128, C.7.6.16.2.2).
    6. The shortest cardiac trigger time (0018,1060; enhanced 0020,9153, C.7.6.16.2.7).
    7. ImageType or FrameType as text, so that of two kinds (water and fat, say) every study
       takes the same; then the lowest SOP Instance UID and frame, which always differ.

    A value that is absent comes before one that is there. InstanceNumber has no say. A frame's
    own value goes before its instance's.

    Args:
        header: the instance.
        index: index of the frame from 0, None for a single-frame instance.
        frame: the frame's header; an empty one for an instance without functional groups.
    """
    image_type = frame.image_type or header.image_type
    stated = frame.complex_image_component or header.complex_image_component
    return (
        _component_rank(stated, image_type),
        _number(frame.b_value, header.b_value),
        _number(frame.echo_time, header.echo_time),
        _number(header.echo_number),
        _number(frame.acquisition_number, header.acquisition_number),
        _number(frame.temporal_position, header.temporal_position),
        _number(frame.trigger_time, header.trigger_time),
        image_type,
        header.sop_instance_uid,
        index or 0,
    )


def _component_rank(stated: str | None, image_type: tuple[str, ...]) -> int:
    written = (_COMPONENTS.get(_kind(term)) for term in image_type[2:])
    found = (component for component in (stated, *written) if component in _RANKS)
    return _RANKS.get(next(found, None) or "", _UNSTATED)


def _kind(term: str) -> str:
    return term[0] if term[1:2] == "_" else term  # M_FFE, R_IR, I_SE, P_PCA


def _number(*found: float | None) -> float:
    return next((value for value in found if value is not None), -math.inf)
