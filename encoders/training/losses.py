"""The losses of the papers, as functions of what a network says and what is so.

Outputs are logits unless a loss says otherwise; ``known`` is False where a target says nothing:
such entries neither teach nor count.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from encoders.training.ath_loss import MARGIN, ath
from encoders.training.distilled_loss import Shares, distilled
from encoders.training.fault import TrainingError
from encoders.training.known_mean import mean_of_known

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From outputs, targets and known, each (images, outputs), to one number."""

X_MIR_MARGIN = 0.2
"""Of the triplet loss in X-MIR."""
_OPTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "batch-all triplet": frozenset({"margin"}),
        "ath": frozenset({"margin", "mean_over_bits"}),
        "distilled": frozenset(field.name for field in fields(Shares)),
    }
)
"""The numbers that a loss may be told; others have none."""


def bce(outputs: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over what is known."""
    each = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return mean_of_known(each, known)


def weighted_bce(positive: Tensor, negative: Tensor) -> Loss:
    """Paper 5, eq. 1: positives weigh ``positive``, negatives ``negative``, label by label.

    The equation sums over an image's labels; here it is the mean over all labels that are known,
    so that images with a few of them weigh as their labels do. Where all are known that is the
    same but for a factor.

    Args:
        positive: w+ = n- / N of each label, shape (outputs,).
        negative: w- = n+ / N.
    """

    def loss(outputs: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        each = -(
            positive.to(outputs) * targets * functional.logsigmoid(outputs)
            + negative.to(outputs) * (1 - targets) * functional.logsigmoid(-outputs)
        )
        return mean_of_known(each, known)

    return loss


def label_weights(targets: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Of each label n- / N and n+ / N, among what is known; shape (outputs,) each."""
    count = known.sum(0)
    rate = (targets * known).sum(0) / count.clamp(min=1)
    return torch.where(count > 0, 1 - rate, 0), torch.where(count > 0, rate, 0)


def inverse_weights(targets: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """N / (2 n+) and N / (2 n-): both classes of a label weigh the same in sum (paper 3).

    A class that no image has weighs nothing: what no image taught must not be judged by.
    """
    without, of_positives = label_weights(targets, known)
    return _half_inverse(of_positives), _half_inverse(without)


def _half_inverse(part: Tensor) -> Tensor:
    return torch.where(part > 0, 1 / (2 * part), 0)


def l1(outputs: Tensor, targets: Tensor, known: Tensor) -> Tensor:
    """The mean absolute difference of what is known."""
    return mean_of_known((outputs - targets).abs(), known)


def batch_all_triplet(margin: float) -> Loss:
    """Every anchor with each image of its class and each of another (Hermans et al. 2017, eq. 7).

    The cost of a triplet is max(0, to the one of its class - to the other + margin). Outputs are
    vectors, brought to unit length here; distances are Euclidean; the mean is over the triplets
    that still cost something, as in X-MIR; 0 where none does. Classes are the targets' greatest
    entry.

    Memory grows with the square of the images, not with the triplets: for each anchor those of
    other classes are sorted, and a running sum tells the costs of all that are too near.
    """

    def loss(outputs: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        classes = targets.argmax(1)[known.all(1)]
        apart = distances(functional.normalize(outputs[known.all(1)], dim=1))
        same = classes[:, None] == classes
        positive = same & ~torch.eye(len(classes), dtype=torch.bool, device=same.device)
        others = apart.masked_fill(same, torch.inf).sort(1).values
        sums = functional.pad(others.masked_fill(others == torch.inf, 0).cumsum(1), (1, 0))
        reach = apart + margin
        too_near = torch.searchsorted(others.detach(), reach.detach())
        costs = (too_near * reach - sums.gather(1, too_near)) * positive
        return costs.sum() / (too_near * positive).sum().clamp(min=1)

    return loss


def distances(vectors: Tensor) -> Tensor:
    """Euclidean, of each to each, shape (n, n); 0 has a gradient of 0, not NaN."""
    return torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")


def loss_of(
    name: str,
    options: Mapping[str, float],
    targets: Tensor,
    known: Tensor,
    bits: int,
    numbers: int = 0,
) -> Loss:
    """The loss of a recipe.

    Args:
        name: as recipes name it.
        options: its numbers.
        targets: of all images that are trained on, for its weights.
        known: beside them.
        bits: of a code.
        numbers: how many of the last targets are numbers.

    Raises:
        TrainingError: there is no such loss, or it has no such number.
    """
    unknown = options.keys() - _OPTIONS.get(name, frozenset())
    if unknown:
        raise TrainingError(f"loss {name!r} has no option {', '.join(sorted(unknown))}")
    fixed: dict[str, Loss] = {"bce": bce, "l1": l1}
    if name in fixed:
        return fixed[name]
    if name == "balanced bce":
        return weighted_bce(*inverse_weights(targets, known))
    if name == "weighted bce":
        return weighted_bce(*label_weights(targets, known))
    if name == "batch-all triplet":
        return batch_all_triplet(options.get("margin", X_MIR_MARGIN))
    if name == "ath":
        margin, mean = options.get("margin", MARGIN), bool(options.get("mean_over_bits", 0))
        return ath(bits, bce, margin=margin, mean_over_bits=mean)
    if name == "distilled":
        return distilled(targets, known, numbers, Shares(**options))
    raise TrainingError(f"there is no loss {name!r}")
