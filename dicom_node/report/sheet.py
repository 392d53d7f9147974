"""The contact sheet: query and hits as one picture, for viewers that show no report.

Dark, as reading rooms are, with a border that shows where it ends on a black and on a white
viewer. It names nobody: no name, no patient id, no UID.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dicom_node.report import captions
from dicom_node.report.device import Device
from dicom_node.report.filing import CaseNumber
from dicom_node.report.layout import (
    FACT_LINES,
    GAP,
    HEADING,
    MARGIN,
    MOST_HITS,
    MOST_LABEL_LINES,
    MOST_PRIORS,
    PLAIN,
    PLAIN_LINE,
    STRONG,
    STRONG_LINE,
    TITLE,
    WIDTH,
    Box,
    hit_columns,
    lay_out,
    picture_box,
    tile_width,
)
from dicom_node.report.lettering import cut, line_height, width, wrap, write
from dicom_node.report.privacy import ShownStudy, by_rank, priors, similar_studies
from dicom_node.report.thumbnails import PictureError, may_carry_text, thumbnail
from storage.answer import Answer, Hit, ImageReference
from storage.pictures import Pictures

GROUND, UNLIT, FRAME, BAR, DIM, BRIGHT = 26, 0, 84, 128, 176, 240
"""Gray values: the sheet, behind pictures, lines, bars, small letters, large letters."""
QUERY_FRAME = 4
COUNT_LINE = 35
MOST_LABELS = 8  # of the counts of labels
PRIORS = "Prior studies of the same patient, most similar first"


@dataclass(frozen=True)
class _Tile:
    """One hit or prior: its image, what may be said of it, and its labels in lines that fit."""

    image: ImageReference
    study: ShownStudy
    labels: list[str]
    withhold: bool


def draw_sheet(
    answer: Answer,
    pictures: Pictures,
    *,
    device: Device,
    created: datetime,
    case_number: CaseNumber | None = None,
) -> NDArray[np.uint8]:
    """Draws query, hits in order of rank, and priors.

    Args:
        answer: what was found; of many hits the first 20 are drawn, of many priors the first 5.
        pictures: of its images; one that lacks or is damaged is said to be so in its place.
        device: the node that found them, named in the footer.
        created: the date and time in the footer.
        case_number: names other patients' studies instead of their dates; pictures of theirs
            that may carry burned-in text are then withheld.

    Returns:
        Gray levels, shape (rows, 1536), 0 black and 255 white. The same arguments give the same.
    """
    hits, old = _tiles(answer, case_number)
    layout = lay_out([len(t.labels) for t in hits], [len(t.labels) for t in old])
    sheet = Image.new("L", (WIDTH, layout.height), GROUND)
    _query(sheet, layout.query, answer, pictures)
    _account(sheet, layout.account, answer)
    _heading(sheet, layout.hits_heading, "Most similar first", len(hits), len(answer.hits))
    found = answer.count_priors()
    _heading(sheet, layout.priors_heading, PRIORS, len(old), len(answer.priors), found)
    places = (*layout.hits, *layout.priors)
    for tile, box in zip((*hits, *old), places, strict=True):
        _tile(sheet, box, tile, pictures)
    _footer(sheet, layout.footer, captions.footer(answer, device, created))
    _frame(sheet, Box(0, 0, WIDTH, layout.height), 2, FRAME)
    return np.asarray(sheet)


def drawn(answer: Answer) -> tuple[list[Hit], list[Hit]]:
    """The hits and the priors that have a place on the sheet."""
    return by_rank(answer.hits)[:MOST_HITS], by_rank(answer.priors)[:MOST_PRIORS]


def shown_images(answer: Answer, pictures: Pictures, *, withhold: bool) -> list[ImageReference]:
    """The images whose pictures are on the sheet; ``withhold`` as ``draw_sheet`` does it with
    case numbers."""
    hits, old = drawn(answer)
    others = [hit.image for hit in hits if not (withhold and may_carry_text(hit.image))]
    images = [answer.image, *others, *(prior.image for prior in old)]
    return [image for image in images if (image.sop_instance_uid, image.frame_number) in pictures]


def _tiles(answer: Answer, case_number: CaseNumber | None) -> tuple[list[_Tile], list[_Tile]]:
    hits, old = drawn(answer)
    withhold = case_number is not None
    shown = similar_studies(replace(answer, hits=tuple(hits)), case_number)
    most = tile_width(hit_columns(len(hits)))
    return (
        [_made(*pair, most, withhold=withhold) for pair in zip(hits, shown, strict=True)],
        [
            _made(*pair, tile_width(), withhold=False)
            for pair in zip(old, priors(answer), strict=False)
        ],
    )


def _made(hit: Hit, study: ShownStudy, most: int, *, withhold: bool) -> _Tile:
    labels = wrap(captions.present_labels(study.labels), STRONG, most, MOST_LABEL_LINES)
    return _Tile(hit.image, study, labels, withhold)


def _query(sheet: Image.Image, box: Box, answer: Answer, pictures: Pictures) -> None:
    """The study that was asked about: marked so on white, its picture in a white frame."""
    tag = Box(box.left, box.top, round(width("This study", HEADING)) + GAP, line_height(HEADING))
    sheet.paste(BRIGHT, (tag.left, tag.top, tag.right, tag.bottom))
    write(sheet, (tag.left + GAP // 2, tag.top), "This study", HEADING, UNLIT)
    place = picture_box(box)
    _frame(sheet, place, QUERY_FRAME, BRIGHT)
    _picture(sheet, _inside(place, QUERY_FRAME), answer.image, pictures, withhold=False)
    _lines(sheet, place.bottom + GAP // 2, box, captions.query_lines(answer.query, answer.image))


def _account(sheet: Image.Image, box: Box, answer: Answer) -> None:
    write(sheet, (box.left, box.top - 6), captions.headline(answer), TITLE, BRIGHT)
    top = box.top + line_height(TITLE) + 4
    for sentence in captions.account(answer):
        for line in wrap(sentence, STRONG, box.width, 3):
            write(sheet, (box.left, top), line, STRONG, BRIGHT)
            top += STRONG_LINE
    counts = captions.label_counts(answer)
    if counts:
        _counts(sheet, Box(box.left, top + GAP, box.width, 0), counts, len(answer.hits))


def _counts(sheet: Image.Image, box: Box, counts: Sequence[tuple[str, int]], of: int) -> None:
    """A bar for each label: how many of the hits have it."""
    write(sheet, (box.left, box.top), "Labels present", PLAIN, DIM)
    top, left, whole = box.top + COUNT_LINE, box.left + box.width * 2 // 5, box.width * 2 // 5
    for name, count in counts[:MOST_LABELS]:
        write(sheet, (box.left, top), cut(name, STRONG, left - box.left - GAP), STRONG, BRIGHT)
        bar = Box(left, top + 8, whole, 14)
        _frame(sheet, bar, 1, FRAME)
        sheet.paste(BAR, (left, bar.top, left + round(whole * min(count, of) / of), bar.bottom))
        write(sheet, (bar.right + GAP, top), f"{count} of {of}", STRONG, BRIGHT)
        top += COUNT_LINE
    if len(counts) > MOST_LABELS:
        more = f"and {len(counts) - MOST_LABELS} more, in the report"
        write(sheet, (box.left, top), more, PLAIN, DIM)


def _heading(
    sheet: Image.Image, top: int | None, title: str, shown: int, listed: int, found: int = 0
) -> None:
    """A section's heading under a line; how many of how many, where not all are shown.

    ``listed`` are in the report, ``found`` there are where that is more.
    """
    if top is None:
        return
    sheet.paste(FRAME, (MARGIN, top, WIDTH - MARGIN, top + 1))
    write(sheet, (MARGIN, top + 12), title, STRONG, BRIGHT)
    limit = captions.limit(shown, listed, max(found, listed))
    if limit:
        left = WIDTH - MARGIN - round(width(limit, STRONG))
        write(sheet, (left, top + 12), limit, STRONG, BRIGHT)


def _tile(sheet: Image.Image, box: Box, tile: _Tile, pictures: Pictures) -> None:
    """Rank and percentile over the picture, labels and facts under it."""
    _head(sheet, box, tile.study)
    place = picture_box(box)
    _frame(sheet, place, 1, FRAME)
    _picture(sheet, _inside(place, 1), tile.image, pictures, withhold=tile.withhold)
    top = place.bottom + GAP // 2
    for line in tile.labels:
        write(sheet, (box.left, top), line, STRONG, BRIGHT)
        top += STRONG_LINE
    _lines(sheet, box.bottom - FACT_LINES * PLAIN_LINE, box, captions.study_lines(tile.study))


def _head(sheet: Image.Image, box: Box, study: ShownStudy) -> None:
    rank, (name, value) = f"{study.rank}", captions.percentile(study)
    wide = round(width(rank, HEADING))
    badge = max(wide + GAP, 2 * GAP)
    sheet.paste(FRAME, (box.left, box.top, box.left + badge, box.top + 2 * GAP))
    write(sheet, (box.left + (badge - wide) // 2, box.top + 1), rank, HEADING, BRIGHT)
    left = box.right - round(width(value, HEADING))
    write(sheet, (left, box.top + 1), value, HEADING, BRIGHT)
    left -= round(width(name, PLAIN)) + (GAP // 2 if value else 0)
    write(sheet, (left, box.top + 10), name, PLAIN, DIM)


def _picture(
    sheet: Image.Image, box: Box, image: ImageReference, pictures: Pictures, *, withhold: bool
) -> None:
    """The picture in the middle of its box, or the reason why there is none."""
    sheet.paste(UNLIT, (box.left, box.top, box.right, box.bottom))
    try:
        picture = thumbnail(image, pictures, box.width, withhold=withhold)
    except PictureError as reason:
        _centred(sheet, box, wrap(str(reason), PLAIN, box.width - 2 * GAP, 4))
        return
    left = box.left + (box.width - picture.width) // 2
    sheet.paste(picture, (left, box.top + (box.height - picture.height) // 2))


def _centred(sheet: Image.Image, box: Box, lines: Sequence[str]) -> None:
    top = box.top + (box.height - len(lines) * PLAIN_LINE) // 2
    for line in lines:
        left = box.left + (box.width - round(width(line, PLAIN))) // 2
        write(sheet, (left, top), line, PLAIN, DIM)
        top += PLAIN_LINE


def _lines(sheet: Image.Image, top: int, box: Box, lines: Sequence[str]) -> None:
    for line in lines:
        write(sheet, (box.left, top), cut(line, PLAIN, box.width), PLAIN, DIM)
        top += PLAIN_LINE


def _footer(sheet: Image.Image, top: int, words: tuple[str, list[str]]) -> None:
    notice, lines = words
    sheet.paste(FRAME, (MARGIN, top, WIDTH - MARGIN, top + 1))
    write(sheet, (MARGIN, top + 12), notice, STRONG, BRIGHT)
    box = Box(MARGIN, top, WIDTH - 2 * MARGIN, 0)
    _lines(sheet, top + 12 + STRONG_LINE, box, lines)


def _inside(box: Box, frame: int) -> Box:
    return Box(box.left + frame, box.top + frame, box.width - 2 * frame, box.height - 2 * frame)


def _frame(sheet: Image.Image, box: Box, thickness: int, gray: int) -> None:
    """A frame just inside the box."""
    corners = (box.left, box.top, box.right - 1, box.bottom - 1)
    ImageDraw.Draw(sheet).rectangle(corners, outline=gray, width=thickness)
