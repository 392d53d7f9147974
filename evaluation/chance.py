"""What an order drawn by lot would score, exactly.

Of n images that may answer R are relevant, and k are drawn without putting back. Ranks are
exchangeable, so given s hits every pattern of them is as likely as every other; s is
hypergeometric. Each expectation below is a closed form in that, tested against counting all
patterns. ``pmf`` is the probability of s = 0 ... k, shape (queries, k + 1).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import hypergeom

Values = NDArray[np.float64]


def expected(of: Callable[[Values], Values], eligible: Values, relevant: Values, k: int) -> Values:
    """Of a function below, each query's own; where fewer than k may answer, all of them do."""
    pairs, which = np.unique(np.stack([eligible, relevant]), axis=1, return_inverse=True)
    values = np.zeros(pairs.shape[1])
    for drawn in np.unique(np.minimum(pairs[0], k)):
        here = np.minimum(pairs[0], k) == drawn
        if drawn:
            n, hits = pairs[:, here, None]
            pmf = hypergeom.pmf(np.arange(drawn + 1)[None], n, hits, drawn)
            values[here] = of(np.asarray(pmf, np.float64))
    return values[which.reshape(-1)]


def ap_hits(pmf: Values) -> Values:
    """Of AP as the mean over hits."""
    return pmf @ _per_hits(_precision_sum(pmf.shape[1] - 1), divide=True)


def ap_sum(pmf: Values) -> Values:
    """Of the sum of the precisions at hits, which other forms of AP divide by k or by R."""
    return pmf @ _per_hits(_precision_sum(pmf.shape[1] - 1), divide=False)


def reciprocal_rank(pmf: Values) -> Values:
    """Of 1 / the rank of the first hit."""
    k = pmf.shape[1] - 1
    s = np.arange(1, k + 1)[:, None]
    rank = np.arange(1, k + 1)[None]
    # the first hit is at this rank: the other s - 1 lie behind it
    log = _log_choose(k - rank, s - 1) - _log_choose(k, s)
    mean = np.where(k - rank >= s - 1, np.exp(log) / rank, 0).sum(axis=1)
    return np.asarray(pmf[:, 1:] @ mean)


def any_hit(pmf: Values) -> Values:
    """Of having at least one hit."""
    return 1 - pmf[:, 0]


def ap_trapezoid(eligible: Values, relevant: Values, divisor: Values) -> Values:
    """Of the area under precision and recall over the whole ranking, by trapezoids.

    At a hit of rank r the trapezoid is half of (h - 1) / (r - 1) + h / r (the first term 1 where
    r is 1); h, the hits so far, is on average 1 + (r - 1)(R - 1) / (n - 1) where r is a hit.
    """
    result = np.zeros(len(eligible))
    pairs, which = np.unique(np.stack([eligible, relevant]), axis=1, return_inverse=True)
    for at, (n, hits) in enumerate(pairs.T):
        if hits:
            rank = np.arange(1, n + 1)
            before = (rank - 1) * (hits - 1) / max(n - 1, 1)
            precision = np.where(rank == 1, 1.0, before / np.maximum(rank - 1, 1))
            total = (hits / n) * ((precision + (1 + before) / rank) / 2).sum()
            result[which.reshape(-1) == at] = total
    return result / divisor


def _precision_sum(k: int) -> Values:
    """The sum of the precisions at hits given s = 0 ... k hits, on average."""
    s = np.arange(k + 1)[:, None]
    rank = np.arange(1, k + 1)[None]
    others = (rank - 1) * (s - 1) / max(k - 1, 1)
    return np.asarray((s / k * (1 + others) / rank).sum(axis=1))


def _per_hits(sums: Values, *, divide: bool) -> Values:
    s = np.arange(len(sums))
    return np.where(s > 0, sums / np.maximum(s, 1) if divide else sums, 0)


def _log_choose(n: NDArray[np.int64] | int, s: NDArray[np.int64]) -> Values:
    short = np.maximum(n - s, 0)
    return np.asarray(gammaln(np.add(n, 1)) - gammaln(s + 1) - gammaln(short + 1))
