"""Labels of images that name what they have."""

import pytest

from evaluation.collection import UNSAID, CollectionError
from evaluation.readers.labels import names_in, split_labels, states_named

ROWS = [("Mass", "Edema"), ("No Finding",), (), ("Mass", "Edema"), ("Edema",)]


def test_no_finding_is_no_label() -> None:
    assert names_in(ROWS) == ("Edema", "Mass")


def test_labels_that_are_not_named_are_negative() -> None:
    states = states_named(ROWS, ("Edema", "Mass"))
    assert states.tolist() == [[1, 1], [0, 0], [0, 0], [1, 1], [1, 0]]


def test_an_image_that_names_nothing_may_be_unsaid() -> None:
    states = states_named(ROWS, ("Edema", "Mass"), nothing=UNSAID)
    assert states.tolist() == [[1, 1], [0, 0], [-2, -2], [1, 1], [1, 0]]


def test_unknown_labels_are_refused() -> None:
    with pytest.raises(CollectionError, match="unknown labels: Mass"):
        states_named(ROWS, ("Edema",))


def test_cells_are_separated_by_bars() -> None:
    assert split_labels("Mass| Edema ||") == ("Mass", "Edema")
    assert split_labels("") == ()
