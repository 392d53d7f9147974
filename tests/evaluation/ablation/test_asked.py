"""What a task lets an ablation draw, and what it refuses before anything is embedded."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.ablation.asked import by_measure, pool_of, pools
from evaluation.ablation.curves import Ablation, Design
from evaluation.collection import Collection, CollectionError
from evaluation.tasks import Rules, Task, any_label, as_near, one_class
from tests.evaluation.report.made import collection_of

SMALL = Design(sizes=(1, 2), queries=1, seeds=(0,))


def collection() -> Collection:
    """Eighteen images, two of each patient; every third is of no class; the first half trains."""
    made = collection_of(["a", "b", ""] * 6, views=["PA"] * 18)
    return replace(
        made,
        patients=tuple(f"p{at // 2}" for at in range(18)),
        splits=("train",) * 10 + ("test",) * 8,
    )


def test_images_of_the_splits_that_have_a_class() -> None:
    made = collection()
    rules = Rules(query_splits=("test",), index_splits=("train",))
    found = pool_of(one_class(made, "class"), made, rules)
    assert found.asking.tolist() == [10, 12, 13, 15, 16]
    assert found.answering.tolist() == [0, 1, 3, 4, 6, 7, 9]
    assert found.class_names == ("a", "b")
    assert found.classes.tolist() == [0, 1, -1] * 6
    assert found.apart.tolist() == found.patients.tolist()
    loose = pool_of(one_class(made, "class"), made, Rules(apart="image"))
    assert loose.apart.tolist() == list(range(18))
    assert loose.asking.tolist() == loose.answering.tolist()


def test_bins_of_a_number_are_classes_too() -> None:
    made = collection()
    tasks = [as_near(made, "weight", 5, (70,)), one_class(made, "class")]
    found = dict(pools(tasks, made, Rules(), SMALL))
    assert list(found) == ["weight", "class"]
    assert found["weight"].class_names == ("< 70", ">= 70")
    assert found["weight"].classes.tolist() == (made.numbers["weight"] >= 70).astype(int).tolist()


@pytest.mark.parametrize(
    ("task", "design", "said"),
    [
        (
            lambda c: any_label(c, np.arange(len(c)), "ignore"),
            SMALL,
            r"draws images of each class; name a column of classes \(--classes\)",
        ),
        (
            lambda c: one_class(c, "class", within="view"),
            SMALL,
            "lets images of all values of view answer",
        ),
        (lambda c: one_class(c, "class"), Design(), "ask for smaller sizes or fewer queries"),
    ],
)
def test_what_cannot_be_drawn(task: object, design: Design, said: str) -> None:
    made = collection()
    with pytest.raises(CollectionError, match=said):
        pools([task(made)], made, Rules(), design)  # type: ignore[operator]


def test_a_task_without_classes_has_no_pool() -> None:
    made = collection()
    task: Task = any_label(made, np.arange(18), "ignore")
    with pytest.raises(CollectionError, match="labels: an ablation draws images of each class"):
        pool_of(task, made, Rules())


def test_curves_of_one_measure_stand_together() -> None:
    curves = [
        Ablation(system, measure, (), (), (), 1, (0,))
        for system in ("one", "two")
        for measure in ("p@1", "p@5")
    ]
    found = by_measure("class", curves)
    assert [(one.task, one.measure) for one in found] == [("class", "p@1"), ("class", "p@5")]
    assert [[curve.system for curve in one.curves] for one in found] == [["one", "two"]] * 2
