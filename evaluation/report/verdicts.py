"""The verdict on a system, in two sentences that nobody can misread."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.confounders import Confounder
from evaluation.confounders import Verdict as Explained
from evaluation.evaluating import Judgement
from evaluation.figures import Figure
from evaluation.nearest import Run
from evaluation.report.rows import headline
from evaluation.report.words import counted, interval, number
from evaluation.tasks import Task

Standing = Literal["better than chance", "not shown", "worse than chance", "cannot be told"]
FEWEST_PATIENTS = 10
"""With fewer a draw of patients tells nothing of the spread."""
DIGITS = 2
MANY_TIED = 0.05
"""Of the queries; where more have ties at the top, the lot has a part in the score."""
_CONCLUSIONS: dict[Standing, str] = {
    "better than chance": "better than chance",
    "not shown": "not shown to be better than chance",
    "worse than chance": "worse than chance",
}
MEANINGS: dict[Explained, str] = {
    "explains it": "Among images that share it nothing better than chance is left, or nothing else "
    "can be seen: do not read the score as recognition of the disease.",
    "explains part": "Part of the score is lost among images that share it; what is left is still "
    "better than chance.",
    "no sign": "The score holds among images that share it.",
    "cannot be told": "Among images that share it the score is neither shown to hold nor shown to "
    "be lost; more images might tell.",
    "nothing to explain": "The score is not better than chance.",
}
"""What a confounder's verdict means."""


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a system on a task.

    Attributes:
        system: its name.
        task: the task's name.
        figure: the headline.
        standing: against chance.
        score: the first sentence.
        doubt: the second: whether something else explains it, ties at the top among it.
        doubtful: an attribute explains it, or part of it, or many queries have ties.
    """

    system: str
    task: str
    figure: Figure
    standing: Standing
    score: str
    doubt: str
    doubtful: bool


def verdict(judgement: Judgement, task: Task) -> Verdict:
    """Judge by the headline measure, and by what may explain it."""
    figure = headline(judgement, task)
    standing = _standing(figure)
    return Verdict(
        judgement.system,
        task.name,
        figure,
        standing,
        _score(figure, standing),
        f"{_doubt(judgement.confounders, standing)}{_tied(judgement.run)}",
        any(one.verdict in {"explains it", "explains part"} for one in judgement.confounders)
        or judgement.run.tied > MANY_TIED,
    )


def _standing(figure: Figure) -> Standing:
    if math.isnan(figure.value) or figure.patients < FEWEST_PATIENTS:
        return "cannot be told"
    if figure.lift_low > 0:
        return "better than chance"
    return "worse than chance" if figure.lift_high < 0 else "not shown"


def _score(figure: Figure, standing: Standing) -> str:
    if math.isnan(figure.value):
        undefined = counted(figure.undefined, "query", "queries")
        return f"{figure.measure} has no value: none of {undefined} has one."
    digits = _digits(figure)
    told = (
        f"{figure.measure} {number(figure.value, digits)} "
        f"({interval(figure.low, figure.high, digits)}), chance {number(figure.chance, digits)}"
    )
    if standing == "cannot be told":
        return f"{told}: {counted(figure.patients, 'patient')} are too few for a verdict.".replace(
            "1 patient are", "1 patient is"
        )
    return f"{told}: {_CONCLUSIONS[standing]}."


def _digits(figure: Figure) -> int:
    """One more where value and chance would read the same."""
    same = number(figure.value, DIGITS) == number(figure.chance, DIGITS)
    return DIGITS + same


def _doubt(confounders: Sequence[Confounder], standing: Standing) -> str:
    if standing == "cannot be told":
        return "So nothing is said of what else may explain it."
    if standing != "better than chance":
        return "So there is no skill that another cause could explain."
    if not confounders:
        return "Whether view, scanner or source explain it was not looked at."
    explained = [_explained(one) for one in confounders if one.verdict.startswith("explains")]
    clauses = list(explained)
    if clear := _named(confounders, "no sign"):
        clauses.append(f"no sign that {clear} explains it")
    if left_open := _named(confounders, "cannot be told"):
        clauses.append(f"whether {left_open} explains it cannot be told")
    told = "; ".join(clauses) or "nothing that was looked at explains it"
    lead = "But " if explained else ""
    sentence = f"{lead}{told}."
    return sentence if explained else sentence[0].upper() + sentence[1:]


def _tied(run: Run) -> str:
    if not run.tied > 0:
        return ""
    return (
        f" For {number(run.tied)} of the queries the second answer is as near as the first: "
        "there the lot decides."
    )


def _explained(one: Confounder) -> str:
    how_far = "explains it" if one.verdict == "explains it" else "explains part of it"
    left, chance = number(one.within.value, DIGITS), number(one.within.chance, DIGITS)
    return f"{one.attribute} {how_far} (within the same {one.attribute} {left}, chance {chance})"


def _named(confounders: Sequence[Confounder], verdict: Explained) -> str:
    names = [one.attribute for one in confounders if one.verdict == verdict]
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
