"""Tasks of small collections whose answers are worked out by hand."""

import math

import numpy as np
import pytest

from evaluation.collection import (
    NEGATIVE,
    POSITIVE,
    UNCERTAIN,
    UNSAID,
    Collection,
    CollectionError,
    states_of,
)
from evaluation.evaluating import Judgement, System, judge
from evaluation.figures import Figure
from evaluation.label_sets import UncertaintyRule
from evaluation.tasks import Rules, Task, any_label, as_near, each_label, one_class
from storage.vectors.metric import Metric


def on_a_line(
    places: list[float],
    classes: list[str] | None = None,
    patients: list[str] | None = None,
    **more: object,
) -> tuple[Collection, System]:
    """Images on a line, compared by L2: the nearest is the nearest."""
    count = len(places)
    given = {
        "states": np.zeros((count, 0), np.int8),
        "label_names": (),
        "attributes": {} if classes is None else {"class": np.array(classes)},
    } | more
    collection = Collection(
        name="line",
        ids=tuple(f"i{at}" for at in range(count)),
        patients=tuple(patients or [f"p{at}" for at in range(count)]),
        **given,  # type: ignore[arg-type]
    )
    vectors = np.stack([np.array(places), np.zeros(count)], axis=1).astype(np.float32)
    return collection, System("line", vectors, Metric.L2)


def figures(judged: Judgement, group: str = "") -> dict[str, Figure]:
    return {
        f"{row.part}: {row.figure.measure} {row.figure.mean}": row.figure
        for row in judged.rows
        if row.group == group
    }


def asked(task: Task, made: tuple[Collection, System], rules: Rules | None = None) -> Judgement:
    return judge(made[1], task, made[0], rules or Rules())


def test_one_class_each() -> None:
    # nearest: 0-1 (both a), 2-3 (b, a), 9 alone asks 3
    made = on_a_line([0, 1, 4, 5, 9], ["a", "a", "b", "a", ""])
    found = figures(asked(one_class(made[0], "class"), made))
    assert found["class: p@1 micro"].value == 2 / 4
    assert found["class: p@1 class_mean"].value == pytest.approx((2 / 3 + 0) / 2)
    assert found["class: p@1 micro"].chance == pytest.approx((3 * 2 / 3 + 0) / 4)
    assert found["class: p@1 micro"].queries == 4


def test_the_same_patient_is_left_out_unless_the_rule_is_looser() -> None:
    made = on_a_line([0, 1, 4, 5], ["a", "a", "b", "b"], ["p", "p", "q", "r"])
    task = one_class(made[0], "class")
    careful = figures(asked(task, made))["class: p@1 micro"]
    loose = figures(asked(task, made, Rules(apart="image")))["class: p@1 micro"]
    assert (careful.value, loose.value) == (0.5, 1)
    assert careful.chance == pytest.approx((0 + 0 + 1 / 3 + 1 / 3) / 4)
    assert careful.patients == 3


def test_a_class_of_one_patient_has_no_right_answer_and_stays_in_the_mean() -> None:
    made = on_a_line([0, 1, 5, 6], ["a", "a", "b", "b"], ["p", "p", "q", "r"])
    found = asked(one_class(made[0], "class"), made)
    rows = figures(found, "a")
    assert rows["class: p@1 micro"].value == rows["class: p@1 micro"].chance == 0
    assert figures(found)["class: p@1 micro"].queries == 4


def test_splits() -> None:
    splits = ("train", "train", "test", "test")
    made = on_a_line([0, 2, 1, 1.1], ["a", "b", "a", "b"], splits=splits)
    rules = Rules(query_splits=("test",), index_splits=("train",))
    found = figures(asked(one_class(made[0], "class"), made, rules))["class: p@1 micro"]
    assert (found.value, found.queries, found.chance) == (1, 2, 0.5)


