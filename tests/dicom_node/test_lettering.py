"""Letters on the contact sheet: none drawn as an empty box, none outside its place."""

import sys
import unicodedata
from importlib.metadata import distribution
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFont

from dicom_node.report.layout import HEADING, PLAIN, STRONG, WIDTH
from dicom_node.report.lettering import DRAWN, cut, drawable, line_height, width, wrap, write

WIDE = str(distribution("matplotlib").locate_file("matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf"))
ASCII = [chr(code) for code in range(0x20, 0x7F)]
UNASSIGNED = "\U0010ffff"
WORDS = st.text(alphabet=sorted(DRAWN), min_size=1, max_size=80).map(drawable).filter(bool)


def fonts(size: int) -> tuple[ImageFont.FreeTypeFont, ImageFont.FreeTypeFont]:
    """For words of ASCII, and for words with other letters; those are as high at 95 %."""
    narrow = ImageFont.load_default(size)
    assert isinstance(narrow, ImageFont.FreeTypeFont)
    wide = ImageFont.truetype(WIDE, round(0.95 * size), layout_engine=ImageFont.Layout.BASIC)
    return narrow, wide


def test_every_character_that_is_drawn_is_in_the_fonts_table_of_characters() -> None:
    with TTFont(WIDE) as font:
        table = font.getBestCmap()
    assert [hex(ord(c)) for c in sorted(DRAWN) if ord(c) not in table] == []


@pytest.mark.parametrize("which", [0, 1])
def test_every_character_that_is_drawn_has_a_letter_of_its_own(which: int) -> None:
    font = fonts(PLAIN)[which]
    empty_box = bytes(font.getmask(UNASSIGNED))
    assert empty_box
    drawn = (DRAWN if which else DRAWN.intersection([*ASCII, "·", "°"])) - {" "}
    assert [c for c in drawn if not any(font.getmask(c))] == []
    assert [c for c in drawn if bytes(font.getmask(c)) == empty_box] == []


@pytest.mark.parametrize("size", [PLAIN, STRONG, HEADING])
def test_no_letter_loses_ink_at_the_edges_of_its_word(size: int) -> None:
    narrow, wide = fonts(size)
    base = 20 + narrow.getmetrics()[0]
    for character in DRAWN:
        font = narrow if character in {*ASCII, "·", "°"} else wide
        written, whole = Image.new("L", (120, 80)), Image.new("L", (120, 80))
        write(written, (40, 20), character, size, 255)
        ImageDraw.Draw(whole).text((40, base), character, font=font, fill=255, anchor="ls")
        assert ImageChops.difference(written, whole).getbbox() is None, character


def test_characters_that_need_more_than_a_font_are_not_drawn() -> None:
    for character in DRAWN:
        assert unicodedata.bidirectional(character) not in {"R", "AL", "AN"}  # right to left
        assert unicodedata.category(character)[0] in "LNPS" or character == " "  # no mark, control
        assert unicodedata.normalize("NFC", character) in DRAWN


@pytest.mark.parametrize(
    "text",
    [
        "Pneumothorax, 12.5 % (AP)",
        "Épanchement à l'œil, ça, où, aiguë, Noël, être, île, sûr, ÿ",
        "Größe, Übelkeit, Ärzte, Erguß, STRAẞE",
        "¿Año? ¡Neumonía! cigüeña, corazón, útil",
        "Zażółć gęślą jaźń, ŁÓDŹ",
        "Příliš žluťoučký kůň úpěl ďábelské ódy, ľŕĺ",
        "árvíztűrő tükörfúrógép, ŐŰ",
        "İstanbul, çiğ, şeker, ağr\N{LATIN SMALL LETTER DOTLESS I}",
        "ștergere, țară, ăâî",
        "æøå, ðþ, ÆØÅ, ÐÞ",
        "Tràn dịch màng phổi, viêm phổi, ĐƯỜNG, Ẫ",
        "Съешь ещё этих мягких французских булок, да выпей чаю",
        "ґанок, їжак, єдність, ўсё, љњћђџ, ѓќ",
        "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, ΐΰϊϋ, όύώ",
        "Թոքաբորբ",
        "პნევმონია",
        "≥ 3 µm ± 0.5, 10\N{MULTIPLICATION SIGN}5 m², 37 °C → ½, Ⅲ, №\N{EN DASH}€",
        "„so“ “so” «so» \N{LEFT SINGLE QUOTATION MARK}so\N{RIGHT SINGLE QUOTATION MARK} …",
    ],
)
def test_alphabets_of_single_letters_are_drawn_as_they_are(text: str) -> None:
    assert drawable(text) == text
    assert drawable(unicodedata.normalize("NFD", text)) == text


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Pneumothorax", "Pneumothorax"),
        ("e\N{COMBINING ACUTE ACCENT}panchement", "épanchement"),
        ("x\N{COMBINING ACUTE ACCENT}", "x"),  # no such letter in Unicode
        ("замо\N{COMBINING ACUTE ACCENT}к", "замок"),  # stress, as in dictionaries
        ("\N{LATIN SMALL LIGATURE FI}brosis 5 \N{SQUARE MM}", "fibrosis 5 mm"),
        ("a\tb\r\nc\u00a0d", "a b c d"),
        ("a\u202eb\u200bc\x07", "abc"),
        ("pneu\N{SOFT HYPHEN}monia", "pneumonia"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER C}T", "CT"),
        ("", ""),
        ("肺炎", "other"),
        ("폐렴", "other"),
        ("مرض", "other"),
        ("דלקת", "other"),
        ("निमोनिया", "other"),
        ("ปอดบวม", "other"),
        ("fine 🙂", "other"),
        ("Épanchement 肺炎", "other"),
    ],
)
def test_text_becomes_what_the_fonts_have_or_is_left_out_whole(text: str, drawn: str) -> None:
    assert drawable(text, "other") == drawn


@given(st.text())
def test_whatever_comes_is_drawn_by_the_fonts_or_said_otherwise(text: str) -> None:
    shown = drawable(text, "other")
    assert DRAWN.issuperset(shown)
    assert drawable(shown) == shown


@pytest.mark.parametrize("folder", ["matplotlib", "other"])
def test_a_font_that_lacks_is_named(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line_height(PLAIN)
    (tmp_path / folder).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    with pytest.raises(FileNotFoundError, match=r"DejaVuSans\.ttf.*install matplotlib"):
        line_height(13)


@pytest.mark.parametrize("size", [PLAIN, STRONG, HEADING])
@pytest.mark.parametrize(
    "other", ["\N{GREEK CAPITAL LETTER ETA}", "\N{CYRILLIC CAPITAL LETTER EN}"]
)
def test_both_fonts_stand_on_one_line_and_are_as_high(other: str, size: int) -> None:
    edges = []
    for letter in ("H", other):
        sheet = Image.new("L", (80, 80))
        write(sheet, (10, 10), letter, size, 255)
        box = sheet.point(lambda gray: 255 * (gray > 127)).getbbox() or (0, 0, 0, 0)
        edges.append((box[1], box[3]))
    assert abs(edges[0][0] - edges[1][0]) <= 1
    assert edges[0][1] == edges[1][1]


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
