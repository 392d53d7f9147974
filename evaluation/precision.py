"""Nearest-neighbour label precision: do the images found carry the label of the one that asked?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


def precision_at(
    vectors: FloatArray, labels: Sequence[str], groups: Sequence[str], k: int = 1
) -> float:
    """Return the mean share of the k nearest images that carry the asking image's label.

    Every image asks once, and the whole of its own group (patient) is left out of its answer. An
    image for which others than its group number less than k is divided by those there are.

    Args:
        vectors: shape (images, dimension), unit length: similarity is their inner product.
        labels: one label for each image.
        groups: one group for each image.
        k: how many neighbours count, at least 1.

    Returns:
        A share in [0, 1].

    Raises:
        ValueError: lengths differ, k < 1, a value is not finite, or there is one group only.
    """
    return float(hits_at(vectors, labels, groups, k).mean())


def hits_at(
    vectors: FloatArray, labels: Sequence[str], groups: Sequence[str], k: int = 1
) -> NDArray[np.float64]:
    """Return each image's own share, shape (images,); its mean is `precision_at`.

    Bootstrapping over patients needs the single shares. Raises as `precision_at` does.
    """
    _check(vectors, labels, groups, k)
    same_label, other_group = _pairs(labels, groups)
    similarity = np.where(other_group, vectors @ vectors.T, -np.inf)
    # a stable sort: of two that are equally similar the earlier one wins
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    counted = np.take_along_axis(other_group, nearest, axis=1)
    hits = np.take_along_axis(same_label, nearest, axis=1) & counted
    return np.asarray(hits.sum(axis=1) / counted.sum(axis=1), dtype=np.float64)


def chance_level(labels: Sequence[str], groups: Sequence[str]) -> float:
    """Return the expected `precision_at` (any k) of an order drawn by lot.

    Raises:
        ValueError: lengths differ, or there is one group only.
    """
    if len(labels) != len(groups):
        raise ValueError(f"{len(labels)} labels, but {len(groups)} groups")
    _check_groups(groups)
    same_label, other_group = _pairs(labels, groups)
    shares = (same_label & other_group).sum(axis=1) / other_group.sum(axis=1)
    return float(shares.mean())


def _pairs(
    labels: Sequence[str], groups: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return two (images, images) tables: same label, other group."""
    label, group = np.array(list(labels)), np.array(list(groups))
    return label[:, None] == label[None, :], group[:, None] != group[None, :]


def _check(vectors: FloatArray, labels: Sequence[str], groups: Sequence[str], k: int) -> None:
    if k < 1:
        raise ValueError(f"k is {k}, it must be at least 1")
    if vectors.ndim != 2:
        raise ValueError(f"vectors have shape (images, dimension), these have {vectors.shape}")
    if not len(vectors) == len(labels) == len(groups):
        counts = f"{len(vectors)} vectors, {len(labels)} labels, {len(groups)} groups"
        raise ValueError(f"as many labels and groups as vectors are needed, got {counts}")
    if not np.isfinite(vectors).all():
        raise ValueError("a vector holds NaN or infinite values")
    _check_groups(groups)


def _check_groups(groups: Sequence[str]) -> None:
    if len(set(groups)) < 2:
        raise ValueError("at least two groups are needed: an image's own group is left out")
