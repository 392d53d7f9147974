"""Which regions are related, by the findings that they share (AnaXNet, Agu et al., MICCAI 2021)."""

import numpy as np
from numpy.typing import NDArray

from encoders.regions.crops import RegionError

THRESHOLD = 0.5

Adjacency = NDArray[np.int64]
"""1 where two regions are neighbours, 0 elsewhere; shape (regions, regions), ones on the diagonal,
symmetric."""
Scores = NDArray[np.float64]


def adjacency(
    findings: NDArray[np.bool_], threshold: float = THRESHOLD, *, absent_too: bool = False
) -> Adjacency:
    """The regions whose findings agree by more than a threshold.

    Args:
        findings: what was seen where, shape (images, regions, findings). Whoever has images in
            which nothing is said of a finding passes them as False, as AnaXNet does.
        threshold: below the score of two neighbours.
        absent_too: as `similarity` has it.

    Raises:
        RegionError: as `similarity`.
    """
    found = (similarity(findings, absent_too=absent_too) > threshold).astype(np.int64)
    np.fill_diagonal(found, 1)
    return found


def similarity(findings: NDArray[np.bool_], *, absent_too: bool = False) -> Scores:
    """The mean over findings of the Jaccard score of each two regions, in [0, 1].

    The score of a finding is the number of images with it in both regions, divided by the number
    of those with it in either; 0 where it was never seen in either.

    Args:
        findings: what was seen where, shape (images, regions, findings).
        absent_too: take the mean of this score and the same one of the finding's absence, among
            the images with any finding in either region. The paper's formula has no such thing,
            but its code does it (scikit-learn's "macro" average), and the published matrix of
            AnaXNet and CheXtriev's V1 comes of it.

    Returns:
        Shape (regions, regions), symmetric.

    Raises:
        RegionError: the array has another shape, or no images or no findings.
    """
    if findings.ndim != 3 or not findings.size:
        raise RegionError(
            f"findings have shape (images, regions, findings), at least one each; "
            f"these have {findings.shape}"
        )
    anything = np.asarray(findings.any(axis=2), np.float64)
    either_any = _either(anything)[1]
    scores = [
        _score(findings[:, :, at].astype(np.float64), either_any, absent_too)
        for at in range(findings.shape[2])
    ]
    return np.asarray(np.mean(scores, axis=0))


def _score(seen: Scores, either_any: Scores, absent_too: bool) -> Scores:
    """Of one finding, shape (regions, regions)."""
    both, either = _either(seen)
    present = _ratio(both, either)
    if not absent_too:
        return present
    # of the images that count, those without the finding in both, and in at least one, region
    neither, lacking = either_any - either, either_any - both
    classes = (either > 0).astype(np.float64) + (lacking > 0)
    return _ratio(present + _ratio(neither, lacking), classes)


def _either(seen: Scores) -> tuple[Scores, Scores]:
    """How many images have it in both, and in at least one, of each two regions."""
    both = seen.T @ seen
    count = seen.sum(axis=0)
    return both, count[:, None] + count[None, :] - both


def _ratio(part: Scores, whole: Scores) -> Scores:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
