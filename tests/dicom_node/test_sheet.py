"""The contact sheet, looked at by brute force: which gray levels stand where."""

from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dicom_node.report.layout import (
    COLUMN_GAP,
    PLAIN,
    STRONG,
    TITLE,
    WIDTH,
    Box,
    lay_out,
    picture_box,
)
from dicom_node.report.lettering import width, write
from dicom_node.report.sheet import BRIGHT, DIM, GROUND, draw_sheet
from storage.answer import Answer, Hit, ImageReference, Label
from tests.dicom_node.answers import CREATED, DEVICE, answer, hit, image, study

Sheet = NDArray[np.uint8]
US, SC = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_SC = "1.2.840.10008.5.1.4.1.1.7.2"
QUERY_GRAY = 201
A_LINE = 24  # pixels side by side of one gray level, as no letter has


def png(gray: int, size: tuple[int, int] = (64, 64), kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("L", size, gray).save(buffer, kind)
    return buffer.getvalue()


def hits(count: int, first: int = 100) -> tuple[Hit, ...]:
    return tuple(hit(rank, first + rank) for rank in range(1, count + 1))


def gray_of(one: Hit) -> int:
    """A gray level by rank that nothing else on the sheet has: odd, a prior's even."""
    return 30 + 2 * one.rank + (one.study.id < 500)


def pictures(
    given: Answer, size: tuple[int, int] = (64, 64)
) -> dict[tuple[str, int | None], bytes]:
    grays = {(h.image.sop_instance_uid, None): gray_of(h) for h in (*given.hits, *given.priors)}
    grays[(given.image.sop_instance_uid, None)] = QUERY_GRAY
    return {key: png(gray, size) for key, gray in grays.items()}


def draw(given: Answer, shown: Any = None, **options: Any) -> Sheet:
    shown = pictures(given) if shown is None else shown
    return draw_sheet(given, shown, device=DEVICE, created=CREATED, **options)


def block(sheet: Sheet, gray: int) -> Box | None:
    """The rectangle that one gray level fills, wherever it is."""
    line = bytes([gray]) * A_LINE
    found = ((row, sheet[row].tobytes().find(line)) for row in range(len(sheet)))
    top, left = next(((row, column) for row, column in found if column >= 0), (0, 0))
    if not left:
        return None
    right = left + int(np.argmax(sheet[top, left:] != gray))
    return Box(left, top, right - left, int(np.argmax(sheet[top:, left] != gray)))


def blocks(sheet: Sheet, found: Iterable[Hit]) -> list[Box]:
    places = [block(sheet, gray_of(one)) for one in found]
    return [place for place in places if place is not None]


def says(sheet: Sheet, text: str, size: int = PLAIN, gray: int = DIM, ground: int = GROUND) -> bool:
    """Whether the words stand anywhere on the sheet."""
    line = Image.new("L", (round(width(text, size)), 2 * size), ground)
    write(line, (0, 0), text, size, gray)
    wanted = np.asarray(line)[: size + 4]
    best = max(range(len(wanted)), key=lambda row: len(np.unique(wanted[row])))
    for row in range(len(sheet)):
        column = sheet[row].tobytes().find(wanted[best].tobytes())
        top = row - best
        if column >= 0 and top >= 0:
            place = sheet[top : top + len(wanted), column : column + wanted.shape[1]]
            return bool(np.array_equal(place, wanted))
    return False


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 10, 20])
def test_pictures_stand_in_order_of_rank_whatever_order_they_came_in(count: int) -> None:
    ranked = hits(count)
    sheet = draw(answer(hits=tuple(reversed(ranked)), priors=()))
    found = blocks(sheet, ranked)
    assert sheet.shape[1] == WIDTH
    assert len(found) == count
    assert found == sorted(found, key=lambda box: (box.top, box.left))


@pytest.mark.parametrize("count", [0, 1, 10])
def test_query_is_first_and_marked(count: int) -> None:
    given = answer(hits=hits(count), priors=())
    sheet = draw(given, pictures(given, (512, 512)))
    query = block(sheet, QUERY_GRAY)
    assert query is not None
    for other in blocks(sheet, given.hits):
        assert query.left < other.left or query.top < other.top
        assert query.top <= other.top + 5
    assert (sheet[query.top - 4 : query.top, query.left : query.right] == BRIGHT).all()
    assert (sheet[query.top : query.bottom, query.left - 4 : query.left] == BRIGHT).all()
    assert says(sheet, "This study", 30, 0, BRIGHT)


