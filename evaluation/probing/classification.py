"""How well probabilities tell labels: measures of classification, with chance and interval.

The values are scikit-learn's. What is called ``micro`` pools the decisions of all classes;
``class_mean`` is the mean over classes. A class that has no positive image in training or test is
left out of that mean, and named.

Intervals are 1.96 deviations of draws of the test's patients to either side; what was learned is
held for given. The draws' own percentiles would not do: a rare class's few positives are drawn
twice or not at all, which raises AUPRC. Of made data (200 images, classes of 2 to 30 %) percentiles
held the true class mean in 78 % of trials, deviations in 93 %.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from evaluation.collection import Codes, CollectionError, codes_of
from evaluation.evaluating import Row
from evaluation.figures import DRAWS, Figure
from evaluation.probing.decisions import MEASURES, Decisions, Weights, drawn, patient_weights
from evaluation.probing.targets import Targets
from evaluation.relevance import Values

SAYS: Mapping[str, str] = {
    "auprc": "area under precision and recall as a sum over thresholds (average precision)",
    "roc_auc": "area under the receiver operating characteristic",
    "f1": "2 x true positives / (told positive + truly positive)",
    "precision": "true positives / told positive, 0 where none is told",
    "recall": "true positives / truly positive",
    "accuracy": "right decisions / decisions; of one class each, the share of images told rightly",
}
"""The definition of each measure."""
CHANCE: Mapping[str, str] = {
    "auprc": "of who scores by the training's prevalence: of one class, its prevalence in the test",
    "roc_auc": "of who scores by the training's prevalence: of one class, one half",
    **dict.fromkeys(
        ("f1", "precision", "recall", "accuracy"),
        "of a guess that says yes as often as it is true in training, from expected counts",
    ),
}
"""What is called chance for each measure."""
EMPTY = "no value where no image is positive"
"""What any of them is then."""
DEVIATIONS = 1.96
"""To either side, of an interval of 95 %."""
_OF_SCORES: Mapping[str, Callable[..., float]] = {
    "auprc": average_precision_score,
    "roc_auc": roc_auc_score,
}
_OF_DECISIONS: Mapping[str, Callable[..., float]] = {
    "f1": f1_score,
    "precision": precision_score,
    "recall": recall_score,
}
_Found = tuple[float, Values]
"""A value, and values and chances in draws, shape (2, 1 + draws); the first draw is no draw."""


@dataclass(frozen=True)
class Told:
    """What a probe says of test images.

    Attributes:
        targets: what is true of them, a row for each.
        probabilities: shape (images, names).
        patients: each image's patient's number.
        by_lot: how often each name is positive in training, shape (names,).
    """

    targets: Targets
    probabilities: Values
    patients: Codes
    by_lot: Values


@dataclass(frozen=True)
class Classified:
    """The figures of a probe; in each, ``queries`` are the images that are judged.

    Attributes:
        rows: micro and class means, then each class's.
        left_out: classes that do not enter the class means, with the reason.
    """

    rows: tuple[Row, ...]
    left_out: tuple[tuple[str, str], ...]


def classified(part: str, told: Told, *, seed: int = 0, draws: int = DRAWS) -> Classified:
    """All measures, of all decisions, over classes and of each class.

    Args:
        part: what is told, for the rows.
        told: by the probe.
        seed: of the intervals.
        draws: of patients.

    Raises:
        CollectionError: no class has a positive image in both training and test.
    """
    names = told.targets.names
    columns = {name: _column(told, slice(at, at + 1)) for at, name in enumerate(names)}
    left_out = tuple(_left_out(told, list(columns.values())))
    kept = {name: one for name, one in columns.items() if name not in dict(left_out)}
    if not kept:
        raise CollectionError(f"{part}: no class has a positive image in both training and test")
    weights = patient_weights(len(np.unique(told.patients)), seed, draws)
    one_each = told.targets.one_each
    whole = _column(told, slice(None))
    of_each = {name: _found(one, weights, one_each=one_each) for name, one in kept.items()}
    figures = _Figures(told)
    rows = [
        Row(part, "", figures.figure(name, "micro", found))
        for name, found in _found(whole, weights, one_each=one_each).items()
    ]
    rows += [
        Row(part, "", figures.figure(name, "class_mean", _mean(some)))
        for name in MEASURES
        if (some := [found[name] for found in of_each.values() if name in found])
    ]
    rows += [
        Row(part, group, figures.figure(name, "micro", found, len(kept[group].true)))
        for group, by_measure in of_each.items()
        for name, found in by_measure.items()
    ]
    return Classified(tuple(rows), left_out)


def _left_out(told: Told, columns: Sequence[Decisions]) -> Iterator[tuple[str, str]]:
    for name, column, share in zip(told.targets.names, columns, told.by_lot, strict=True):
        if not column.true.any():
            yield name, "no positive image in the test"
        elif not share > 0:
            yield name, "no positive image in training"


def _column(told: Told, some: slice) -> Decisions:
    """The decisions on some of the names."""
    known = told.targets.known[:, some]
    said = told.targets.decided(told.probabilities)[:, some]
    by_lot = np.broadcast_to(told.by_lot[some], known.shape)
    patients = np.broadcast_to(codes_of(told.patients)[:, None], known.shape)
    return Decisions(
        told.targets.positive[:, some][known],
        told.probabilities[:, some][known],
        said[known],
        by_lot[known],
        patients[known],
    )


def _found(column: Decisions, weights: Weights, *, one_each: bool) -> dict[str, _Found]:
    in_draws = drawn(column, weights)

    def of(name: str) -> str:
        # of one class each, the share of images told rightly is the recall
        return "recall" if name == "accuracy" and one_each else name

    return {name: (_value(of(name), column), in_draws[of(name)]) for name in column.measures}


def _value(name: str, column: Decisions) -> float:
    if name in _OF_SCORES:
        return float(_OF_SCORES[name](column.true, column.scores))
    if name in _OF_DECISIONS:
        return float(_OF_DECISIONS[name](column.true, column.said, zero_division=0.0))
    return float(accuracy_score(column.true, column.said))


def _mean(found: Sequence[_Found]) -> _Found:
    """The mean over classes; in a draw, over those that have a value in it."""
    in_draws = np.stack([values for _, values in found])
    here = ~np.isnan(in_draws)
    count = here.sum(axis=0)
    means = np.where(here, in_draws, 0).sum(axis=0) / np.maximum(count, 1)
    return float(np.mean([value for value, _ in found])), np.where(count > 0, means, np.nan)


@dataclass(frozen=True)
class _Figures:
    """Makes figures of values and draws."""

    told: Told

    def figure(self, name: str, mean: str, found: _Found, images: int | None = None) -> Figure:
        """One figure; ``images`` are judged, or all of which something is known."""
        value, in_draws = found
        count = int(self.told.targets.takes_part.sum()) if images is None else images
        chance = float(in_draws[1, 0])
        low, high = _interval(value, in_draws[0, 1:])
        lift = value - chance
        lift_low, lift_high = _interval(lift, in_draws[0, 1:] - in_draws[1, 1:], least=-1.0)
        return Figure(
            measure=name,
            mean=mean,
            value=value,
            low=low,
            high=high,
            chance=chance,
            lift_low=lift_low,
            lift_high=lift_high,
            queries=count,
            undefined=len(self.told.probabilities) - count,
            patients=len(np.unique(self.told.patients)),
        )


def _interval(value: float, in_draws: Values, least: float = 0.0) -> tuple[float, float]:
    """Around a value that lies between ``least`` and 1."""
    here = in_draws[~np.isnan(in_draws)]
    if not len(here):
        return float("nan"), float("nan")
    aside = DEVIATIONS * float(here.std())
    return max(least, value - aside), min(1.0, value + aside)
