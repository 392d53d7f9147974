"""Which images of a study are embedded, and why the others are not."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from encoders import eligibility
from encoders.header import ImageHeader
from encoders.sop_classes import for_processing
from encoders.stack import Stack, middle, slices_of, stacks

SLICE_RULE = "middle-of-extent-1"
"""Version of the rules in this module, ``eligibility`` and ``stack``: part of every Space."""


@dataclass(frozen=True)
class ChosenImage:
    """An image to embed.

    Attributes:
        header: the instance's header.
        frame: index from 0 of the frame of a multi-frame instance, None for a single-frame one.
        rule: which rule chose it, with its numbers; kept with the vector.
    """

    header: ImageHeader
    frame: int | None
    rule: str


@dataclass(frozen=True)
class LeftOut:
    """An instance that is not embedded, and the reason."""

    sop_instance_uid: str
    reason: str


@dataclass(frozen=True)
class Choice:
    """Every instance of the headers given, once: chosen, or left out with its reason."""

    chosen: tuple[ChosenImage, ...]
    left_out: tuple[LeftOut, ...]


def choose_images(headers: Iterable[ImageHeader]) -> Choice:
    """Choose the images of a study that stand for it.

    Projection images (CR, DX, MG, RG, PX, IO, XA, RF, US) are taken one by one, of a multi-frame
    one the frame ``(n - 1) // 2``; raw For Processing images only where the study has no
    For Presentation image of the modality. Of a CT or MR series it is the middle slice of its
    largest stack (``encoders.stack``), one frame where the slices are frames. The answer does
    not depend on the order of the headers.

    Args:
        headers: of one study; an instance that comes twice counts once.
    """
    unique = {header.sop_instance_uid: header for header in headers}
    ordered = [unique[uid] for uid in sorted(unique)]
    reasons = {header.sop_instance_uid: eligibility.left_out_because(header) for header in ordered}
    kept = [header for header in ordered if reasons[header.sop_instance_uid] is None]
    projections = [header for header in kept if header.modality in eligibility.PROJECTIONS]
    raw = _superseded(projections)
    chosen = [_projection(header) for header in projections if header.sop_instance_uid not in raw]
    chosen += [_middle_slice(series) for series in _slice_series(kept)]
    return Choice(tuple(chosen), _left_out(reasons, chosen, raw))


def _superseded(projections: Sequence[ImageHeader]) -> set[str]:
    shown = {header.modality for header in projections if not for_processing(header.sop_class_uid)}
    return {
        header.sop_instance_uid
        for header in projections
        if for_processing(header.sop_class_uid) and header.modality in shown
    }


def _projection(header: ImageHeader) -> ChosenImage:
    count = header.number_of_frames
    if count == 1:
        return ChosenImage(header, None, f"image by image ({header.modality})")
    index = (count - 1) // 2
    rule = f"image by image ({header.modality}), middle frame {index + 1} of {count}"
    return ChosenImage(header, index, rule)


def _slice_series(headers: Sequence[ImageHeader]) -> list[list[ImageHeader]]:
    series: defaultdict[str, list[ImageHeader]] = defaultdict(list)
    for header in headers:
        if header.modality in eligibility.SLICES:
            series[header.series_instance_uid].append(header)
    return [series[uid] for uid in sorted(series)]


def _middle_slice(series: Sequence[ImageHeader]) -> ChosenImage:
    found = stacks(one for header in series for one in slices_of(header))
    one = middle(found[0])
    return ChosenImage(one.header, one.frame, _slice_rule(found))


def _slice_rule(found: Sequence[Stack]) -> str:
    largest = found[0]
    of_stacks = f", largest of {len(found)} stacks" if len(found) > 1 else ""
    if not largest.positions:
        return f"no geometry: middle by InstanceNumber of {len(largest.slices)} slices{of_stacks}"
    return f"middle by position of {len(largest.slices)} slices{of_stacks}"


def _left_out(
    reasons: dict[str, str | None], chosen: Sequence[ChosenImage], raw: set[str]
) -> tuple[LeftOut, ...]:
    taken = {image.header.sop_instance_uid for image in chosen}
    default = "not the middle slice of its series"
    superseded = "raw detector values, and the study has the image For Presentation"
    return tuple(
        LeftOut(uid, reason or (superseded if uid in raw else default))
        for uid, reason in reasons.items()
        if uid not in taken
    )