def test_priors_stand_in_a_row_of_their_own_below_the_hits() -> None:
    given = answer(hits=hits(7), priors=hits(3, first=500))
    sheet = draw(given)
    lowest = max(box.bottom for box in blocks(sheet, given.hits))
    tops = {box.top for box in blocks(sheet, given.priors)}
    assert len(tops) == 1
    assert min(tops) > lowest
    assert says(sheet, "Prior studies of the same patient, most similar first", STRONG, BRIGHT)


def test_of_many_studies_the_first_are_drawn_and_it_says_so() -> None:
    given = answer(hits=hits(100), priors=hits(12, first=500))
    sheet = draw(given)
    assert len(blocks(sheet, given.hits[:20])) == 20
    assert blocks(sheet, given.hits[20:80]) == []
    assert [h.rank for h in given.priors if block(sheet, gray_of(h))] == [1, 2, 3, 4, 5]
    assert says(sheet, "the first 20 of 100; the report has all", STRONG, BRIGHT)
    assert says(sheet, "the first 5 of 12; the report has all", STRONG, BRIGHT)
    assert len(sheet) < 2.25 * WIDTH


@pytest.mark.parametrize(
    ("listed", "said"),
    [(2, "the first 2 of 5,000; the report has 2"), (9, "the first 5 of 5,000; the report has 9")],
)
def test_of_priors_that_the_report_does_not_list_the_number_is_said(listed: int, said: str) -> None:
    given = answer(priors=hits(listed, first=500), priors_found=5000)
    assert says(draw(given), said, STRONG, BRIGHT)


def test_a_hit_is_told_by_rank_percentile_labels_kind_subject_date_and_cosine() -> None:
    labels = (Label("Effusion"), Label("Mass", 0), Label("Nodule", -1), Label("Edema"))
    one = hit(7, 107, similarity=0.98765, percentile=98.54, labels=labels)
    shown = replace(one, image=image(107, modality="MG", body_part="BREAST", laterality="L"))
    sheet = draw(answer(hits=(shown, *hits(4)), priors=()))
    assert says(sheet, "98.5", 30, BRIGHT)
    assert says(sheet, "Effusion, Edema", STRONG, BRIGHT)
    for line in ("MG BREAST PA L", "M, 61 y · 2020-03-04", "cosine 0.988", "percentile"):
        assert says(sheet, line)


def test_the_account_tells_how_many_were_searched_and_what_labels_they_have() -> None:
    labelled = tuple(replace(h, labels=(Label("Mass"),) if h.rank < 4 else ()) for h in hits(10))
    sheet = draw(answer(hits=labelled))
    assert says(sheet, "10 similar studies", TITLE, BRIGHT)
    found = "found among 12,345 comparable studies of other patients."
    assert says(sheet, found, STRONG, BRIGHT)
    assert says(sheet, "3 of 10", STRONG, BRIGHT)
    assert says(sheet, "Searched only: modality DX.", STRONG, BRIGHT)


def test_the_footer_says_who_made_it_and_that_no_person_reviewed_it() -> None:
    sheet = draw(answer())
    notice = "Found by an algorithm and not reviewed by a person; not for diagnosis."
    assert says(sheet, notice, STRONG, BRIGHT)
    made = "2024-05-06 07:08:09 · LIKENESS, Likeness 0.1.0 · encoder baseline 3 · space "
    assert says(sheet, made + "0123456789abcdef")


@pytest.mark.parametrize(
    ("searched", "sentence"),
    [
        (0, "There was no comparable study of another patient to search."),
        (9, "Of 9 comparable studies of other patients, none reaches percentile 95 of similarity."),
    ],
)
def test_no_similar_study_is_a_sheet_too(searched: int, sentence: str) -> None:
    sheet = draw(answer(hits=(), priors=(), searched=searched))
    assert says(sheet, "No similar study", TITLE, BRIGHT)
    assert says(sheet, sentence, STRONG, BRIGHT)
    assert block(sheet, QUERY_GRAY) is not None


