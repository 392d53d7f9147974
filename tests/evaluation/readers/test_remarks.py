"""Remarks go into a collection's notes, and into the log."""

import numpy as np
import pytest

from evaluation.collection import Collection
from evaluation.readers.remarks import remarked


def test_remarks_stand_behind_earlier_ones_and_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bare = Collection("Set", ("a",), ("1",), (), np.empty((1, 0), np.int8), notes=("first",))
    found = remarked(bare, "5 % left out", "third")
    assert found.notes == ("first", "5 % left out", "third")
    assert caplog.messages == ["5 % left out", "third"]
    assert bare.notes == ("first",)
