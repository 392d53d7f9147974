"""The loss of ATH against loops in plain Python."""

import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from encoders.training.ath_loss import agreement, ath, triplet
from encoders.training.fault import TrainingError
from encoders.training.losses import bce, loss_of

BITS, LABELS = 4, 3


def share(targets: Tensor, known: Tensor, one: int, other: int) -> Fraction | None:
    labels = [at for at in range(LABELS) if known[one, at] and known[other, at]]
    if not labels:
        return None
    return Fraction(sum(bool(targets[one, at] == targets[other, at]) for at in labels), len(labels))


def looped(codes: Tensor, targets: Tensor, known: Tensor, margin: float, mean: bool) -> float:
    costs = []
    for anchor in range(len(codes)):
        shares = {
            other: found
            for other in range(len(codes))
            if other != anchor and (found := share(targets, known, anchor, other)) is not None
        }
        # the first of the batch where several are as alike
        positive = max(shares, key=lambda other: (shares[other], -other), default=anchor)
        negative = min(shares, key=lambda other: (shares[other], other), default=anchor)
        if shares and shares[positive] > shares[negative]:
            near, far = (
                sum((a - b) ** 2 for a, b in zip(codes[anchor], codes[other], strict=True))
                for other in (positive, negative)
            )
            scale = codes.shape[1] if mean else 1
            costs.append(max(0.0, margin * codes.shape[1] + (near - far).item() / scale))
    return sum(costs) / len(costs) if costs else 0.0


def batch(seed: int, images: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    codes, targets = torch.randn(images, BITS).double(), (torch.rand(images, LABELS) > 0.5).float()
    known = torch.rand(images, LABELS) > 0.3
    return codes, targets * known, known


@pytest.mark.parametrize("all_known", [True, False])
@pytest.mark.parametrize("mean", [True, False])
@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
def test_triplets_equal_loops(margin: float, mean: bool, all_known: bool) -> None:
    for seed in range(10):
        codes, targets, known = batch(seed)
        known = known | all_known
        found = triplet(codes, targets, known, margin=margin, mean_over_bits=mean)
        assert found.item() == pytest.approx(looped(codes, targets, known, margin, mean))


def test_triplets_by_hand() -> None:
    codes = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, -1], [-1, -1, 1, 1]])
    targets = torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    known = torch.ones_like(targets, dtype=torch.bool)
    # margin 2. Image 0: positive 1, negative 2: 2 + 4 - 8 < 0. Image 1: positive 0, negative 2:
    # 2 + 4 - 12 < 0. Image 2 is unlike both alike: no triplet.
    assert triplet(codes, targets, known).item() == 0
    # margin 6: 6 + 4 - 8 and 6 + 4 - 12
    assert triplet(codes, targets, known, margin=1.5).item() == (2 + 0) / 2
    # the mean over bits: 2 + (4 - 8) / 4 and 2 + (4 - 12) / 4
    assert triplet(codes, targets, known, mean_over_bits=True).item() == (1 + 0) / 2


def test_the_published_mean_over_bits_cannot_be_reached_by_bounded_codes() -> None:
    targets = torch.tensor([[1.0], [1.0], [0.0]])
    known = torch.ones_like(targets, dtype=torch.bool)
    codes = torch.cat([torch.ones(2, 32), -torch.ones(1, 32)])  # as good as can be
    assert triplet(codes, targets, known).item() == 0
    assert triplet(codes, targets, known, mean_over_bits=True).item() == 16 - 4


def test_agreement_is_the_share_of_equal_labels() -> None:
    targets = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 0]])
    known = torch.tensor([[True, True, True], [True, True, False], [False, False, True]])
    expected = [[1, 1 / 2, 1], [1 / 2, 1, -1], [1, -1, 1]]
    torch.testing.assert_close(agreement(targets, known), torch.tensor(expected))


@pytest.mark.parametrize(
    ("targets", "known"),
    [
        ([[1.0, 0, 0]] * 4, True),
        ([[1.0, 0, 0], [0, 1, 1]], True),
        ([[1.0, 0, 0]], True),
        ([[1.0, 0, 0], [1, 1, 0], [0, 0, 0]], False),
    ],
    ids=["all alike", "two", "one", "nothing known"],
)
def test_a_batch_without_a_triplet_costs_nothing(targets: list[list[float]], known: bool) -> None:
    codes = torch.randn(len(targets), BITS, requires_grad=True)
    told = torch.tensor(targets)
    found = triplet(codes, told, torch.full_like(told, known, dtype=torch.bool))
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == 0
    assert codes.grad is not None
    assert (codes.grad == 0).all()


def test_equal_codes_cost_the_margin_and_have_a_finite_gradient() -> None:
    codes = torch.ones(5, BITS, requires_grad=True)
    found = triplet(codes, torch.eye(3)[[0, 0, 1, 1, 2]], torch.ones(5, 3, dtype=torch.bool))
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == 0.5 * BITS
    assert codes.grad is not None
    assert (codes.grad == 0).all()


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_the_loss_is_the_classifiers_and_the_triplets_in_sum(mean: float) -> None:
    codes, targets, known = batch(3)
    logits = torch.randn(len(codes), LABELS).double()
    loss = loss_of("ath", {"margin": 1.0, "mean_over_bits": mean}, targets, known, BITS)
    found = loss(torch.cat([logits, codes], dim=1), targets, known)
    entropy = 0.0
    for image, label in known.nonzero().tolist():
        likelihood = 1 / (1 + math.exp(-logits[image, label].item()))
        entropy -= math.log(likelihood if targets[image, label] else 1 - likelihood)
    expected = entropy / int(known.sum()) + looped(codes, targets, known, 1.0, bool(mean))
    assert found.item() == pytest.approx(expected)


def test_outputs_of_another_width_are_refused() -> None:
    _, targets, known = batch(0)
    with pytest.raises(TrainingError, match="8 outputs are not 3 labels and 4 bits"):
        ath(BITS, bce)(torch.zeros(7, 8), targets, known)