@pytest.mark.parametrize(
    "broken",
    [
        png(99)[:60],
        png(99)[:20],
        png(99).replace(b"IDAT", b"XDAT"),
        png(99, kind="JPEG"),
        b"no picture at all",
        png(99)[:16] + (2**31 - 1).to_bytes(4, "big") * 2 + png(99)[24:],
        bytes(1),
    ],
    ids=["cut", "cut-in-header", "no-data", "jpeg", "text", "absurd-size", "a-byte"],
)
def test_a_damaged_picture_is_said_to_be_so_and_the_others_stay(broken: bytes) -> None:
    given = answer(hits=hits(5))
    shown = pictures(given) | {(given.hits[1].image.sop_instance_uid, None): broken}
    sheet = draw(given, shown)
    assert len(blocks(sheet, given.hits)) == 4
    assert says(sheet, "Picture cannot be read", ground=0)


@pytest.mark.parametrize("shown", [{}, {("1.2.3.101.1.1", None): b""}])
def test_a_picture_that_is_gone_is_said_to_be_so(shown: dict[Any, bytes]) -> None:
    sheet = draw(answer(hits=hits(1), priors=()), shown)
    assert says(sheet, "Picture no longer kept", ground=0)


def test_the_picture_of_a_frame_is_that_frames() -> None:
    one = replace(hit(1, 101), image=image(101, frame_number=3))
    uid = one.image.sop_instance_uid
    sheet = draw(answer(hits=(one,)), {(uid, None): png(51), (uid, 2): png(52), (uid, 3): png(53)})
    assert [gray for gray in (51, 52, 53) if block(sheet, gray)] == [53]


@pytest.mark.parametrize(
    ("size", "expected"),  # a place of 268 x 268; at most three times as large
    [
        ((512, 512), (268, 268)),
        ((256, 512), (134, 268)),
        ((512, 256), (268, 134)),
        ((8, 8), (24, 24)),
        ((1, 1), (3, 3)),
        ((512, 10), (268, 5)),
        ((1, 512), (1, 268)),
        ((100, 80), (268, 214)),
    ],
)
def test_pictures_keep_their_proportions(size: tuple[int, int], expected: tuple[int, int]) -> None:
    given = answer(hits=hits(5), priors=())
    sheet = draw(given, {(given.hits[0].image.sop_instance_uid, None): png(201, size)})
    place = picture_box(lay_out([1] * 5, []).hits[0])
    inside = sheet[place.top : place.bottom, place.left : place.right] == 201
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert (len(columns), len(rows)) == expected
    assert inside.sum() == expected[0] * expected[1]
    for found, side in ((rows, place.height), (columns, place.width)):
        assert abs(int(found[0]) - (side - 1 - int(found[-1]))) <= 1  # in the middle


def test_all_modes_of_a_png_are_shown_gray() -> None:
    for mode in ("1", "LA", "RGB", "RGBA", "P"):
        buffer = BytesIO()
        Image.new("L", (40, 40), 255).convert(mode).save(buffer, "PNG")
        given = answer(hits=hits(5))
        sheet = draw(given, {(given.hits[0].image.sop_instance_uid, None): buffer.getvalue()})
        assert block(sheet, 255) is not None


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, True),
        ({"burned_in": "NO"}, True),
        ({"burned_in": "YES"}, False),
        ({"burned_in": "MAYBE"}, False),
        ({"burned_in": "UNKNOWN"}, False),  # of an earlier version, which did not look
        ({"modality": "CT"}, True),
        ({"modality": "MR", "burned_in": "YES"}, False),
        ({"modality": "US", "sop_class_uid": US}, False),
        ({"modality": "US", "sop_class_uid": US, "burned_in": "NO"}, True),
        ({"modality": "XA"}, False),
        ({"modality": "RF"}, False),
        ({"modality": "ES"}, False),
        ({"modality": "CT", "sop_class_uid": SC}, False),
        ({"modality": "CR", "sop_class_uid": MULTI_FRAME_SC}, False),
    ],
)
def test_what_may_carry_burned_in_text_is_withheld_under_case_numbers(
    changes: dict[str, Any], shown: bool
) -> None:
    given = answer(hits=(hit(1, 101, image=image(101, **changes)),), priors=())
    sheet = draw(given, case_number=str)
    assert (block(sheet, gray_of(given.hits[0])) is not None) == shown
    assert says(sheet, "Picture withheld: it may carry burned-in text", ground=0) != shown
    assert block(draw(given), gray_of(given.hits[0])) is not None


def test_the_patients_own_pictures_are_never_withheld() -> None:
    own = ImageReference("1.1", US, "1.1.1", None, "US", burned_in="YES")
    given = answer(image=own, priors=(hit(1, 501, image=replace(own, sop_instance_uid="1.1.2")),))
    sheet = draw(given, case_number=str)
    assert block(sheet, QUERY_GRAY) is not None
    assert block(sheet, gray_of(given.priors[0])) is not None


