"""Verdicts, word by word."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.confounders import Confounder
from evaluation.confounders import Verdict as Explained
from evaluation.evaluating import Judgement, Row
from evaluation.figures import Figure
from evaluation.nearest import Run
from evaluation.report.verdicts import FEWEST_PATIENTS, verdict
from evaluation.tasks import one_class
from tests.evaluation.report.made import collection_of

NAN = float("nan")
GOOD = Figure("p@1", "micro", 0.62, 0.58, 0.66, 0.40, 0.18, 0.26, 863, 0, 532)
TASK = one_class(collection_of(["covid", "normal"] * 2), "class")


BOTH = (
    "But source explains it (within the same source .50, chance .45); view explains part of it "
    "(within the same view .50, chance .45); no sign that sex explains it."
)


def confounder(attribute: str, told: Explained, within: float = 0.5) -> Confounder:
    left = replace(GOOD, value=within, chance=0.45)
    drop = (0.2, 0.1, 0.3)
    return Confounder(
        attribute, "class", "p@1", 863, 2, GOOD, GOOD, left, (), 0.4, 0.4, 0.1, drop, told
    )


def judgement(figure: Figure, *confounders: Confounder) -> Judgement:
    nobody = np.zeros(0, np.int64)
    run = Run(nobody, nobody[:, None], np.zeros((0, 1)))
    return Judgement("net", TASK.name, (Row("class", "", figure),), confounders, run, {})


@pytest.mark.parametrize(
    ("figure", "standing", "says"),
    [
        (GOOD, "better than chance", "p@1 .62 (.58 to .66), chance .40: better than chance."),
        (
            replace(GOOD, value=0.42, low=0.38, high=0.46, lift_low=-0.02, lift_high=0.06),
            "not shown",
            "p@1 .42 (.38 to .46), chance .40: not shown to be better than chance.",
        ),
        (
            replace(GOOD, value=0.3, low=0.26, high=0.34, lift_low=-0.14, lift_high=-0.06),
            "worse than chance",
            "p@1 .30 (.26 to .34), chance .40: worse than chance.",
        ),
        # two digits would say that it is chance
        (
            replace(GOOD, value=0.4024, low=0.4011, high=0.4037, lift_low=0.001, lift_high=0.004),
            "better than chance",
            "p@1 .402 (.401 to .404), chance .400: better than chance.",
        ),
        (
            replace(GOOD, patients=1),
            "cannot be told",
            "p@1 .62 (.58 to .66), chance .40: 1 patient is too few for a verdict.",
        ),
        (
            replace(GOOD, patients=FEWEST_PATIENTS - 1),
            "cannot be told",
            "p@1 .62 (.58 to .66), chance .40: 9 patients are too few for a verdict.",
        ),
        (
            Figure("p.cap@1", "micro", NAN, NAN, NAN, NAN, NAN, NAN, 0, 12, 0),
            "cannot be told",
            "p.cap@1 has no value: none of 12 queries has one.",
        ),
    ],
)
def test_the_score(figure: Figure, standing: str, says: str) -> None:
    task = replace(TASK, headline=figure.measure)
    found = verdict(judgement(figure), task)
    assert (found.standing, found.score) == (standing, says)


@pytest.mark.parametrize(
    ("told", "says", "doubtful"),
    [
        ([], "Whether view, scanner or source explain it was not looked at.", False),
        ([("view", "no sign")], "No sign that view explains it.", False),
        (
            [("view", "no sign"), ("sex", "no sign"), ("age", "no sign")],
            "No sign that view, sex or age explains it.",
            False,
        ),
        (
            [("sex", "no sign"), ("source", "explains it"), ("view", "explains part")],
            BOTH,
            True,
        ),
        ([("set", "cannot be told")], "Whether set explains it cannot be told.", False),
    ],
)
def test_the_doubt(told: list[tuple[str, Explained]], says: str, doubtful: bool) -> None:
    found = verdict(judgement(GOOD, *(confounder(*one) for one in told)), TASK)
    assert found.doubt == says
    assert found.doubtful is doubtful


def test_nothing_is_explained_where_there_is_no_skill() -> None:
    figure = replace(GOOD, lift_low=-0.1, lift_high=0.1)
    found = verdict(judgement(figure, confounder("view", "nothing to explain")), TASK)
    assert found.doubt == "So there is no skill that another cause could explain."
    assert not found.doubtful


@pytest.mark.parametrize(
    ("tied", "says", "doubtful"),
    [
        (0, "", False),
        (1, " For .040 of the queries the second answer is as near as the first: ", False),
        (5, " For .200 of the queries the second answer is as near as the first: ", True),
    ],
)
def test_ties_at_the_top_are_told(tied: int, says: str, doubtful: bool) -> None:
    alike = np.tile([0.9, 0.8], (25, 1))
    alike[:tied, 1] = 0.9
    run = Run(np.arange(25), np.tile([1, 2], (25, 1)), alike)
    found = verdict(replace(judgement(GOOD, confounder("view", "no sign")), run=run), TASK)
    order = "there the lot decides." if says else ""
    assert found.doubt == f"No sign that view explains it.{says}{order}"
    assert found.doubtful is doubtful
