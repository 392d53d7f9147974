"""Lists, one for each split, as one collection."""

import numpy as np
import pytest

from evaluation.collection import Collection
from evaluation.readers.cells import numbers, texts
from evaluation.readers.fault import ReaderError
from evaluation.readers.together import together


def part(split: str, *ids: str) -> Collection:
    return Collection(
        name="Set",
        ids=ids,
        patients=tuple(f"patient {one}" for one in ids),
        label_names=("x",),
        states=np.ones((len(ids), 1), np.int8),
        attributes={"view": texts(["PA"] * len(ids))},
        numbers={"age": numbers([5.0] * len(ids))},
        splits=(split,) * len(ids),
        notes=("of all lists", f"of {split}"),
    )


def test_every_column_goes_on() -> None:
    found = together([part("train", "a", "b"), part("test", "c")])
    assert found.ids == ("a", "b", "c")
    assert found.splits == ("train", "train", "test")
    assert found.patients[2] == "patient c"
    assert found.states.shape == (3, 1)
    assert found.attributes["view"].tolist() == ["PA"] * 3
    assert found.numbers["age"].tolist() == [5.0] * 3
    assert found.studies == ()
    assert found.notes == ("of all lists", "of train", "of test")


def test_an_image_in_two_lists_is_refused() -> None:
    with pytest.raises(ReaderError, match=r"Set: images stand in two of its lists: b"):
        together([part("train", "a", "b"), part("test", "b")])