def test_kept_apart_by_set() -> None:
    made = on_a_line([0, 0.1, 0.2, 0.3, 5], ["a", "b", "a", "b", "a"])
    more = {"set": np.array(["x", "y", "x", "y", "y"]), **made[0].attributes}
    made = on_a_line([0, 0.1, 0.2, 0.3, 5], attributes=more)
    task = one_class(made[0], "class", within="set")
    found = asked(task, made)
    assert figures(found)["class: p@1 micro"].value == 4 / 5
    assert figures(found, "set = x")["class: p@1 micro"].value == 1
    assert figures(found, "set = y")["class: p@1 micro"].value == pytest.approx(2 / 3)
    mean = figures(found, "mean over set")["class: p@1 class_mean"]
    assert mean.value == pytest.approx((1 + 2 / 3) / 2)


def labelled(rows: list[list[int]], places: list[float]) -> tuple[Collection, System]:
    names = ("x", "y", "z")[: len(rows[0])]
    return on_a_line(places, states=np.array(rows, np.int8), label_names=names)


def test_any_label_and_how_many() -> None:
    made = labelled([[1, 1], [1, 0], [0, 1], [0, 0]], [0, 1, 2.5, 0.5])
    task = any_label(made[0], np.arange(4), "ignore")
    found = figures(asked(task, made))
    assert found["any label: p@1 micro"].queries == 3
    # image 2 finds 1, which shares nothing; the unlabelled one is not in the index
    assert found["any label: p@1 micro"].value == pytest.approx(2 / 3)
    # of 10 ranks two are filled: query 0 gains 1/2 and 1/2, query 1 gains 1, query 2 gains 1
    assert found["share of labels: acg@10 micro"].value == pytest.approx((1 + 1 + 1) / 30)
    late = math.log2(2) / math.log2(3)
    assert found["labels in common: ndcg.exp@10 micro"].value == pytest.approx((1 + 1 + late) / 3)


def test_images_without_a_label_may_answer() -> None:
    made = labelled([[1, 1], [1, 0], [0, 1], [0, 0]], [0, 1, 2.5, 0.5])
    task = any_label(made[0], np.arange(4), "ignore", all_answer=True)
    found = figures(asked(task, made))["any label: p@1 micro"]
    assert (found.value, found.queries) == (0, 3)


@pytest.mark.parametrize(
    ("rule", "ranks"),
    [
        # of the first right answer: 0 finds 1, 1 finds 0, 3 finds 4, 2 and then 1
        ("positive", [1, 1, 3]),
        # 0 finds 1 and then 3; 3 finds 4, 2, 1 and then 0
        ("negative", [2, 4]),
        # image 1 neither asks nor answers
        ("ignore", [1, 3]),
    ],
)
def test_uncertain_labels(rule: UncertaintyRule, ranks: list[int]) -> None:
    rows = [[POSITIVE], [UNCERTAIN], [NEGATIVE], [POSITIVE], [UNSAID]]
    made = labelled(rows, [0, 0.1, 4.1, 4, 4.05])
    task = each_label(made[0], np.arange(5), rule)
    found = figures(asked(task, made, Rules(uncertain=rule)), "x")["each label: rr@5 micro"]
    assert found.queries == len(ranks)
    assert found.value == pytest.approx(np.mean([1 / rank for rank in ranks]))


def test_each_label_has_its_means() -> None:
    # x: 0, 1, 2 find each other; y: 3 alone
    made = labelled([[1, 0], [1, 0], [1, 0], [0, 1]], [0, 1, 2, 3])
    found = figures(asked(each_label(made[0], np.arange(4), "ignore"), made))
    assert found["each label: rr@5 micro"].value == 3 / 4
    assert found["each label: rr@5 class_mean"].value == 1 / 2
    inverse = (1 / 3 * 1 + 1 * 0) / (1 / 3 + 1)
    assert found["each label: rr@5 class_inverse"].value == pytest.approx(inverse)


