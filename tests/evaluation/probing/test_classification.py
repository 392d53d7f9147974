"""Measures of classification against scikit-learn, by hand, and their chance by guessing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from evaluation.collection import CollectionError
from evaluation.probing.classification import CHANCE, SAYS, Classified, Told, classified
from evaluation.probing.decisions import MEASURES, Decisions, drawn, patient_weights
from evaluation.probing.targets import Targets, of_classes


def told(
    truth: list[list[int]],
    probabilities: list[list[float]],
    *,
    by_lot: list[float] | None = None,
    known: list[list[int]] | None = None,
    patients: list[int] | None = None,
    one_each: bool = False,
) -> Told:
    true = np.array(truth, bool)
    names = tuple("abcdefgh"[: true.shape[1]])
    mask = np.ones_like(true) if known is None else np.array(known, bool)
    return Told(
        Targets(names, true & mask, mask, one_each),
        np.array(probabilities, np.float64),
        np.arange(len(true)) if patients is None else np.array(patients),
        np.full(len(names), 0.5) if by_lot is None else np.array(by_lot),
    )


def value(found: Classified, name: str, mean: str = "micro", group: str = "") -> float:
    return next(
        row.figure.value
        for row in found.rows
        if (row.figure.measure, row.figure.mean, row.group) == (name, mean, group)
    )


def test_by_hand() -> None:
    # label a: told .9 .8 .3 .1, true yes no yes no; label b: told .6 .2 .7 .4, true no no yes no
    given_ = told(
        [[1, 0], [0, 0], [1, 1], [0, 0]], [[0.9, 0.6], [0.8, 0.2], [0.3, 0.7], [0.1, 0.4]]
    )
    found = classified("probe", given_, draws=20)
    assert value(found, "auprc", group="a") == pytest.approx((1 + 2 / 3) / 2)
    assert value(found, "roc_auc", group="a") == pytest.approx(3 / 4)
    assert value(found, "precision", group="a") == pytest.approx(1 / 2)
    assert value(found, "recall", group="a") == pytest.approx(1 / 2)
    assert value(found, "f1", group="b") == pytest.approx(2 / 3)
    assert value(found, "f1", "class_mean") == pytest.approx((1 / 2 + 2 / 3) / 2)
    # of eight decisions .9, .8, .6 and .7 say yes, of which .9 and .7 are right, and .3 is missed
    assert value(found, "precision") == pytest.approx(2 / 4)
    assert value(found, "recall") == pytest.approx(2 / 3)
    assert value(found, "accuracy") == pytest.approx(5 / 8)


def test_of_one_class_each_accuracy_is_the_share_told_rightly() -> None:
    given_ = told(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]],
        [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]],
        one_each=True,
    )
    found = classified("probe", given_, draws=20)
    assert value(found, "accuracy") == value(found, "f1") == pytest.approx(3 / 4)
    assert value(found, "accuracy", "class_mean") == pytest.approx((1 + 0 + 1) / 3)


MULTI = st.integers(0, 2**31)


@settings(deadline=None, max_examples=25)
@given(seed=MULTI, images=st.integers(4, 40), one_each=st.booleans(), ties=st.booleans())
def test_as_scikit_learn(seed: int, images: int, one_each: bool, ties: bool) -> None:
    random = np.random.default_rng(seed)
    probabilities = random.random((images, 3))
    if ties:
        probabilities = np.round(probabilities, 1)
    if one_each:
        codes = np.concatenate([[0, 1, 2], random.integers(0, 3, images - 3)])
        targets = of_classes(codes, ("a", "b", "c"))
    else:
        true = random.random((images, 3)) < 0.4
        true[0], true[1] = True, False
        targets = Targets(("a", "b", "c"), true, np.ones_like(true), one_each=False)
    found = classified(
        "probe", Told(targets, probabilities, np.arange(images), np.full(3, 0.3)), draws=3
    )
    true, said = targets.positive, targets.decided(probabilities)
    for mean, average in (("micro", "micro"), ("class_mean", "macro")):
        expected = {
            "auprc": average_precision_score(true, probabilities, average=average),
            "roc_auc": roc_auc_score(true, probabilities, average=average),
            "f1": f1_score(true, said, average=average, zero_division=0),
            "precision": precision_score(true, said, average=average, zero_division=0),
            "recall": recall_score(true, said, average=average, zero_division=0),
        }
        for name, one in expected.items():
            assert value(found, name, mean) == pytest.approx(one, abs=1e-12)
    if one_each:
        right = accuracy_score(true.argmax(axis=1), said.argmax(axis=1))
        assert value(found, "accuracy") == pytest.approx(right)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), decisions=st.integers(3, 60), ties=st.booleans())
def test_draws_are_the_weighted_measures_of_scikit_learn(
    seed: int, decisions: int, ties: bool
) -> None:
    random = np.random.default_rng(seed)
    patients = random.integers(0, 5, decisions)
    true = random.random(decisions) < 0.4
    scores = random.random(decisions)
    if ties:
        scores = np.round(scores, 1)
    said = scores > 0.5
    column = Decisions(true, scores, said, np.full(decisions, 0.2), patients)
    weights = patient_weights(5, seed, 6)
    found = drawn(column, weights)
    for at, weight in enumerate(weights[:, patients]):
        counted = {"sample_weight": weight}
        positives = weight[true].sum()
        if not positives:
            assert all(math.isnan(found[name][0, at]) for name in MEASURES)
            continue
        expected = {
            "auprc": average_precision_score(true, scores, **counted),
            "f1": f1_score(true, said, zero_division=0, **counted),
            "precision": precision_score(true, said, zero_division=0, **counted),
            "recall": recall_score(true, said, zero_division=0, **counted),
            "accuracy": accuracy_score(true, said, **counted),
        }
        if weight[~true].sum():
            expected["roc_auc"] = roc_auc_score(true, scores, **counted)
            assert found["roc_auc"][1, at] == pytest.approx(0.5)
        else:
            assert math.isnan(found["roc_auc"][0, at])
        for name, one in expected.items():
            assert found[name][0, at] == pytest.approx(one, abs=1e-12)
        assert found["auprc"][1, at] == pytest.approx(positives / weight.sum())


def test_the_first_draw_counts_everybody_once() -> None:
    weights = patient_weights(7, 0, 4)
    assert weights.shape == (5, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()


def test_chance_is_what_guessing_by_the_trainings_prevalence_has() -> None:
    random = np.random.default_rng(0)
    truth = random.choice(3, 4000, p=[0.6, 0.3, 0.1])
    targets = of_classes(truth, ("a", "b", "c"))
    by_lot = targets.prevalence(np.arange(len(truth)))
    given_ = Told(targets, random.random((4000, 3)), np.arange(4000), by_lot)
    found = {
        (row.figure.measure, row.figure.mean): row.figure.chance
        for row in classified("probe", given_, draws=2).rows
        if not row.group
    }
    guess = DummyClassifier(strategy="stratified", random_state=0).fit(truth[:, None], truth)
    said = np.stack([guess.predict(truth[:, None]) for _ in range(20)])
    for mean, average in (("micro", "micro"), ("class_mean", "macro")):
        guessed = np.mean([f1_score(truth, one, average=average) for one in said])
        assert found["f1", mean] == pytest.approx(guessed, abs=0.01)
    # who knows the shares alone, and says them of every image
    shares = np.repeat(by_lot[None], len(truth), axis=0)
    for average, mean in (("micro", "micro"), ("macro", "class_mean")):
        area = average_precision_score(targets.positive, shares, average=average)
        assert found["auprc", mean] == pytest.approx(area)
        area = roc_auc_score(targets.positive, shares, average=average)
        assert found["roc_auc", mean] == pytest.approx(area)
    assert found["auprc", "class_mean"] == pytest.approx(1 / 3)
    assert found["roc_auc", "class_mean"] == 0.5
    assert CHANCE.keys() == SAYS.keys() == set(MEASURES)


def test_a_class_without_positives_is_left_out_of_the_means_by_name() -> None:
    given_ = told(
        [[1, 0, 0], [0, 0, 1], [1, 0, 0]],
        [[0.9, 0.8, 0.1], [0.2, 0.1, 0.9], [0.8, 0.1, 0.2]],
        by_lot=[0.5, 0.5, 0.0],
    )
    found = classified("probe", given_, draws=5)
    assert found.left_out == (
        ("b", "no positive image in the test"),
        ("c", "no positive image in training"),
    )
    assert value(found, "precision", "class_mean") == 1
    # yet its false alarm is a decision like others
    assert value(found, "precision") == pytest.approx(3 / 4)
    assert {row.group for row in found.rows} == {"", "a"}


def test_no_class_can_be_judged() -> None:
    with pytest.raises(CollectionError, match="kNN: no class has a positive image in both"):
        classified("kNN", told([[0], [0]], [[0.1], [0.2]]))


def test_a_class_that_all_have_has_no_roc() -> None:
    found = classified("probe", told([[1, 1], [1, 0]], [[0.9, 0.2], [0.6, 0.1]]), draws=5)
    rocs = [row for row in found.rows if row.figure.measure == "roc_auc" and row.group]
    assert [row.group for row in rocs] == ["b"]
    assert value(found, "roc_auc", "class_mean") == 1


def test_what_is_not_known_is_not_judged() -> None:
    given_ = told([[1], [0], [0]], [[0.9], [0.8], [0.2]], known=[[1], [0], [1]])
    found = classified("probe", given_, draws=5)
    assert value(found, "precision") == 1
    figure = found.rows[0].figure
    assert (figure.queries, figure.undefined, figure.patients) == (2, 1, 3)


def test_the_interval_is_over_patients_not_images() -> None:
    random = np.random.default_rng(1)
    # forty patients, each of fifty equal images: the interval is that of forty answers
    truth = np.repeat(random.random(40) < 0.5, 50)
    right = np.repeat(random.random(40) < 0.7, 50)
    probability = np.where(truth == right, 0.9, 0.1)
    patients = np.repeat(np.arange(40), 50)
    given_ = told(
        truth[:, None].tolist(), probability[:, None].tolist(), patients=patients.tolist()
    )
    accuracy = next(
        row.figure
        for row in classified("probe", given_, draws=2000).rows
        if row.figure.measure == "accuracy"
    )
    width = accuracy.high - accuracy.low
    expected = 2 * 1.96 * math.sqrt(accuracy.value * (1 - accuracy.value) / 40)
    assert width == pytest.approx(expected, rel=0.15)
    assert accuracy.low <= accuracy.value <= accuracy.high


def test_intervals_of_rare_classes_hold_the_truth() -> None:
    """Three labels of 30, 10 and 3 %; the truth is that of 200,000 images of the same kind."""
    random = np.random.default_rng(0)
    shares = np.array([0.3, 0.1, 0.03])

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        true = random.random((count, 3)) < shares
        return true, 1 / (1 + np.exp(1 - true - random.standard_normal((count, 3))))

    true, probabilities = images(200_000)
    of_labels = [average_precision_score(true[:, at], probabilities[:, at]) for at in range(3)]
    held = 0
    trials = 60
    for seed in range(trials):
        true, probabilities = images(200)
        true[0] = True
        targets = Targets(("a", "b", "c"), true, np.ones_like(true), one_each=False)
        one = Told(targets, probabilities, np.arange(200), shares)
        found = next(
            row.figure
            for row in classified("probe", one, seed=seed, draws=100).rows
            if (row.figure.measure, row.figure.mean) == ("auprc", "class_mean")
        )
        assert found.low <= found.value <= found.high
        held += found.low <= np.mean(of_labels) <= found.high
    assert held / trials >= 0.85


def test_repeated_by_seed() -> None:
    random = np.random.default_rng(2)
    given_ = told((random.random((50, 2)) < 0.5).tolist(), random.random((50, 2)).tolist())
    first = classified("probe", given_, seed=4, draws=50)
    assert first == classified("probe", given_, seed=4, draws=50)
    assert first != classified("probe", given_, seed=5, draws=50)
