"""What a task lets a probe tell, by which splits, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from evaluation.collection import POSITIVE, UNCERTAIN, Collection, CollectionError
from evaluation.probing.asked import probed, questions
from evaluation.probing.targets import of_task
from evaluation.tasks import Rules, Task, any_label, as_near, each_label, one_class
from tests.evaluation.report.made import collection_of, near

COUNT = 60


def collection() -> Collection:
    """Sixty images, two of each patient; every third is of no class."""
    made = collection_of(["a", "b", ""] * 20, views=["PA", "AP"] * 30)
    return replace(
        made,
        patients=tuple(f"p{at // 2}" for at in range(COUNT)),
        splits=("train",) * 40 + ("val",) * 10 + ("test",) * 10,
    )


def labels(made: Collection) -> list[Task]:
    everyone = np.arange(len(made))
    return [any_label(made, everyone, "ignore"), each_label(made, everyone, "ignore")]


def test_classes_are_told_of_images_that_have_one() -> None:
    made = collection()
    (one,) = questions([one_class(made, "class")], made, Rules())
    assert one.targets.names == ("a", "b")
    assert one.targets.one_each
    assert one.targets.known[:, 0].tolist() == [True, True, False] * 20
    assert one.parts.test.tolist() == [51, 52, 54, 55, 57, 58]
    assert one.patients.tolist() == one.apart.tolist()


def test_labels_are_told_once_and_only_of_members() -> None:
    made = collection()
    (one,) = questions(labels(made), made, Rules())
    assert one.task == "each label"
    assert one.targets.positive.tolist() == (made.states == POSITIVE).tolist()
    assert one.targets.known.tolist() == (made.states != UNCERTAIN).tolist()
    some = each_label(made, np.arange(30), "ignore")
    found = of_task(some, made, Rules(uncertain="negative"))
    assert found is not None
    assert found.known.all(axis=1).tolist() == [True] * 30 + [False] * 30


def test_bins_of_a_number_are_classes_and_the_number_itself_is_none() -> None:
    made = collection()
    (one,) = questions([as_near(made, "weight", 5, (70,))], made, Rules())
    assert one.targets.names == ("< 70", ">= 70")
    assert of_task(as_near(made, "weight", 5), made, Rules()) is None


def test_who_may_vote_follows_the_rules() -> None:
    shared = replace(collection(), splits=("train", "test") * 20 + ("val",) * 20)
    task = one_class(shared, "class")
    with pytest.raises(CollectionError, match="20 patients are in more than one of the splits"):
        questions([task], shared, Rules())
    (loose,) = questions([task], shared, Rules(apart="image"))
    assert loose.apart.tolist() == list(range(COUNT))


@pytest.mark.parametrize("kind", ["knn", "linear"])
def test_a_probe_tells_what_its_vectors_know(kind: str) -> None:
    made = collection()
    system = near(made, noise=0.1)
    (one,) = questions([one_class(made, "class")], made, Rules())
    found = probed(system, one, kind, draws=20)  # type: ignore[arg-type]
    # of every three images two have a class; 40, 10 and 10 are in the splits
    assert (found.task, found.training, found.validation, found.test) == ("class", 27, 7, 6)
    figures = {row.figure.measure: row.figure for row in found.probe.rows if not row.group}
    assert figures["accuracy"].value == 1
    assert figures["accuracy"].queries == 6
    assert figures["roc_auc"].chance == pytest.approx(0.5, abs=0.05)


def test_the_k_of_labels_is_chosen_by_auprc() -> None:
    made = collection()
    (one,) = questions(labels(made), made, Rules())
    assert "by auprc" in probed(near(made), one, "knn", draws=20).probe.says
    (one,) = questions([one_class(made, "class")], made, Rules())
    assert "by f1" in probed(near(made), one, "knn", draws=20).probe.says


WRONG: list[tuple[Callable[[Collection], Collection], Callable[[Collection], Task], str]] = [
    (
        lambda c: replace(c, splits=()),
        lambda c: one_class(c, "class"),
        r"tells no splits, train, val, test are needed: .* by patient \(--make-splits\), or name",
    ),
    (
        lambda c: replace(c, splits=("train",) * 40 + ("test",) * 20),
        lambda c: one_class(c, "class"),
        "has no images in split 'val', but test, train: name the split of each image",
    ),
    (
        lambda c: c,
        lambda c: one_class(c, "class", within="view"),
        r"a probe learns from all values of view at once; evaluate them apart \(--where\)",
    ),
    (
        lambda c: c,
        lambda c: as_near(c, "weight", 5),
        r"nothing for a probe to tell; name a column of classes \(--classes\)",
    ),
    (
        lambda c: replace(c, attributes={"class": np.array(["a"] * 40 + ["b"] * 20)}),
        lambda c: one_class(c, "class"),
        "class: no class has a positive image in both training and test",
    ),
]


@pytest.mark.parametrize(("changed", "task", "said"), WRONG)
def test_what_cannot_be_probed(
    changed: Callable[[Collection], Collection], task: Callable[[Collection], Task], said: str
) -> None:
    made = changed(collection())
    with pytest.raises(CollectionError, match=said):
        questions([task(made)], made, Rules())
