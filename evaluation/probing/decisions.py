"""Decisions that are judged together, and their measures in many draws of patients at once.

A draw only changes how often each patient counts. So what measures need is counted for each
patient once (at each threshold, for the areas), and a product with the draws' weights gives every
draw. scikit-learn's measures with sample weights are the definition; a test compares them.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from evaluation.collection import Codes
from evaluation.probing.targets import Yes
from evaluation.relevance import Values

MEASURES = ("auprc", "roc_auc", "f1", "precision", "recall", "accuracy")
MOST_CELLS = 4_000_000
"""Of thresholds by draws, held at once."""
Draws = dict[str, Values]
"""By measure: values and their chances in draws, shape (2, draws); NaN where there is none."""
Weights = NDArray[np.uint16]


@dataclass(frozen=True)
class Decisions:
    """Decisions that are judged together: of one class, or of all.

    Attributes:
        true: whether yes is right, shape (decisions,).
        scores: how probable yes was said to be.
        said: whether yes was said.
        by_lot: how probably a guess by the training's prevalence says yes; the score of who knows
            nothing else.
        patients: whose image it is, from 0.
    """

    true: Yes
    scores: Values
    said: Yes
    by_lot: Values
    patients: Codes

    @property
    def measures(self) -> list[str]:
        """Those that have a value: without a positive there is none, nor a ROC without others."""
        if not self.true.any():
            return []
        return [name for name in MEASURES if name != "roc_auc" or not self.true.all()]


def patient_weights(patients: int, seed: int, draws: int) -> Weights:
    """How often each patient counts, shape (1 + draws, patients); in the first row, once each."""
    random = np.random.default_rng(seed)
    rows = [np.ones(patients, np.uint16)]
    for _ in range(draws):
        picked = random.integers(0, patients, patients)
        rows.append(np.bincount(picked, minlength=patients).astype(np.uint16))
    return np.stack(rows)


def drawn(column: Decisions, weights: Weights) -> Draws:
    """Values and chances of all draws.

    Args:
        column: the decisions.
        weights: of patients, shape (draws, patients).
    """
    patients = weights.shape[1]
    curve = _Curve.of(column, patients)
    by_lot = _Curve.of(replace(column, scores=column.by_lot), patients)
    counts = _Counts.of(column, patients)
    size = max(1, MOST_CELLS // max(1, curve.told.shape[0]))
    parts = []
    for at in range(0, len(weights), size):
        some = weights[at : at + size].astype(np.float64)
        areas = zip(curve.areas(some), by_lot.areas(some), strict=True)
        auprc, roc = (np.stack(one) for one in areas)
        parts.append({"auprc": auprc, "roc_auc": roc, **counts.ratios(some)})
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in MEASURES}


@dataclass(frozen=True)
class _Curve:
    """How many decisions of each patient lie at each threshold, from the greatest.

    Attributes:
        told: all of them, shape (thresholds, patients).
        true: those whose yes is right.
    """

    told: csr_array
    true: csr_array

    @classmethod
    def of(cls, column: Decisions, patients: int) -> "_Curve":
        """The counts."""
        thresholds, at = np.unique(-column.scores, return_inverse=True)
        shape = (len(thresholds), patients)

        def counted(values: Values) -> csr_array:
            return csr_array((values, (at, column.patients)), shape=shape)

        return cls(counted(np.ones(len(at))), counted(column.true.astype(np.float64)))

    def areas(self, weights: Values) -> tuple[Values, Values]:
        """Under precision and recall, and under the ROC, of each draw."""
        told = np.cumsum(self.told @ weights.T, axis=0)
        true = np.cumsum(self.true @ weights.T, axis=0)
        positives, others = true[-1], told[-1] - true[-1]
        steps = np.diff(true, axis=0, prepend=0)
        # trapezoids: half of a threshold's positives lie before its others
        ahead = (true - steps / 2) * np.diff(told - true, axis=0, prepend=0)
        summed = (steps * true / np.maximum(told, 1)).sum(axis=0)
        return _ratio(summed, positives), _ratio(ahead.sum(axis=0), positives * others)


@dataclass(frozen=True)
class _Counts:
    """Decisions of each patient, shape (patients,).

    Attributes:
        every: all.
        positive: those whose yes is right.
        said: yes, by the probe and by lot.
        right: yes and right, by the probe and by lot.
    """

    every: Values
    positive: Values
    said: tuple[Values, Values]
    right: tuple[Values, Values]

    @classmethod
    def of(cls, column: Decisions, patients: int) -> "_Counts":
        """The counts."""

        def counted(values: Values) -> Values:
            return np.bincount(column.patients, values, minlength=patients).astype(np.float64)

        true, said = column.true.astype(np.float64), column.said.astype(np.float64)
        return cls(
            counted(np.ones(len(true))),
            counted(true),
            (counted(said), counted(column.by_lot)),
            (counted(true * said), counted(true * column.by_lot)),
        )

    def ratios(self, weights: Values) -> Draws:
        """The measures of decisions."""
        every, positive = weights @ self.every, weights @ self.positive
        said = np.stack([weights @ one for one in self.said])
        right = np.stack([weights @ one for one in self.right])
        found = {
            "f1": _ratio(2 * right, said + positive),
            "precision": np.where(said > 0, _ratio(right, said), 0.0),
            "recall": _ratio(right, positive),
            "accuracy": _ratio(every - positive - said + 2 * right, every),
        }
        return {name: np.where(positive > 0, values, np.nan) for name, values in found.items()}


def _ratio(part: Values, whole: Values) -> Values:
    """NaN where the whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