def test_measured_values() -> None:
    weights = np.array([100, 140, 180, np.nan])
    made = on_a_line([0, 1, 2, 0.5], numbers={"weight": weights})
    task = as_near(made[0], "weight", 80, [150])
    found = asked(task, made)
    ideal = {0: (0.5, 0), 1: (0.5, 0.5), 2: (0.5, 0)}
    late = 1 / math.log2(3)
    # 0 finds 140, 180; 100 and 180 are as near to 1: the first stands first; 2 finds 140, 100
    gains = {0: (0.5, 0), 1: (0.5, 0.5), 2: (0.5, 0)}
    by_hand = [
        (gains[at][0] + gains[at][1] * late) / (ideal[at][0] + ideal[at][1] * late)
        for at in range(3)
    ]
    assert figures(found)["weight: ndcg.lin@5 micro"].value == pytest.approx(np.mean(by_hand))
    assert figures(found)["class: p@1 micro"].value == pytest.approx(2 / 3)
    assert task.parts[1].class_names == ("< 150", ">= 150")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda c: one_class(c, "nothing"), "no column 'nothing'; it has class"),
        (lambda c: one_class(c, "class", within="set"), "no column 'set'"),
        (lambda c: as_near(c, "weight", 1), "no number 'weight'; it has none"),
        (lambda c: any_label(c, np.arange(3), "ignore"), "no image .* has a positive label"),
        (lambda c: each_label(c, np.arange(3), "ignore"), "no image .* has a positive label"),
        (lambda c: Rules(apart="study").kept_apart(c), "does not tell studies"),
        (lambda c: Rules(apart="hospital").kept_apart(c), "not 'hospital'"),
        (lambda c: Rules(query_splits=("test",)).asking(c), "tells no splits"),
    ],
)
def test_what_cannot_be_asked(make: object, said: str) -> None:
    collection, _ = on_a_line([0, 1, 2], ["a", "b", "a"])
    with pytest.raises(CollectionError, match=said):
        make(collection)  # type: ignore[operator]


def test_one_class_is_no_task() -> None:
    collection, _ = on_a_line([0, 1], ["a", "a"])
    with pytest.raises(CollectionError, match="fewer than two classes"):
        one_class(collection, "class")


def test_a_split_that_is_not_there() -> None:
    collection, _ = on_a_line([0, 1], ["a", "b"], splits=("train", ""))
    with pytest.raises(CollectionError, match="no split 'test'; it has train"):
        Rules(query_splits=("test",)).asking(collection)


def test_another_number_of_vectors() -> None:
    collection, system = on_a_line([0, 1, 2], ["a", "b", "a"])
    task = one_class(collection, "class")
    fewer = System("fewer", system.vectors[:2])
    with pytest.raises(CollectionError, match="fewer: 2 vectors for 3 images"):
        judge(fewer, task, collection, Rules())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ids": ("a", "b", "a")}, "1 images stand more than once, such as a"),
        ({"patients": ("p", "", "q")}, "1 images have no patient, such as b"),
        ({"patients": ("p", "q")}, "3 images, but 2 patients"),
        ({"ids": (), "patients": ()}, "holds no images"),
        ({"states": np.zeros((3, 2), np.int8)}, "states of shape"),
        ({"states": np.full((3, 1), 7, np.int8)}, "state is 1, 0, -1"),
        ({"splits": ("train",)}, "1 splits"),
        ({"attributes": {"view": np.array(["PA"])}}, "1 view"),
    ],
)
def test_collections_that_are_none(change: dict[str, object], said: str) -> None:
    good: dict[str, object] = {
        "name": "made",
        "ids": ("a", "b", "c"),
        "patients": ("p", "q", "r"),
        "label_names": ("x",),
        "states": np.zeros((3, 1), np.int8),
    }
    with pytest.raises(CollectionError, match=said):
        Collection(**(good | change))  # type: ignore[arg-type]


def test_states_by_name() -> None:
    assert states_of([["x"], [], ["y", "x"]], ["x", "y"]).tolist() == [[1, 0], [0, 0], [1, 1]]
    with pytest.raises(CollectionError, match="unknown labels: q"):
        states_of([["q"]], ["x"])
