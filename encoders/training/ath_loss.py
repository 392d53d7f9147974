"""The loss of attention-based triplet hashing (ATH), paper 4's rival.

Fang et al. 2021, Deep Triplet Hashing Network for Case-based Medical Image Retrieval, Medical Image
Analysis 69:101981: a classifier's cross-entropy and a triplet loss of codes, summed. Triplets are
found within a batch, as CheXtriev's comparison with it does.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from encoders.training.fault import TrainingError

MARGIN = 0.5
"""Times the bits."""

_NEVER = 2.0
"""Beyond any share, in size."""


def ath(
    bits: int,
    classified: Callable[[Tensor, Tensor, Tensor], Tensor],
    *,
    margin: float = MARGIN,
    mean_over_bits: bool = False,
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The loss of outputs that are a classifier's logits, one of each label, and then the codes.

    Logits stand first, so that figures of labels can be told of the same outputs.

    Args:
        bits: of a code.
        classified: the loss of the logits, from them, targets and known.
        margin: of the triplets, times the bits.
        mean_over_bits: as ``triplet`` says.

    Raises:
        TrainingError: when called, outputs are not as wide as labels and bits together.
    """

    def loss(outputs: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        labels = targets.shape[1]
        if outputs.shape[1] != labels + bits:
            raise TrainingError(
                f"{outputs.shape[1]} outputs are not {labels} labels and {bits} bits; the ath loss "
                "goes with a hash net and its head"
            )
        logits, codes = outputs[:, :labels], outputs[:, labels:]
        apart = triplet(codes, targets, known, margin=margin, mean_over_bits=mean_over_bits)
        return classified(logits, targets, known) + apart

    return loss


def triplet(
    codes: Tensor,
    targets: Tensor,
    known: Tensor,
    *,
    margin: float = MARGIN,
    mean_over_bits: bool = False,
) -> Tensor:
    """max(0, margin * bits + to the most alike - to the least alike), the mean over the anchors.

    Distances are squared Euclidean: four times Hamming's between codes of -1 and 1. The published
    code takes the mean over the bits instead, with the same margin: codes in [-1, 1], which are at
    most 4 apart then, never reach that of 16 of 32 bits, and others reach it by growing, which no
    cosine sees. ``mean_over_bits`` asks for that.

    An anchor without two others that are not equally alike has no triplet, where the published
    code makes one of a constant cost; it does not count here.

    Args:
        codes: continuous, shape (images, bits).
        targets: shape (images, labels).
        known: beside them.
        margin: times the bits.
        mean_over_bits: whether distances are divided by the bits.

    Returns:
        One number; 0, with a gradient of 0, where no anchor has a triplet.
    """
    alike = agreement(targets, known)
    able = (alike >= 0) & ~torch.eye(len(alike), dtype=torch.bool, device=alike.device)
    most, positive = alike.masked_fill(~able, -_NEVER).max(1)
    least, negative = alike.masked_fill(~able, _NEVER).min(1)
    far = (codes - codes[negative]).square().sum(1)
    near = (codes - codes[positive]).square().sum(1)
    scale = codes.shape[1] if mean_over_bits else 1
    costs = functional.relu(margin * codes.shape[1] + (near - far) / scale)
    there = most > least  # never where nobody is able: -2 is not above 2
    return torch.where(there, costs, 0).sum() / there.sum().clamp(min=1)


def agreement(targets: Tensor, known: Tensor) -> Tensor:
    """The share of equal labels among those known of both, shape (images, images); -1 for none.

    Without unknown labels it orders as their number does, which the published code takes. Ties go
    to the first of the batch.
    """
    equal = torch.zeros(len(targets), len(targets), device=targets.device)
    both = torch.zeros_like(equal)
    for label, told in zip(targets.T, known.T, strict=True):  # not by a product: whole numbers
        pair = told[:, None] & told
        both += pair
        equal += pair & (label[:, None] == label)
    return torch.where(both > 0, equal / both.clamp(min=1), -1)
