"""The loss of labels, a teacher and likeness, against sums written out."""

import math

import pytest
import torch

from encoders.training.distilled_loss import Shares, contrast, distilled, overlap
from encoders.training.fault import TrainingError
from encoders.training.losses import loss_of

TARGETS = torch.tensor([[1.0, 0, 0.5], [0, 1, -1.5], [0, 0, 0], [0, 0, 2]])
KNOWN = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 0, 0], [1, 1, 1]], dtype=torch.bool)
OUTPUTS = torch.tensor(
    [
        [0.3, -0.2, 0.1, 1, 0],
        [-1.0, 0.5, -1, 1, 1],
        [2, 1, 9, 0, 1],
        [0, 0, 0, -1, 0],
    ]
)
"""Logits of two labels and of a number, then a vector of two."""


def test_labels_and_teacher_by_hand() -> None:
    # label 0 is known of four, one positive: root of 3; label 1 of three, one positive: root of 2
    weight = [math.sqrt(3), math.sqrt(2)]

    def cost(logit: float, target: float, heavy: float) -> float:
        told = 1 / (1 + math.exp(-logit))
        return -(heavy * target * math.log(told) + (1 - target) * math.log(1 - told))

    costs, apart = [], []
    for row in range(4):
        for label in range(2):
            if KNOWN[row, label]:
                logit, target = float(OUTPUTS[row, label]), float(TARGETS[row, label])
                costs.append(cost(logit, target, weight[label]))
        if KNOWN[row, 2]:
            apart.append((float(OUTPUTS[row, 2]) - float(TARGETS[row, 2])) ** 2)
    expected = 3 * sum(costs) / len(costs) + 2 * sum(apart) / len(apart)
    loss = distilled(TARGETS, KNOWN, 1, Shares(labels=3, teacher=2))
    assert float(loss(OUTPUTS, TARGETS, KNOWN)) == pytest.approx(expected, rel=1e-5)


def test_a_positive_weighs_no_more_than_the_root_of_8() -> None:
    targets = torch.zeros(100, 1)
    targets[0] = 1
    known = torch.ones(100, 1, dtype=torch.bool)
    loss = distilled(targets, known, 0, Shares())
    one = loss(torch.zeros(1, 1), torch.ones(1, 1), known[:1])
    assert float(one) == pytest.approx(math.sqrt(8) * math.log(2), rel=1e-6)


def test_contrast_by_loops() -> None:
    vectors = torch.tensor([[1.0, 0], [1, 1], [0, 2], [-1, 0]])
    alike = torch.tensor([[1, 0.5, 0, 0], [0.5, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1.0]])
    temperature = 0.5
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    costs = []
    for anchor in range(4):
        others = [at for at in range(4) if at != anchor]
        scores = {at: math.exp(float(unit[anchor] @ unit[at]) / temperature) for at in others}
        weights = {at: float(alike[anchor, at]) for at in others}
        if sum(weights.values()):
            shares = {at: math.log(scores[at] / sum(scores.values())) for at in others}
            told = sum(weights[at] * shares[at] for at in others)
            costs.append(-told / sum(weights.values()))
    assert len(costs) == 3  # the last shares nothing with anybody
    expected = sum(costs) / len(costs)
    assert float(contrast(vectors, alike, temperature)) == pytest.approx(expected, rel=1e-5)


def test_contrast_of_images_that_share_nothing_is_0_and_has_a_gradient_of_0() -> None:
    vectors = torch.rand(3, 4, requires_grad=True)
    found = contrast(vectors, torch.eye(3), 0.1)
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == 0
    assert vectors.grad is not None
    assert not vectors.grad.any()


def test_gradients_are_finite_where_vectors_are_equal() -> None:
    vectors = torch.ones(4, 3, requires_grad=True)
    contrast(vectors, torch.ones(4, 4), 0.1).backward()  # type: ignore[no-untyped-call]
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_overlap_by_hand() -> None:
    positive = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 0, 0], [0, 0, 0]])
    expected = torch.tensor([[1, 1 / 3, 0, 0], [1 / 3, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    assert torch.allclose(overlap(positive), expected)


def test_the_vector_takes_part_in_the_contrast_alone() -> None:
    shares = Shares(contrast=0.5, judged=2)
    loss = distilled(TARGETS, KNOWN, 1, shares)
    plain = distilled(TARGETS, KNOWN, 1, Shares())
    alike = overlap(TARGETS[:, :2] * KNOWN[:, :2])
    expected = plain(OUTPUTS, TARGETS, KNOWN) + 0.5 * contrast(OUTPUTS[:, 3:], alike, 0.1)
    assert torch.allclose(loss(OUTPUTS, TARGETS, KNOWN), expected)


def test_it_is_named_in_recipes() -> None:
    loss = loss_of("distilled", {"labels": 3, "teacher": 2}, TARGETS, KNOWN, 2, numbers=1)
    expected = distilled(TARGETS, KNOWN, 1, Shares(labels=3, teacher=2))
    assert torch.equal(loss(OUTPUTS, TARGETS, KNOWN), expected(OUTPUTS, TARGETS, KNOWN))
    with pytest.raises(TrainingError, match="no option heat"):
        loss_of("distilled", {"heat": 1}, TARGETS, KNOWN, 2)
