"""Classes taken for others, counted by hand."""

from dataclasses import replace

import numpy as np

from evaluation.evaluating import Judgement
from evaluation.nearest import NOBODY, Run
from evaluation.report.answered import Groups
from evaluation.report.wrong_class import NONE, Pair, confusion
from evaluation.tasks import Task, any_label, one_class
from tests.evaluation.report.made import collection_of

CLASSES = ["a", "a", "a", "b", "b", "c"]
FIRST = [1, 3, 4, 4, 0, NOBODY]
ALIKE = [0.9, 0.5, 0.8, 0.7, 0.6, -np.inf]


def judgement(task: Task, first: list[int], alike: list[float]) -> Judgement:
    run = Run(np.arange(len(first)), np.array(first)[:, None], np.array(alike)[:, None])
    return Judgement("net", task.name, (), (), run, {})


def single() -> tuple[Task, Groups]:
    task = one_class(collection_of(CLASSES), "class")
    codes = np.searchsorted(("a", "b", "c"), CLASSES)
    return task, Groups(("a", "b", "c"), codes[:, None] == np.arange(3), exclusive=True)


def test_counts_and_pairs() -> None:
    task, groups = single()
    found = confusion(judgement(task, FIRST, ALIKE), task, groups)
    assert found is not None
    assert found.columns == ("a", "b", "c")
    assert found.counts.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 0]]
    assert found.wrong == 3
    assert [(cell.asked, cell.found, cell.count) for cell in found.cells] == [(0, 1, 2), (1, 0, 1)]
    # the most similar first
    assert found.cells[0].pairs == (Pair(2, 4, 0.8), Pair(1, 3, 0.5))
    assert sorted(found.images) == [0, 1, 2, 3, 4, 4]


def test_pairs_are_shared_out_by_turns_of_four() -> None:
    classes = ["a"] * 9 + ["b"] * 6 + ["c"]
    task = one_class(collection_of(classes), "class")
    members = np.array(classes)[:, None] == np.array(["a", "b", "c"])
    groups = Groups(("a", "b", "c"), members, exclusive=True)
    first = [9] * 9 + [0] * 7  # nine take a for b, six b for a, one c for a
    found = confusion(judgement(task, first, [0.5] * 16), task, groups, most=12)
    assert found is not None
    assert [(cell.count, len(cell.pairs)) for cell in found.cells] == [(9, 7), (6, 4), (1, 1)]
    assert found.shown == 12


def test_labels_stand_in_several_cells() -> None:
    #              Mass, Effusion
    has = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
    groups = Groups(("Mass", "Effusion"), has, exclusive=False)
    task = any_label(collection_of(["x"] * 4), np.arange(4), "ignore", all_answer=True)
    part = task.parts[0]
    asks = replace(part, qrels=replace(part.qrels, asks=np.ones(4, bool)))
    task = replace(task, parts=(asks,))
    found = confusion(judgement(task, [1, 2, 3, 0], [0.9, 0.8, 0.7, 0.6]), task, groups)
    assert found is not None
    assert found.columns == ("Mass", "Effusion", NONE)
    # 0 shares Mass with 1; 1 finds Effusion; 2 finds no label; 3 has none and does not count
    assert found.counts.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert found.wrong == 2


def test_one_class_or_no_hit_has_no_table() -> None:
    task, groups = single()
    alone = Groups(("a",), np.ones((6, 1), bool), exclusive=True)
    assert confusion(judgement(task, FIRST, ALIKE), task, alone) is None
    nobody = judgement(task, [NOBODY] * 6, [-np.inf] * 6)
    assert confusion(nobody, task, groups) is None
