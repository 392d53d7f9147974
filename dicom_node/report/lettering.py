"""Text for the contact sheet, in the one scalable font that comes with Pillow.

That font, Aileron, has the letters of ASCII and hardly any other: no accents, no Greek, no
Cyrillic, no Japanese. ``drawable`` therefore writes Latin text without its accents and says of all
other text that it cannot be shown, so that no character is ever drawn as an empty box.
"""

import unicodedata
from bisect import bisect_left
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFont

DRAWN = frozenset(map(chr, range(0x20, 0x7F))) | {"·", "°"}
"""The characters that are drawn; all others become some of these, or are not drawn."""
LONGEST = 300  # characters of a text that are looked at; no line of the sheet holds as many
CUT = "..."

# What has no decomposition into an ASCII letter and its marks (Unicode annex 15) but a usual
# spelling in ASCII.
_SPELLED = str.maketrans(
    {
        "ß": "ss", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Ø": "O", "ø": "o", "Đ": "D",
        "đ": "d", "Ð": "D", "ð": "d", "Þ": "Th", "þ": "th", "Ł": "L", "ł": "l", "Ħ": "H",
        "ħ": "h", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "÷": "/", "±": "+/-", "≤": "<=",
        "≥": ">=", "→": "->", "•": "·", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
        "\N{GREEK SMALL LETTER MU}": "u", "\N{MULTIPLICATION SIGN}": "x",
        "\N{FRACTION SLASH}": "/", "\N{MINUS SIGN}": "-", "\N{HYPHEN}": "-",
        "\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{SINGLE LOW-9 QUOTATION MARK}": "'",
    }
)  # fmt: skip


def drawable(text: str, otherwise: str = "") -> str:
    """The text in characters that the font has, on one line, or ``otherwise``.

    Latin letters lose their accents (Unicode's compatibility decomposition without its marks:
    "Pneumopathie aiguë" becomes "Pneumopathie aigue"), some letters and signs are spelled out
    ("ß" as "ss", "≥" as ">="), and control and format characters go. Text with any other
    character, so of another script, is not drawn at all: half a word may mean something else.
    """
    known = unicodedata.normalize("NFKD", text[:LONGEST]).translate(_SPELLED)
    plain = "".join(" " if c.isspace() else c for c in known if not _is_mark(c))
    if not DRAWN.issuperset(plain):
        return otherwise
    return " ".join(plain.split())


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
            sheet.paste(gray, (round(end), top), letters)
        end += _length(word, size) + _length(" ", size)
    return round(end - _length(" ", size))


def line_height(size: int) -> int:
    """Pixels from the top of the highest letter to the bottom of the lowest."""
    return sum(_font(size).getmetrics())


def width(text: str, size: int) -> float:
    """How many pixels a drawable text takes."""
    words = text.split(" ")
    return sum(_length(word, size) for word in words) + (len(words) - 1) * _length(" ", size)


def cut(text: str, size: int, most: float) -> str:
    """As much of a drawable text as ``most`` pixels hold, with three dots where it was cut."""
    if width(text, size) <= most:
        return text
    font = _font(size)
    fits = bisect_left(
        range(1, len(text) + 1), True, key=lambda n: font.getlength(text[:n] + CUT) > most
    )
    return text[:fits].rstrip(" ,") + CUT


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


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # Pillow was built without FreeType
        raise TypeError("Pillow has no FreeType: install one of its own wheels")
    return font


@lru_cache(maxsize=4096)
def _word(word: str, size: int) -> Image.Image:
    """A word as a mask. Drawing letters takes a third of a sheet's time, and words come again."""
    font = _font(size)
    ascent, descent = font.getmetrics()
    mask = Image.new("L", (max(1, int(font.getlength(word)) + 2), ascent + descent))
    ImageDraw.Draw(mask).text((0, ascent), word, font=font, fill=255, anchor="ls")
    return mask


@lru_cache(maxsize=4096)
def _length(word: str, size: int) -> float:
    return float(_font(size).getlength(word))
