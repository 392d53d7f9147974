"""What single cells mean: ages, sexes, states of a label, splits, numbers.

Each function takes a cell's text, and raises ValueError with what is wrong and the remedy.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import NEGATIVE, POSITIVE, UNCERTAIN, UNSAID, Texts

OLDEST = 120
"""Years: ChestX-ray14's first file has ages up to 414, which are errors, hence unknown."""
BANDS = ("0-17", "18-39", "40-59", "60-79", "80+")
BAND_STARTS = (18, 40, 60, 80)
"""Years at which a further band starts."""

_IN_YEAR = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
"""How many of an Age String's units (PS3.5 section 6.2, AS) make a year."""
_UNKNOWN = frozenset({"", "nan", "none", "unknown", "unk", "u", "na", "n/a"})
_SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
_STATES = {1.0: POSITIVE, 0.0: NEGATIVE, -1.0: UNCERTAIN}
_SPLITS = {
    "training": "train",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "testing": "test",
}


def age_of(cell: str) -> float:
    """An age in years from ``58``, ``58.0``, ``058Y``, ``012M``, ``003W`` or ``010D``.

    NaN where it is unknown, or greater than OLDEST.
    """
    if is_unknown(cell):
        return math.nan
    found = re.fullmatch(r"(\d{1,4}(?:\.\d+)?) ?([YMWD]?)", cell.upper())
    if found is None:
        raise ValueError(f"{cell!r} is no age; write years, as 58, or an Age String, as 058Y")
    years = float(found[1]) / _IN_YEAR[found[2] or "Y"]
    return years if years <= OLDEST else math.nan


def sex_of(cell: str) -> str:
    """M, F or O (other), as Patient's Sex (0010,0040) has it; empty where it is unknown."""
    if is_unknown(cell):
        return ""
    if cell.lower() not in _SEXES:
        raise ValueError(f"{cell!r} is no sex; write M, F or O, or leave it empty")
    return _SEXES[cell.lower()]


def state_of(cell: str) -> int:
    """A label's state from CheXpert's 1.0, 0.0, -1.0 or nothing."""
    if cell in {"", "nan"}:
        return UNSAID
    try:
        return _STATES[float(cell)]
    except (KeyError, ValueError):
        raise ValueError(f"{cell!r} is no state; write 1, 0, -1, or leave it empty") from None


def split_of(cell: str) -> str:
    """A split's name in small letters: train, val and test for the words that mean these."""
    return _SPLITS.get(cell.lower(), cell.lower())


def number_of(cell: str) -> float:
    """A finite number, or NaN where it is unknown."""
    if is_unknown(cell):
        return math.nan
    try:
        found = float(cell)
    except ValueError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError(f"{cell!r} is no number; write one, or leave the cell empty")
    return found


def year_of(cell: str) -> float:
    """The year of a date as DICOM writes it, YYYYMMDD (PS3.5 6.2, DA); NaN where it is unknown."""
    if is_unknown(cell):
        return math.nan
    if not (len(cell) == 8 and cell.isdecimal()):
        raise ValueError(f"{cell!r} is no date; write YYYYMMDD, as 20140915")
    return float(cell[:4])


def is_unknown(cell: str) -> bool:
    """Whether a cell says that nothing is known."""
    return cell.lower() in _UNKNOWN


def text_of(cell: str) -> str:
    """A cell as it stands, empty where nothing is known."""
    return "" if is_unknown(cell) else cell


def texts(cells: Sequence[str]) -> Texts:
    """An attribute's column."""
    return np.array(cells, np.str_)


def ages_at(years: Sequence[float], births: Sequence[float]) -> list[float]:
    """Ages in years; NaN where the year or that of birth is unknown, or the age cannot be."""
    ages = [year - birth for year, birth in zip(years, births, strict=True)]
    return [age if 0 <= age <= OLDEST else math.nan for age in ages]


def age_bands(ages: Sequence[float]) -> Texts:
    """The band of each age in years, empty where it is unknown."""
    band = np.where(np.isnan(ages), len(BANDS), np.digitize(ages, BAND_STARTS))
    return texts([*BANDS, ""])[band]


def numbers(cells: Sequence[float]) -> NDArray[np.float64]:
    """A measured column."""
    return np.array(cells, np.float64)
