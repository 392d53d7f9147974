"""The figures of validation images by which an epoch is chosen."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from encoders.training.examples import Known, Targets

Outputs = NDArray[np.float32]
Judge = Callable[[Outputs, Targets, Known], float]
"""From what a network says of images, the targets and what is known; NaN where nobody can tell."""

RISING: Mapping[str, bool] = {"loss": False, "auc": True, "f1": True, "mae": False, "p@1": True}
"""Whether more is better."""

_BLOCK = 1024
"""Images whose similarities to all others are in memory at one time."""


def auc(outputs: Outputs, targets: Targets, known: Known) -> float:
    """Area under the ROC curve, the mean over labels that have both positives and negatives."""
    return _of_labels(roc_auc_score, outputs, targets, known)


def f1(outputs: Outputs, targets: Targets, known: Known) -> float:
    """F1 where a logit above 0 says yes, the mean over labels that have both."""
    return _of_labels(
        lambda said, told: f1_score(said, told > 0, zero_division=0.0), outputs, targets, known
    )


def mae(outputs: Outputs, targets: Targets, known: Known) -> float:
    """The mean absolute difference of what is known."""
    return float(np.abs(outputs - targets)[known].mean()) if known.any() else float("nan")


def first_hits(outputs: Outputs, targets: Targets, known: Known) -> float:
    """How often the nearest other image, by cosine, is of the same class.

    Outputs are vectors; the class is the targets' greatest entry.
    """
    there = known.all(axis=1)
    classes, vectors = targets[there].argmax(axis=1), outputs[there].astype(np.float64)
    if len(classes) < 2 or not np.isfinite(vectors).all():
        return float("nan")
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    hits = 0
    for first in range(0, len(vectors), _BLOCK):
        alike = vectors[first : first + _BLOCK] @ vectors.T
        own = np.arange(len(alike))
        alike[own, first + own] = -np.inf
        hits += int((classes[alike.argmax(axis=1)] == classes[first + own]).sum())
    return hits / len(vectors)


JUDGES: Mapping[str, Judge] = {"auc": auc, "f1": f1, "mae": mae, "p@1": first_hits}


def _of_labels(of: Callable[..., float], outputs: Outputs, targets: Targets, known: Known) -> float:
    if not np.isfinite(outputs).all():
        return float("nan")
    found = []
    for at in range(targets.shape[1]):
        there = known[:, at]
        said = targets[there, at] > 0.5
        if said.any() and not said.all():
            found.append(float(of(said, outputs[there, at])))
    return float(np.mean(found)) if found else float("nan")
