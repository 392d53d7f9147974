"""Parts of a collection keep what is told of the whole."""

import numpy as np

from evaluation.collection import Collection


def test_notes_stay_with_some_of_the_images() -> None:
    made = Collection(
        "made",
        ("a", "b", "c"),
        ("p", "q", "q"),
        (),
        np.zeros((3, 0), np.int8),
        notes=("Two images are not there.",),
    )
    some = made.take(np.array([2, 0]))
    assert some.ids == ("c", "a")
    assert some.notes == ("Two images are not there.",)
