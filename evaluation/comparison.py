"""Is one run better than another? Paired tests on the same queries, and Holm's correction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import ttest_rel

from evaluation.collection import Codes, codes_of
from evaluation.figures import INTERVAL, resampled
from evaluation.relevance import Values
from evaluation.scores import Scores

FLIPS = 10_000
LOT = 100


class ComparisonError(ValueError):
    """Two runs that cannot be compared; the message says why."""


@dataclass(frozen=True)
class Difference:
    """The first run's mean less the second's.

    Attributes:
        name: of the class, or of the whole.
        value: the difference.
        low: of its interval of 95 % over patients.
        high: of it.
        p: two-sided, by turning the signs of whole patients' parts in the difference, as askers
            and as answerers (Fisher's randomisation).
        p_t: of the paired t-test over queries, as papers print it; queries of one patient count
            as independent in it.
        p_holm: ``p`` by Holm's correction for all that were tested together.
        queries: that have a value in both runs.
        undefined: that have none in one of them.
    """

    name: str
    value: float
    low: float
    high: float
    p: float
    p_t: float
    p_holm: float
    queries: int
    undefined: int


def compared(first: Scores, second: Scores, *, seed: int = 0) -> list[Difference]:
    """The difference over all queries, then of each class where there are several.

    Raises:
        ComparisonError: the runs have other queries, classes or measures.
    """
    alike = (
        first.measure.id == second.measure.id
        and first.class_names == second.class_names
        and np.array_equal(first.queries, second.queries)
        and np.array_equal(first.classes, second.classes)
    )
    if not alike:
        raise ComparisonError("only runs of the same queries, classes and measure are compared")
    parts = [("all queries", first, second)]
    if len(first.class_names) > 1:
        parts += [
            (name, first.of_class(at), second.of_class(at))
            for at, name in enumerate(first.class_names)
        ]
    found = [_difference(name, a, b, seed) for name, a, b in parts]
    adjusted = holm([entry.p for entry in found])
    return [replace(entry, p_holm=p) for entry, p in zip(found, adjusted, strict=True)]


def holm(ps: Sequence[float]) -> list[float]:
    """P-values by Holm's step-down correction, in the same order; NaN stays and is not counted."""
    values = np.array(ps, np.float64)
    adjusted = np.full(len(values), np.nan)
    order = [at for at in np.argsort(values, kind="stable") if not np.isnan(values[at])]
    least = 0.0
    for place, at in enumerate(order):
        least = max(least, min(1.0, float(values[at]) * (len(order) - place)))
        adjusted[at] = least
    return [float(p) for p in adjusted]


def _difference(name: str, first: Scores, second: Scores, seed: int) -> Difference:
    both = first.defined & second.defined
    count = int(both.sum())
    undefined = len(both) - count
    nothing = float("nan")
    if not count:
        return Difference(name, *(nothing,) * 6, 0, undefined)
    ours, theirs = first.where(both), second.where(both)
    apart = ours.values - theirs.values
    drawn, others = resampled([ours, theirs], seed=seed)
    low, high = np.percentile(drawn[0] - others[0], INTERVAL)
    p_t = float(ttest_rel(ours.values, theirs.values).pvalue) if np.ptp(apart) > 0 else nothing
    patients = [ours.patients, ours.lent.patients, theirs.lent.patients]
    parts = [apart, ours.lent.amounts, -theirs.lent.amounts]
    p = randomised(np.concatenate(parts), np.concatenate(patients), float(apart.sum()), seed=seed)
    return Difference(
        name, float(apart.mean()), float(low), float(high), p, p_t, nothing, count, undefined
    )


def randomised(parts: Values, patients: Codes, total: float, *, seed: int = 0) -> float:
    """The two-sided p of a total whose sign is random within each patient together.

    Args:
        parts: of patients, as askers and as answerers.
        patients: whose each part is.
        total: the difference that is tested; patients' parts are moved alike so as to sum to it,
            for what a patient gives as an answerer is told against the others.
        seed: of the signs.
    """
    sums = np.bincount(codes_of(patients), parts)
    sums += total / len(sums) - sums.mean()
    random = np.random.default_rng(seed)
    as_far = 0
    for at in range(0, FLIPS, LOT):
        signs = random.integers(0, 2, (min(LOT, FLIPS - at), len(sums)), np.int8) * 2.0 - 1
        # rounding must not make equal sums unequal
        as_far += int((np.abs(signs @ sums) >= abs(total) - 1e-9).sum())
    return (as_far + 1) / (FLIPS + 1)
