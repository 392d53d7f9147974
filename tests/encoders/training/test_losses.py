"""Losses against closed forms and loops written from the papers' equations."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.training.fault import TrainingError
from encoders.training.losses import (
    Loss,
    batch_all_triplet,
    bce,
    distances,
    inverse_weights,
    l1,
    label_weights,
    loss_of,
    weighted_bce,
)

ALL = torch.ones(4, 2, dtype=torch.bool)
SAID = torch.tensor([[0.3, -2.0], [1.5, 0.0], [-0.7, 4.0], [30.0, -30.0]])
TOLD = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
SOME = torch.tensor([[True, False], [True, True], [False, True], [True, False]])


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def entropies(known: Tensor, positive: list[float], negative: list[float]) -> float:
    """Paper 5, eq. 1, summed by loops, and divided by how many targets are known."""
    total, count = 0.0, 0
    for image, label in np.ndindex(*SAID.shape):
        if known[image, label]:
            likelihood, target = sigmoid(SAID[image, label].item()), TOLD[image, label].item()
            part = positive[label] * math.log(likelihood) if target else 0
            total -= part if target else negative[label] * math.log(1 - likelihood)
            count += 1
    return total / count


def gradient(loss: Loss, outputs: Tensor, targets: Tensor, known: Tensor) -> tuple[float, Tensor]:
    outputs = outputs.clone().requires_grad_()
    found = loss(outputs, targets, known)
    found.backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    return found.item(), outputs.grad


@pytest.mark.parametrize("known", [ALL, SOME])
def test_bce_is_the_mean_over_what_is_known(known: Tensor) -> None:
    assert bce(SAID, TOLD, known).item() == pytest.approx(entropies(known, [1, 1], [1, 1]))


@pytest.mark.parametrize("known", [ALL, SOME])
def test_weighted_bce_is_equation_1_of_paper_5(known: Tensor) -> None:
    # of label 0 three of four are positive, of label 1 two of four; among SOME 2 of 3, 2 of 2
    positive, negative = ([1 / 4, 1 / 2], [3 / 4, 1 / 2])
    if known is SOME:
        positive, negative = ([1 / 3, 0.0], [2 / 3, 1.0])
    found = loss_of("weighted bce", {}, TOLD, known, 0)(SAID, TOLD, known)
    assert found.item() == pytest.approx(entropies(known, positive, negative))


def test_balanced_bce_weighs_both_classes_of_a_label_alike() -> None:
    # N / (2 n): 4 / 6 and 4 / 2 of label 0, 4 / 4 twice of label 1
    found = loss_of("balanced bce", {}, TOLD, ALL, 0)(SAID, TOLD, ALL)
    assert found.item() == pytest.approx(entropies(ALL, [4 / 6, 1.0], [2.0, 1.0]))
    positive, negative = inverse_weights(TOLD, ALL)
    sums = TOLD.sum(0) * positive, (1 - TOLD).sum(0) * negative
    torch.testing.assert_close(sums[0], torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(sums[1], torch.tensor([2.0, 2.0]))


@pytest.mark.parametrize(
    ("targets", "known", "paper_5", "paper_3"),
    [
        ([1.0, 1, 1, 0], [1, 1, 1, 1], (0.25, 0.75), (2 / 3, 2)),
        ([1.0, 1, 0, 0], [1, 0, 1, 1], (2 / 3, 1 / 3), (3 / 2, 3 / 4)),
        ([0.0, 0, 0, 0], [1, 1, 1, 1], (1, 0), (0, 0.5)),
        ([1.0, 1, 0, 1], [1, 1, 0, 1], (0, 1), (0.5, 0)),
        ([0.0, 0, 0, 0], [0, 0, 0, 0], (0, 0), (0, 0)),
    ],
)
def test_weights_of_a_label(
    targets: list[float],
    known: list[int],
    paper_5: tuple[float, float],
    paper_3: tuple[float, float],
) -> None:
    told, there = torch.tensor(targets)[:, None], torch.tensor(known, dtype=torch.bool)[:, None]
    assert [one.item() for one in label_weights(told, there)] == pytest.approx(paper_5)
    assert [one.item() for one in inverse_weights(told, there)] == pytest.approx(paper_3)


def test_weights_follow_the_outputs_type() -> None:
    loss = weighted_bce(torch.tensor([1.0]), torch.tensor([2.0]))
    outputs, targets = torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1).double()
    found = loss(outputs, targets, torch.ones(1, 1, dtype=torch.bool))
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(2 * math.log(2))


def test_l1_is_the_mean_absolute_difference_of_what_is_known() -> None:
    said, told = torch.tensor([[150.0], [180.0], [200.0]]), torch.tensor([[140.0], [0.0], [230.0]])
    known = torch.tensor([[True], [False], [True]])
    assert l1(said, told, known).item() == (10 + 30) / 2


@pytest.mark.parametrize("name", ["bce", "balanced bce", "weighted bce", "l1"])
def test_what_is_not_known_neither_counts_nor_teaches(name: str) -> None:
    loss = loss_of(name, {}, TOLD, SOME, 0)
    value, slope = gradient(loss, SAID, TOLD, SOME)
    others = torch.where(SOME, SAID, 7.0)
    assert gradient(loss, others, torch.where(SOME, TOLD, 0), SOME)[0] == pytest.approx(value)
    assert (slope[~SOME] == 0).all()
    value, slope = gradient(loss, SAID, TOLD, torch.zeros_like(SOME))
    assert value == 0
    assert (slope == 0).all()


@pytest.mark.parametrize("name", ["bce", "balanced bce", "weighted bce"])
def test_logits_of_any_size_have_a_finite_loss_and_gradient(name: str) -> None:
    value, slope = gradient(loss_of(name, {}, TOLD, ALL, 0), SAID * 1e4, 1 - TOLD, ALL)
    assert math.isfinite(value)
    assert slope.isfinite().all()


def triplets(vectors: Tensor, classes: list[int], margin: float) -> float:
    """Hermans et al., eq. 7, by loops: the mean over triplets that cost something."""
    units = vectors.double().numpy()
    units = units / np.linalg.norm(units, axis=1, keepdims=True)
    apart = [[float(np.linalg.norm(one - other)) for other in units] for one in units]
    costs: list[float] = []
    for anchor, of in enumerate(classes):
        for positive, same in enumerate(classes):
            for negative, other in enumerate(classes):
                if positive != anchor and same == of and other != of:
                    costs.append(
                        max(0.0, margin + apart[anchor][positive] - apart[anchor][negative])
                    )
    positive_costs = [cost for cost in costs if cost > 0]
    return float(np.mean(positive_costs)) if positive_costs else 0.0


def one_hot(classes: list[int]) -> tuple[Tensor, Tensor]:
    targets = torch.eye(3)[classes]
    return targets, torch.ones_like(targets, dtype=torch.bool)


@pytest.mark.parametrize("margin", [0.0, 0.2, 1.0])
@pytest.mark.parametrize(
    "classes", [[0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 1], [0, 1, 2], [2, 0, 2, 0, 0, 0, 2, 1]]
)
def test_batch_all_triplet_equals_loops(classes: list[int], margin: float) -> None:
    for seed in range(5):
        torch.manual_seed(seed)
        vectors = 5 * torch.randn(len(classes), 4)
        found = batch_all_triplet(margin)(vectors, *one_hot(classes))
        assert found.item() == pytest.approx(triplets(vectors, classes, margin), abs=1e-6)


def test_batch_all_triplet_by_hand() -> None:
    # on a circle: 0 and 90 degrees of class 0, 180 of class 1
    vectors = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]])
    # anchor 0: sqrt 2 - 2 + 1; anchor 1: sqrt 2 - sqrt 2 + 1
    expected = (math.sqrt(2) - 1 + 1) / 2
    found = batch_all_triplet(1.0)(vectors, *one_hot([0, 0, 1]))
    assert found.item() == pytest.approx(expected)


def test_the_gradient_of_batch_all_triplet_is_that_of_differences() -> None:
    torch.manual_seed(1)
    vectors, (targets, known) = torch.randn(6, 3).double(), one_hot([0, 0, 1, 1, 2, 2])
    loss = batch_all_triplet(0.5)
    _, slope = gradient(loss, vectors, targets, known)
    step = 1e-6
    for at in np.ndindex(*vectors.shape):
        change = torch.zeros_like(vectors)
        change[at] = step
        there, back = (loss(vectors + sign * change, targets, known).item() for sign in (1, -1))
        assert slope[at].item() == pytest.approx((there - back) / (2 * step), abs=1e-6)


@pytest.mark.parametrize(
    "classes", [[0, 0, 0, 0], [0, 1], [2], []], ids=["one class", "no pair", "one", "none"]
)
def test_a_batch_without_a_triplet_costs_nothing(classes: list[int]) -> None:
    torch.manual_seed(0)
    value, slope = gradient(batch_all_triplet(0.2), torch.randn(len(classes), 3), *one_hot(classes))
    assert value == 0
    assert (slope == 0).all()


@pytest.mark.parametrize("classes", [[0, 0, 1], [0, 1, 1], [0, 0, 0]])
def test_equal_vectors_have_a_finite_gradient(classes: list[int]) -> None:
    value, slope = gradient(batch_all_triplet(0.2), torch.ones(3, 4), *one_hot(classes))
    assert value == pytest.approx(0.2 if set(classes) == {0, 1} else 0)
    assert slope.isfinite().all()


def test_an_image_of_no_known_class_is_in_no_triplet() -> None:
    torch.manual_seed(2)
    vectors, (targets, known) = torch.randn(5, 3), one_hot([0, 0, 1, 1, 2])
    known[2] = False
    value, slope = gradient(batch_all_triplet(0.5), vectors, targets, known)
    rest = torch.tensor([0, 1, 3, 4])
    assert value == pytest.approx(triplets(vectors[rest], [0, 0, 1, 2], 0.5), abs=1e-6)
    assert (slope[2] == 0).all()


def test_a_vector_that_is_no_number_is_not_hidden() -> None:
    vectors = torch.randn(4, 3)
    vectors[1, 0] = torch.nan
    assert batch_all_triplet(0.2)(vectors, *one_hot([0, 0, 1, 1])).isnan()


def test_many_images_are_summed_as_exactly_as_few() -> None:
    torch.manual_seed(0)
    vectors, classes = torch.randn(600, 8), np.arange(600) % 3
    units = vectors.double().numpy()
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    total, count = 0.0, 0
    for anchor, unit in enumerate(units):
        apart, same = np.linalg.norm(units - unit, axis=1), classes == classes[anchor]
        positive = same & (np.arange(600) != anchor)
        costs = np.maximum(apart[positive][:, None] - apart[~same] + 0.2, 0)
        total, count = total + costs.sum(), count + (costs > 0).sum()
    with torch.inference_mode():
        found = batch_all_triplet(0.2)(vectors, *one_hot(classes.tolist()))
    assert found.item() == pytest.approx(total / count, rel=1e-5)


def test_distances_of_pairs() -> None:
    vectors = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]])
    expected = [[0, 5, 5], [5, 0, 0], [5, 0, 0]]
    np.testing.assert_allclose(distances(vectors), expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mse", {}, "no loss 'mse'"),
        ("bce", {"margin": 0.2}, "loss 'bce' has no option margin"),
        ("ath", {"margn": 0.2, "bits": 32}, "loss 'ath' has no option bits, margn"),
    ],
)
def test_what_is_no_loss(name: str, options: Mapping[str, float], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        loss_of(name, options, TOLD, ALL, 0)


@pytest.mark.parametrize("margin", [None, 0.7])
def test_the_margin_of_a_recipe(margin: float | None) -> None:
    torch.manual_seed(4)
    vectors, classes = torch.randn(6, 3), [0, 0, 1, 1, 2, 2]
    options = {} if margin is None else {"margin": margin}
    found = loss_of("batch-all triplet", options, *one_hot(classes), 0)(vectors, *one_hot(classes))
    assert found.item() == pytest.approx(triplets(vectors, classes, margin or 0.2), abs=1e-6)
