"""A collection in numbers, counted by hand."""

import math

import numpy as np

from evaluation.collection import NEGATIVE, POSITIVE, UNCERTAIN, UNSAID, Collection
from evaluation.report.facts import MOST_VALUES, LabelCount, NumberFacts, ValueCounts, facts


def test_everything_is_counted() -> None:
    held = facts(
        Collection(
            name="five",
            ids=("a", "b", "c", "d", "e"),
            patients=("p", "p", "q", "r", "s"),
            label_names=("Mass",),
            states=np.array([[POSITIVE], [POSITIVE], [NEGATIVE], [UNCERTAIN], [UNSAID]], np.int8),
            attributes={"view": np.array(["PA", "AP", "PA", "", "PA"])},
            numbers={"weight": np.array([50, 70, np.nan, 60, 90.0])},
            splits=("train", "train", "test", "test", "test"),
            studies=("1", "1", "2", "3", "4"),
        )
    )
    assert (held.images, held.patients, held.studies, held.has_files) == (5, 4, 4, False)
    assert held.labels == (LabelCount("Mass", 2, 1, 1, 1),)
    assert held.splits == (("test", 3), ("train", 2))
    assert held.attributes == (ValueCounts("view", (("PA", 3), ("AP", 1)), 0, 0, 1),)
    assert held.numbers == (NumberFacts("weight", 4, 50, 65, 90),)


def test_many_values_are_summed_up() -> None:
    names = [f"scanner {at:03}" for at in range(MOST_VALUES + 7)]
    held = facts(
        Collection(
            "many",
            tuple(names),
            tuple(names),
            (),
            np.zeros((len(names), 0), np.int8),
            attributes={"scanner": np.array(names)},
            numbers={"weight": np.full(len(names), np.nan)},
        )
    )
    (scanner,) = held.attributes
    assert (len(scanner.values), scanner.more, scanner.images_of_more) == (MOST_VALUES, 7, 7)
    assert held.numbers[0].known == 0
    assert math.isnan(held.numbers[0].median)
