"""Lots by the published generator, in plain whole numbers."""

from collections.abc import Iterator
from itertools import islice

_STEP, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def split_mix(seed: int) -> Iterator[int]:
    """SplitMix64 from Steele, Lea and Flood 2014, figure 14."""
    while True:
        seed = (seed + _STEP) & _MASK
        mixed = seed
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        yield mixed ^ (mixed >> 31)


def lot(query: int, image: int, seed: int = 0) -> int:
    """The image's number for a query: each stream begins with a number of the one before."""
    of_query = _number(_number(seed, 0), query)
    return _number(of_query, image)


def _number(seed: int, at: int) -> int:
    return next(islice(split_mix(seed), at, None))
