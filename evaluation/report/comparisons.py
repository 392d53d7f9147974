"""Every pair of systems of a task compared, corrected for all comparisons of that task."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from evaluation.comparison import compared, holm
from evaluation.evaluating import Judgement
from evaluation.report.document import Comparison
from evaluation.scores import Scores, together
from evaluation.tasks import Task


def comparisons(
    tasks: Sequence[Task], judgements: Sequence[Judgement], *, seed: int = 0
) -> tuple[Comparison, ...]:
    """By each task's headline measure.

    Holm's correction is for all that is read together: every pair and every class of a task.
    """
    return tuple(
        one
        for task in tasks
        for one in _of_task(task, [found for found in judgements if found.task == task.name], seed)
    )


def headline_scores(task: Task, judgement: Judgement) -> Scores:
    """The queries' values by the task's headline; a task by label has its labels as classes."""
    if task.by_label:
        names = [part.name for part in task.parts]
        return together([judgement.scores[f"{name}: {task.headline}"] for name in names], names)
    part = next(one for one in task.parts if any(m.id == task.headline for m in one.measures))
    return judgement.scores[f"{part.name}: {task.headline}"]


def _of_task(task: Task, judgements: Sequence[Judgement], seed: int) -> list[Comparison]:
    scores = {one.system: headline_scores(task, one) for one in judgements}
    found = [
        Comparison(
            task.name,
            task.headline,
            first,
            second,
            tuple(compared(scores[first], scores[second], seed=seed)),
        )
        for first, second in combinations(scores, 2)
    ]
    adjusted = iter(holm([one.p for pair in found for one in pair.differences]))
    return [
        replace(
            pair,
            differences=tuple(replace(one, p_holm=next(adjusted)) for one in pair.differences),
        )
        for pair in found
    ]
