"""Text for the contact sheet, in two fonts that come with libraries.

Words of ASCII are written in Aileron, which comes with Pillow and is narrow enough for the places
of the sheet. It has no accents, no Greek and no Cyrillic; a word with any such letter is written
whole in DejaVu Sans, which comes with matplotlib. ``drawable`` says of other text that it cannot
be shown, so that no character is ever drawn as an empty box.
"""

import unicodedata
from bisect import bisect_left
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

# What is drawn, by the first and the last character of each run, and so far as DejaVu Sans 2.37
# has it. These alphabets run from left to right, and each letter looks the same in every word;
# Arabic, Hebrew, Indic scripts and Thai need more than a font, and Japanese, Chinese and Korean
# are not in this one.
_RUNS = (
    (0x0020, 0x007E), (0x00A1, 0x00AC), (0x00AE, 0x02DD),  # Latin, with accents; phonetic
    (0x1E00, 0x1EFB),  # Latin, as in Vietnamese
    (0x0370, 0x0377), (0x037A, 0x037E), (0x0384, 0x038A), (0x038C, 0x038C),  # Greek
    (0x038E, 0x03A1), (0x03A3, 0x0482), (0x048A, 0x0525),  # Greek, Cyrillic
    (0x0531, 0x0556), (0x0559, 0x055F), (0x0561, 0x0587), (0x0589, 0x058A),  # Armenian
    (0x10A0, 0x10C5), (0x10D0, 0x10FC),  # Georgian
    (0x2010, 0x2027), (0x2030, 0x205E),  # dashes, quotation marks
    (0x2070, 0x2071), (0x2074, 0x208E), (0x2090, 0x209C),  # raised and lowered
    (0x20A0, 0x20B5), (0x2100, 0x2109), (0x210B, 0x2149),  # currencies, units
    (0x2150, 0x2185), (0x2190, 0x22FF),  # fractions, Roman numerals, arrows, mathematics
)  # fmt: skip
DRAWN = frozenset(map(chr, chain.from_iterable(range(a, b + 1) for a, b in _RUNS)))
"""The characters that are drawn; all others become some of these, or are not drawn."""
LONGEST = 300  # characters of a text that are looked at; no line of the sheet holds as many
CUT = "..."
_NARROW = frozenset(map(chr, range(0x20, 0x7F))) | {"·", "°"}  # what Aileron has
_AS_HIGH = 0.95  # DejaVu Sans has larger letters: at this part of the size, both are as high


def drawable(text: str, otherwise: str = "") -> str:
    """The text in characters that the fonts have, on one line, or ``otherwise``.

    Letters and their marks are composed (Unicode annex 15, form C). What the fonts lack even so
    becomes its compatibility decomposition (a full-width letter a plain one), marks that are part
    of no letter are left out, and control and format characters go. Text with any other
    character, so of another script, is not drawn at all: half a word may mean something else.
    """
    plain = "".join(map(_plain, unicodedata.normalize("NFC", text[:LONGEST])))
    if not DRAWN.issuperset(plain):
        return otherwise
    return " ".join(plain.split())


def _plain(character: str) -> str:
    if character in DRAWN:
        return character
    parts = unicodedata.normalize("NFKD", character)
    return "".join(" " if c.isspace() else c for c in parts if not _is_mark(c))


def _is_mark(character: str) -> bool:
    category = unicodedata.category(character)
    return category == "Mn" or (category in {"Cc", "Cf"} and not character.isspace())


def write(sheet: Image.Image, at: tuple[int, int], text: str, size: int, gray: int) -> int:
    """Writes drawable text with its line's top left corner at (x, y); returns where it ends.

    Args:
        sheet: mode "L", written into.
        at: x and y in pixels.
        text: made of the characters in ``DRAWN``.
        size: of the font, in pixels per em.
        gray: of the letters, 0 to 255.
    """
    left, top = at
    end = float(left)
    for word in text.split(" "):
        if word:
            letters = _word(word, size)
            sheet.paste(gray, (round(end) - _overhang(size), top), letters)
        end += _length(word, size) + _length(" ", size)
    return round(end - _length(" ", size))


def line_height(size: int) -> int:
    """Pixels from the top of the highest letter to the bottom of the lowest."""
    return sum(_fonts(size)[0].getmetrics())


def width(text: str, size: int) -> float:
    """How many pixels a drawable text takes."""
    words = text.split(" ")
    return sum(_length(word, size) for word in words) + (len(words) - 1) * _length(" ", size)


def cut(text: str, size: int, most: float) -> str:
    """As much of a drawable text as ``most`` pixels hold, with three dots where it was cut."""
    if width(text, size) <= most:
        return text
    fits = bisect_left(
        range(1, len(text) + 1), True, key=lambda n: width(_shortened(text, n), size) > most
    )
    return _shortened(text, fits)


def _shortened(text: str, length: int) -> str:
    return text[:length].rstrip(" ,") + CUT


def wrap(text: str, size: int, most: float, lines: int) -> list[str]:
    """A drawable text in at most ``lines`` lines of ``most`` pixels; the last one is cut."""
    rest = text.split(" ")
    wrapped: list[str] = []
    while rest and len(wrapped) < lines - 1:
        count = 1
        while count < len(rest) and width(" ".join(rest[: count + 1]), size) <= most:
            count += 1
        wrapped.append(cut(" ".join(rest[:count]), size, most))
        rest = rest[count:]
    return [*wrapped, cut(" ".join(rest), size, most)] if rest else wrapped


def _font(word: str, size: int) -> ImageFont.FreeTypeFont:
    narrow, wide = _fonts(size)
    return narrow if _NARROW.issuperset(word) else wide


@cache
def _fonts(size: int) -> tuple[ImageFont.FreeTypeFont, ImageFont.FreeTypeFont]:
    """Aileron, and DejaVu Sans with letters as high. Both at once: what lacks shows at the start.

    Raises:
        FileNotFoundError: matplotlib, or the font in it, is not installed.
        TypeError: Pillow was built without FreeType.
    """
    narrow = ImageFont.load_default(size)
    if not isinstance(narrow, ImageFont.FreeTypeFont):
        raise TypeError("Pillow has no FreeType: install one of its own wheels")
    # laid out without Raqm, which some builds of Pillow lack: the same everywhere
    basic = ImageFont.Layout.BASIC
    return narrow, ImageFont.truetype(_wide_file(), round(size * _AS_HIGH), layout_engine=basic)


def _wide_file() -> Path:
    """DejaVu Sans in matplotlib's folder; matplotlib itself is not imported, to save time."""
    found = find_spec("matplotlib")
    for folder in (found and found.submodule_search_locations) or ():
        file = Path(folder, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if file.is_file():
            return file
    raise FileNotFoundError("the font DejaVuSans.ttf is not there: install matplotlib")


def _overhang(size: int) -> int:
    """Pixels on either side of a word for what reaches out of its width, as the tail of a J."""
    return size // 4


@lru_cache(maxsize=4096)
def _word(word: str, size: int) -> Image.Image:
    """A word as a mask. Drawing letters takes a third of a sheet's time, and words come again."""
    font, beside = _font(word, size), _overhang(size)
    ascent, descent = _fonts(size)[0].getmetrics()
    mask = Image.new("L", (int(font.getlength(word)) + 2 * beside, ascent + descent))
    ImageDraw.Draw(mask).text((beside, ascent), word, font=font, fill=255, anchor="ls")
    return mask


@lru_cache(maxsize=4096)
def _length(word: str, size: int) -> float:
    return float(_font(word, size).getlength(word))
