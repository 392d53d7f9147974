"""The loss of the default encoder: labels, a teacher's log odds, and who is like whom."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from encoders.training.known_mean import mean_of_known

HEAVIEST = 8.0
"""Negatives for each positive, at most, whose root a positive weighs."""


@dataclass(frozen=True)
class Shares:
    """How much each part counts.

    Attributes:
        labels: cross-entropy of what is there or not.
        teacher: squared difference of what is a number.
        contrast: of vectors: those that share labels near, others far; 0 for none.
        temperature: of the contrast, by which cosines are divided.
        judged: how many of the first targets say who is like whom; 0 for all that are no numbers.
    """

    labels: float = 1.0
    teacher: float = 1.0
    contrast: float = 0.0
    temperature: float = 0.1
    judged: float = 0.0


def distilled(
    targets: Tensor, known: Tensor, numbers: int, shares: Shares
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The loss of outputs that are one for each target, and then the vector.

    Positives weigh the root of how many negatives there are for each (at most 8): between no
    weight, under which rare findings are not learned, and full weight, under which nothing else is.

    Args:
        targets: of all images that are trained on, shape (images, targets).
        known: beside them.
        numbers: how many of the last targets are numbers.
        shares: of the parts.
    """
    count = targets.shape[1] - numbers
    weight = _positive_weight(targets[:, :count], known[:, :count])
    judged = int(shares.judged) or count

    def loss(outputs: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        width = targets.shape[1]
        each = functional.binary_cross_entropy_with_logits(
            outputs[:, :count],
            targets[:, :count],
            reduction="none",
            pos_weight=weight.to(outputs.device),
        )
        apart = (outputs[:, count:width] - targets[:, count:]).square()
        whole = shares.labels * mean_of_known(each, known[:, :count])
        whole = whole + shares.teacher * mean_of_known(apart, known[:, count:])
        if not shares.contrast:
            return whole
        alike = overlap(targets[:, :judged] * known[:, :judged])
        return whole + shares.contrast * contrast(outputs[:, width:], alike, shares.temperature)

    return loss


def contrast(vectors: Tensor, alike: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between how alike images are and the softmax of their vectors' cosines.

    After Khosla et al. 2020 (supervised contrastive learning), for images that are more or less
    alike: an anchor's positives weigh what they share with it. Anchors that share nothing with
    anybody do not count.

    Args:
        vectors: of whatever length, shape (images, dimension).
        alike: in [0, 1], shape (images, images); the diagonal is passed over.
        temperature: that cosines are divided by.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    unit = functional.normalize(vectors, dim=1)
    shares = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf).log_softmax(dim=1)
    weights = alike.masked_fill(itself, 0)
    sums = weights.sum(dim=1)
    each = -(weights * shares.masked_fill(itself, 0)).sum(dim=1) / sums.clamp(min=1e-12)
    return (each * (sums > 0)).sum() / (sums > 0).sum().clamp(min=1)


def overlap(positive: Tensor) -> Tensor:
    """The share of labels in common (Jaccard) of each two images; 1 where neither has any.

    Args:
        positive: 1 and 0, shape (images, labels).

    Returns:
        Shape (images, images).
    """
    both = positive @ positive.T
    counts = positive.sum(dim=1)
    either = counts[:, None] + counts[None, :] - both
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def _positive_weight(targets: Tensor, known: Tensor) -> Tensor:
    positive = (targets * known).sum(dim=0)
    negative = known.sum(dim=0) - positive
    return (negative / positive.clamp(min=1)).clamp(1, HEAVIEST).sqrt()
