"""Systems compared in pairs, corrected together."""

from evaluation.comparison import compared, holm
from evaluation.evaluating import System
from evaluation.report.comparisons import comparisons, headline_scores
from tests.evaluation.report.made import by_lot, collection_of, evaluated, near


def test_every_pair_is_compared_and_all_are_corrected_together() -> None:
    collection = collection_of(["a", "b", "c"] * 12)
    systems = (near(collection), near(collection, noise=3), by_lot(collection))
    systems = (systems[0], System("noisy", systems[1].vectors), systems[2])
    made = evaluated(collection, systems)
    found = [one for one in comparisons(made.tasks, made.judgements) if one.task == "class"]
    pairs = [(one.first, one.second) for one in found]
    assert pairs == [("near class", "noisy"), ("near class", "random"), ("noisy", "random")]
    every = [one for pair in found for one in pair.differences]
    assert len(every) == 3 * 4  # all queries, and three classes
    assert [one.p_holm for one in every] == holm([one.p for one in every])
    alone = [one.p_holm for one in found[0].differences]
    assert alone != holm([one.p for one in found[0].differences])


def test_a_difference_is_that_of_the_two_systems_alone() -> None:
    made = evaluated(collection_of(["a", "b"] * 15))
    (task, *_), (first, second) = made.tasks, made.judgements[:2]
    expected = compared(headline_scores(task, first), headline_scores(task, second), seed=7)
    (found,) = comparisons((task,), (first, second), seed=7)
    assert [one.value for one in found.differences] == [one.value for one in expected]
    assert [one.p for one in found.differences] == [one.p for one in expected]


def test_a_task_by_label_has_its_labels_as_classes() -> None:
    made = evaluated(collection_of(["a", "b"] * 15))
    task = made.tasks[2]
    judgements = [one for one in made.judgements if one.task == task.name]
    (found,) = comparisons((task,), judgements)
    assert found.measure == "ap.hits@5"
    assert [one.name for one in found.differences] == ["all queries", "Effusion", "Mass"]


def test_one_system_has_nobody_to_be_compared_with() -> None:
    collection = collection_of(["a", "b"] * 6)
    made = evaluated(collection, [near(collection)])
    assert comparisons(made.tasks, made.judgements) == ()
