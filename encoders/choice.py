"""Which images of a study are embedded, and why the others are not."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from encoders import eligibility
from encoders.frame_header import FRAMES_MAX
from encoders.header import ImageHeader
from encoders.sop_classes import for_processing
from encoders.spread import spread
from encoders.stack import Slice, Stack, middle, slices_of, stacks

SLICE_RULE = "middle-of-extent-2"
"""Version of the rules here and in ``eligibility``, ``stack`` and ``precedence``: in every Space.

docs/representative-images.md has the rules in one table.
"""


@dataclass(frozen=True)
class ChosenImage:
    """An image to embed.

    Attributes:
        header: the instance's header.
        frame: index from 0 of the frame of a multi-frame instance, None for a single-frame one.
        rule: which rule chose it, with its numbers; kept with the vector.
        spread: slices of its stack that stand for the volume, itself among them, in the order of
            the stack (``encoders.spread``); empty where none were asked for.
    """

    header: ImageHeader
    frame: int | None
    rule: str
    spread: tuple[Slice, ...] = ()


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


def choose_images(headers: Iterable[ImageHeader], *, spread_over: int = 0) -> Choice:
    """Choose the images of a study that stand for it.

    Projection images (CR, DX, MG, RG, PX, IO, XA, RF, US) are taken one by one, of a multi-frame
    one the frame ``(n - 1) // 2``; raw For Processing images only where the study has no
    For Presentation image of the modality. Of a CT or MR series it is the middle slice of its
    largest stack (``encoders.stack``), one frame where the slices are frames: an enhanced object
    is chosen from as its frames would be as single images. Derived slices count only where the
    series has no others. The answer does not depend on the order of the headers, nor, where
    there is geometry, on instance numbers.

    Args:
        headers: of one study; an instance that comes twice counts once.
        spread_over: up to so many slices of each CT or MR series are named beside the chosen one;
            0 names none. What is chosen does not depend on it.
    """
    unique = {header.sop_instance_uid: header for header in headers}
    ordered = [unique[uid] for uid in sorted(unique)]
    reasons = {header.sop_instance_uid: eligibility.left_out_because(header) for header in ordered}
    kept = [header for header in ordered if reasons[header.sop_instance_uid] is None]
    projections = [header for header in kept if header.modality in eligibility.PROJECTIONS]
    raw = _superseded(projections)
    reasons.update(raw)
    chosen = [_projection(header) for header in projections if header.sop_instance_uid not in raw]
    for series in _slice_series(kept):
        image, passed_over = _middle_slice(series, spread_over)
        chosen.append(image)
        reasons.update(passed_over)
    return Choice(tuple(chosen), _left_out(reasons, chosen))


def _superseded(projections: Sequence[ImageHeader]) -> dict[str, str]:
    shown = {header.modality for header in projections if not for_processing(header.sop_class_uid)}
    return {
        header.sop_instance_uid: "raw detector values, and the study has the image For Presentation"
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


def _middle_slice(
    series: Sequence[ImageHeader], spread_over: int
) -> tuple[ChosenImage, dict[str, str]]:
    counted, passed_over = _within_limit(series)
    slices = [one for header in counted for one in slices_of(header) if _eligible(one)]
    originals = [one for one in slices if not eligibility.derived(one.image_type)]
    if originals:
        with_originals = {one.header.sop_instance_uid for one in originals}
        passed_over |= {
            header.sop_instance_uid: "derived image, and its series has original ones"
            for header in counted
            if header.sop_instance_uid not in with_originals
        }
    found = stacks(originals or slices)
    one = middle(found[0])
    beside = spread(found[0], spread_over) if spread_over else ()
    return ChosenImage(one.header, one.frame, _slice_rule(found), beside), passed_over


def _within_limit(series: Sequence[ImageHeader]) -> tuple[list[ImageHeader], dict[str, str]]:
    # a few bytes can declare a hundred thousand frames, and a series have many such instances
    counted = []
    passed_over = {}
    frames = 0
    for header in series:
        if frames + header.number_of_frames > FRAMES_MAX:
            reason = f"its series has more than {FRAMES_MAX} frames"
            passed_over[header.sop_instance_uid] = reason
        else:
            frames += header.number_of_frames
            counted.append(header)
    return counted, passed_over


def _eligible(one: Slice) -> bool:
    return eligibility.slice_left_out_because(one.image_type) is None


def _slice_rule(found: Sequence[Stack]) -> str:
    largest, count = found[0], len(found[0].slices)
    placed = [stack for stack in found if stack.positions]
    if not largest.positions:
        others = f", more than in any of {len(placed)} stacks with geometry" if placed else ""
        return f"no geometry: middle by InstanceNumber of {count} slices{others}"
    images = f" ({largest.images} images)" if largest.images > count else ""
    of_stacks = f", largest of {len(placed)} stacks" if len(placed) > 1 else ""
    without = sum(stack.images for stack in found if not stack.positions)
    missing = f", {without} slices without geometry" if without else ""
    return f"middle by position of {count} slices{images}{of_stacks}{missing}"


def _left_out(reasons: dict[str, str | None], chosen: Sequence[ChosenImage]) -> tuple[LeftOut, ...]:
    taken = {image.header.sop_instance_uid for image in chosen}
    default = "not the middle slice of its series"
    return tuple(
        LeftOut(uid, reason or default) for uid, reason in reasons.items() if uid not in taken
    )
