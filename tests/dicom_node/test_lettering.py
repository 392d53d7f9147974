"""Letters on the contact sheet: none drawn as an empty box, none outside its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from dicom_node.report.layout import PLAIN, WIDTH
from dicom_node.report.lettering import DRAWN, cut, drawable, width, wrap, write

UNASSIGNED = "\U0010ffff"
WORDS = st.text(alphabet=sorted(DRAWN), min_size=1, max_size=80).map(drawable).filter(bool)


def test_every_character_that_is_drawn_has_a_letter_of_its_own() -> None:
    font = ImageFont.load_default(PLAIN)
    empty_box = bytes(font.getmask(UNASSIGNED))
    assert empty_box
    assert [c for c in DRAWN if bytes(font.getmask(c)) == empty_box] == []


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Pneumothorax", "Pneumothorax"),
        ("Pneumopathie aiguë", "Pneumopathie aigue"),
        ("Erguß, Größe ≥ 3 µm", "Erguss, Grosse >= 3 um"),
        ("łagodny \N{EN DASH} Ångström", "lagodny - Angstrom"),
        ("stage Ⅲ, 5 m²", "stage III, 5 m2"),
        ("a\tb\r\nc\u00a0d", "a b c d"),
        ("a\u202eb\u200bc\x07", "abc"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER C}T", "CT"),
        ("", ""),
        ("肺炎", "other"),
        ("пневмония", "other"),
        ("β-thalassaemia", "other"),
        ("مرض", "other"),
        ("fine 🙂", "other"),
    ],
)
def test_text_becomes_what_the_font_has_or_is_left_out_whole(text: str, drawn: str) -> None:
    assert drawable(text, "other") == drawn


@given(WORDS, st.integers(20, 400))
def test_cut_text_fits_and_begins_as_the_whole(text: str, most: int) -> None:
    short = cut(text, PLAIN, most)
    assert width(short, PLAIN) <= most
    assert short == text or (short.endswith("...") and text.startswith(short[:-3]))


@given(st.lists(WORDS, min_size=1, max_size=8), st.integers(60, 400), st.integers(1, 3))
def test_wrapped_lines_fit_and_say_all_that_they_do_not_cut(
    words: list[str], most: int, lines: int
) -> None:
    text = " ".join(words)
    wrapped = wrap(text, PLAIN, most, lines)
    assert 1 <= len(wrapped) <= lines
    assert all(width(line, PLAIN) <= most for line in wrapped)
    if not any(line.endswith("...") for line in wrapped):
        assert " ".join(wrapped) == text


def test_ink_stays_where_the_width_says() -> None:
    sheet = Image.new("L", (600, 60))
    end = write(sheet, (100, 10), "Wj 12.5 (AP)", PLAIN, 255)
    left, top, right, bottom = sheet.getbbox() or (0, 0, 0, 0)
    assert left >= 100
    assert right <= end + 1 == round(100 + width("Wj 12.5 (AP)", PLAIN)) + 1
    assert 10 <= top < bottom < 60


def test_smallest_letters_are_eleven_pixels_high_on_a_sheet_shown_1024_wide() -> None:
    sheet = Image.new("L", (100, 60))
    write(sheet, (10, 10), "dp", PLAIN, 255)
    _, top, _, bottom = sheet.getbbox() or (0, 0, 0, 0)
    assert (bottom - top) * 1024 / WIDTH >= 11
