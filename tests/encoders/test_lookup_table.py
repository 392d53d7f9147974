"""PS3.3 C.11.1.1.1 and C.11.2.1.1: LUT descriptor and data."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from encoders.image import PixelError
from encoders.lookup_table import read_lookup_table


def item(descriptor: list[int], data: Any, vr: str = "US") -> Dataset:
    ds = Dataset()
    ds.add_new("LUTDescriptor", "SS" if min(descriptor) < 0 else "US", descriptor)
    ds.add_new("LUTData", vr, data)
    return ds


def test_a_count_of_zero_means_65536() -> None:
    words = np.arange(65536, dtype="<u2").tobytes()
    table = read_lookup_table(item([0, 0, 16], words, "OW"), signed=False)
    assert table(np.array([0.0, 65535.0])).tolist() == [0.0, 65535.0]


@pytest.mark.parametrize(
    ("first", "signed", "expected"),
    [(63488, True, -2048), (63488, False, 63488), (-2048, True, -2048), (-2048, False, 63488)],
)
def test_the_first_value_is_signed_where_its_input_is(
    first: int, signed: bool, expected: int
) -> None:
    assert read_lookup_table(item([2, first, 16], [0, 1]), signed=signed).first == expected


def test_two_entries_of_8_bits_may_share_a_word() -> None:
    table = read_lookup_table(item([4, 0, 8], b"\x01\x02\x03\x04", "OW"), signed=False)
    assert table.entries.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("descriptor", "data", "tag"),
    [
        ([2, 0], [0, 1], "0028,3002"),
        ([2, 0, 4], [0, 1], "0028,3002"),
        ([2, 0, 32], [0, 1], "0028,3002"),
        ([3, 0, 16], [0, 1], "0028,3006"),
        ([3, 0, 16], None, "0028,3006"),
        ([3, 0, 12], [0, 4096, 1], "0028,3006"),  # over 12 bits
    ],
)
def test_damage_names_the_tag(descriptor: list[int], data: list[int] | None, tag: str) -> None:
    with pytest.raises(PixelError, match=tag):
        read_lookup_table(item(descriptor, data), signed=False)
