"""Panels: which queries are shown, and what is said of their hits."""

import numpy as np

from evaluation.evaluating import Judgement
from evaluation.nearest import NOBODY, Run
from evaluation.report.answered import Groups, groups_of
from evaluation.report.panels import Hit, Panel, panels
from evaluation.tasks import Task, one_class
from tests.evaluation.report.made import collection_of, evaluated

CLASSES = ["a", "a", "a", "b", "b", "b"]


def asked(rows: list[list[int]]) -> tuple[Judgement, Task, Groups]:
    collection = collection_of(CLASSES)
    task = one_class(collection, "class")
    found = np.array(rows)
    alike = np.where(found == NOBODY, -np.inf, 0.5)
    run = Run(np.arange(len(rows)), found, alike)
    judgement = Judgement("net", task.name, (), (), run, {})
    return judgement, task, groups_of(task, collection, "ignore")


def shown(found: tuple[Panel, ...]) -> dict[str, list[int]]:
    return {
        choice: [one.query for one in found if one.choice == choice]
        for choice in ("best", "worst", "by lot")
    }


def test_best_and_worst_by_what_they_found() -> None:
    rows = [[1, 2], [0, 3], [3, 4], [4, 0], [3, 5], [3, 4]]
    found = panels(*asked(rows), seed=0, hits=2, each=1)
    assert shown(found)["best"][0] in {0, 4, 5}  # two of two
    assert shown(found)["worst"] == [2]  # none
    assert len(shown(found)["by lot"]) == 1


def test_equals_are_chosen_by_lot_and_again_the_same() -> None:
    rows = [[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]]
    first = {seed: panels(*asked(rows), seed=seed, hits=2, each=2) for seed in range(8)}
    again = panels(*asked(rows), seed=3, hits=2, each=2)
    assert again == first[3]
    assert len({tuple(shown(one)["best"]) for one in first.values()}) > 1


def test_a_query_is_shown_once_and_a_single_one_suffices() -> None:
    rows = [[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]]
    found = panels(*asked(rows), seed=0, hits=2, each=3)
    assert sorted(one.query for one in found) == list(range(6))
    (single,) = panels(*asked([[1, 3]]), seed=0, hits=2, each=3)
    assert single == Panel(
        "net", "class", "best", 0, ("a",), (Hit(1, 1, 0.5, 1, ("a",)), Hit(3, 2, 0.5, 0, ("b",)))
    )
    assert [hit.relevant for hit in single.hits] == [True, False]
    assert single.images == (0, 1, 3)


def test_nobody_is_no_hit() -> None:
    (single,) = panels(*asked([[1, NOBODY]]), seed=0, hits=2)
    assert [hit.image for hit in single.hits] == [1]


def test_queries_without_a_label_do_not_ask() -> None:
    made = evaluated(collection_of(["a", "b"] * 10))
    task = made.tasks[1]
    groups = groups_of(task, made.collection, "ignore")
    judgement = next(one for one in made.judgements if one.task == task.name)
    found = panels(judgement, task, groups, seed=0, each=30)
    positive = {at for at in range(20) if groups.members[at].any()}
    assert {one.query for one in found} == positive
    for one in found:
        for hit in one.hits:
            assert hit.relevant == bool(set(one.labels) & set(hit.labels))