def test_the_sheet_does_not_depend_on_names_ids_or_descriptions() -> None:
    given = answer()
    others = study(101, patient_id="X", issuer_of_patient_id="Y", description="Z", attributes={})
    renamed = (replace(given.hits[0], study=others), *given.hits[1:])
    query = replace(given.query, patient_id="X", description="Z", attributes={})
    assert np.array_equal(draw(given), draw(replace(given, hits=renamed, query=query)))


def test_under_case_numbers_it_does_not_depend_on_dates_or_uids_either() -> None:
    given = answer(priors=())
    first = given.hits[0]
    other = study(999, study_date="19991231")
    renamed = replace(first, study=other, image=replace(first.image, series_instance_uid="9"))
    changed = replace(given, hits=(renamed, *given.hits[1:]))

    def number(_: str) -> str:
        return "7F3K-92QD-M4XV"

    shown = pictures(given)
    sheet = draw(given, shown, case_number=number)
    assert np.array_equal(sheet, draw(changed, shown, case_number=number))
    assert says(sheet, "case 7F3K-92QD-M4XV")
    assert says(sheet, "M, 61 y · cosine 0.972")


@pytest.mark.parametrize(("age", "line"), [(89, "M, 89 y"), (90, "M, 90+ y"), (101, "M, 90+ y")])
def test_under_case_numbers_high_ages_are_one_group(age: int, line: str) -> None:
    given = answer(hits=(hit(1, 101, study=study(101, age=age)),), priors=())
    assert says(draw(given, case_number=lambda _: "C"), f"{line} · cosine 0.972")


@pytest.mark.parametrize(
    ("label", "line"),
    [
        (Label("Épanchement"), "Épanchement"),
        (Label("Пневмония"), "Пневмония"),
        (Label("肺炎", 1, "233604007", "SCT"), "SCT 233604007"),
        (Label("肺炎"), "[label in another script]"),
        (Label("absent", 0), "no label"),
        (Label("uncertain", -1), "no label"),
    ],
)
def test_labels_that_cannot_be_drawn_are_named_otherwise(label: Label, line: str) -> None:
    sheet = draw(answer(hits=(hit(1, 101, labels=(label,)),), priors=(), filters={}))
    assert says(sheet, line, STRONG, BRIGHT)


def test_an_archive_too_small_for_percentiles_has_none() -> None:
    sheet = draw(answer(hits=(hit(1, 101, percentile=None),), priors=()))
    assert says(sheet, "no percentile")


def test_long_words_stay_within_their_tile() -> None:
    endless: dict[str, Any] = {"modality": "W" * 99, "body_part": "W " * 99, "view": "M" * 99}
    labels = tuple(Label(f"{'Osteochondrosis dissecans ' * 9}{n}") for n in range(12))
    long = tuple(
        replace(h, image=replace(h.image, **endless), labels=labels, percentile=100.0)
        for h in hits(20)
    )
    given = answer(hits=long, priors=(), filters={"label": "W" * 300})
    sheet = draw(given)
    boxes = lay_out([2] * 20, []).hits
    for box in boxes:
        beside = sheet[box.top : box.bottom, box.right + 1 : box.right + COLUMN_GAP - 2]
        assert (beside == GROUND).all()
    above = sheet[boxes[0].top - 90 : boxes[0].top - 70, 10:-10]
    assert (above == GROUND).all()


@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("priors", [0, 1, 5])
@pytest.mark.parametrize("count", range(21))
def test_no_place_overlaps_another_or_leaves_the_sheet(count: int, priors: int, lines: int) -> None:
    layout = lay_out([lines] * count, [lines] * priors)
    boxes = [layout.query, layout.account, *layout.hits, *layout.priors]
    for box in boxes:
        assert box.left > 0
        assert box.right < WIDTH
        assert 0 < box.top < box.bottom < layout.footer < layout.height
        assert layout.query.top <= box.top
    for one, other in combinations(boxes, 2):
        beside = one.right < other.left or other.right < one.left
        assert beside or one.bottom < other.top or other.bottom < one.top


def test_a_row_is_as_high_as_its_longest_labels() -> None:
    flat, high = lay_out([1] * 10, []), lay_out([1] * 5 + [1, 2, 1, 1, 1], [])
    assert flat.hits[:5] == high.hits[:5]
    assert {box.height - flat.hits[0].height for box in high.hits[5:]} == {31}
