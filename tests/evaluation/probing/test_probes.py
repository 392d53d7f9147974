"""Probes against scikit-learn's classifiers and made data."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from evaluation.collection import Collection, CollectionError
from evaluation.evaluating import System
from evaluation.nearest import Neighbourhood
from evaluation.probing.linear_models import logistic, paper_2
from evaluation.probing.probes import (
    Parts,
    Probe,
    Ways,
    features_of,
    knn_probe,
    linear_probe,
    parts_of,
)
from evaluation.probing.targets import Targets, of_classes, of_labels
from evaluation.probing.votes import Voters, best_k
from evaluation.tasks import Rules
from storage.vectors.metric import Metric

QUICK = Ways(draws=20, most_neighbours=15)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A layer this small is slowed down by threads, a hundredfold beside other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def apart(count: int) -> np.ndarray:
    return np.arange(count)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    metric=st.sampled_from([Metric.COSINE, Metric.L2]),
    k=st.integers(1, 12),
    one_each=st.booleans(),
)
def test_votes_as_scikit_learn_has_them(seed: int, metric: Metric, k: int, one_each: bool) -> None:
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((60, 5)).astype(np.float32)
    training, asked = np.arange(40), np.arange(40, 60)
    if one_each:
        codes = random.integers(0, 4, 60)
        codes[:4] = np.arange(4)
        targets = of_classes(codes, ("a", "b", "c", "d"))
    else:
        true = random.random((60, 3)) < 0.4
        true[0], true[1] = True, False
        targets = Targets(("a", "b", "c"), true, np.ones_like(true), one_each=False)
    run = Neighbourhood(vectors, metric, asked, training).nearest(k, apart=apart(60))
    found = Voters(run, targets, training).probabilities(k)
    name = "cosine" if metric is Metric.COSINE else "euclidean"
    judge = KNeighborsClassifier(k, metric=name, algorithm="brute")
    judge.fit(vectors[training], targets.positive[training])
    expected = np.stack([one[:, 1] for one in judge.predict_proba(vectors[asked])], axis=1)
    assert found == pytest.approx(expected)
    if one_each:
        judge.fit(vectors[training], targets.positive[training].argmax(axis=1))
        assert (
            targets.decided(found).argmax(axis=1).tolist() == judge.predict(vectors[asked]).tolist()
        )


def test_what_a_neighbour_does_not_know_is_no_vote() -> None:
    vectors = np.array([[0.0], [1.0], [2.0], [0.1]], np.float32)
    positive = np.array([[1, 1], [0, 0], [0, 0], [0, 0]], bool)
    known = np.array([[1, 0], [1, 0], [1, 1], [1, 1]], bool)
    targets = Targets(("a", "b"), positive & known, known, one_each=False)
    training = np.array([0, 1, 2])
    run = Neighbourhood(vectors, Metric.L2, np.array([3]), training).nearest(3, apart=apart(4))
    voters = Voters(run, targets, training)
    # of label b nobody among the first two says anything: its share in training is 0
    assert voters.probabilities(2).tolist() == [[0.5, 0.0]]
    assert voters.probabilities(3).tolist() == [[pytest.approx(1 / 3), 0.0]]


def test_k_is_the_best_of_the_validation_and_the_least_of_several() -> None:
    # the nearest training image of each validation image is of the wrong class, the next two right
    vectors = np.array([[0.0], [0.3], [0.35], [9.0], [9.3], [9.35], [0.1], [9.1]], np.float32)
    codes = np.array([1, 0, 0, 0, 1, 1, 0, 1])
    targets = of_classes(codes, ("a", "b"))
    training, validation = np.arange(6), np.array([6, 7])
    run = Neighbourhood(vectors, Metric.L2, validation, training).nearest(6, apart=apart(8))
    assert best_k(Voters(run, targets, training), validation, slice(0, 2)) == 3


def test_k_by_auprc_wants_more_votes_where_labels_are_rare() -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((400, 2)).astype(np.float32)
    # the nearer to one point, the more probable the label, which is never certain
    probable = 0.4 * np.exp(-((vectors - [1, 1]) ** 2).sum(axis=1))
    true = (random.random(400) < probable)[:, None]
    targets = Targets(("a",), true, np.ones_like(true), one_each=False)
    training, validation = np.arange(300), np.arange(300, 400)
    run = Neighbourhood(vectors, Metric.L2, validation, training).nearest(60, apart=apart(400))
    voters = Voters(run, targets, training)
    assert best_k(voters, validation, slice(0, 100), by="auprc") > 5
    probabilities = {k: voters.probabilities(k) for k in (1, 20)}
    areas = {k: roc_auc_score(true[300:], one) for k, one in probabilities.items()}
    assert areas[20] > areas[1]


def test_the_leak_of_the_true_class_size_is_a_flag_and_changes_the_votes() -> None:
    # class b has one training image: with the leak only the nearest votes for a true b
    vectors = np.array([[0.0], [0.5], [0.6], [0.1]], np.float32)
    targets = of_classes(np.array([1, 0, 0, 1]), ("a", "b"))
    training = np.array([0, 1, 2])
    run = Neighbourhood(vectors, Metric.L2, np.array([3]), training).nearest(3, apart=apart(4))
    assert Voters(run, targets, training).probabilities(3)[0].tolist() == pytest.approx(
        [2 / 3, 1 / 3]
    )
    assert Voters(run, targets, training, leaks=True).probabilities(3)[0].tolist() == [0, 1]


def made(seed: int = 0, count: int = 300, classes: int = 3) -> tuple[System, Targets, Parts]:
    """Classes around centres, two of three images of each for training."""
    random = np.random.default_rng(seed)
    codes = np.arange(count) % classes
    centres = random.standard_normal((classes, 8)) * 2
    vectors = (centres[codes] + random.standard_normal((count, 8))).astype(np.float32)
    everyone = random.permutation(count)
    parts = Parts(*np.split(everyone, [int(count * 0.6), int(count * 0.8)]))
    return System("made", vectors), of_classes(codes, tuple("abcdef"[:classes])), parts


def figures(probe: Probe) -> dict[tuple[str, str], float]:
    return {
        (row.figure.measure, row.figure.mean): row.figure.value
        for row in probe.rows
        if not row.group
    }


@pytest.mark.parametrize(
    ("probe", "ways"),
    [
        (knn_probe, QUICK),
        (linear_probe, QUICK),
        (linear_probe, dataclasses.replace(QUICK, linear="paper-2")),
    ],
)
def test_signal_is_found_and_noise_is_not(probe, ways: Ways) -> None:  # type: ignore[no-untyped-def]
    system, targets, parts = made(count=600)
    found = probe(system, targets, parts, apart(600), ways)
    assert figures(found)["f1", "micro"] > 0.85
    assert all(row.figure.low <= row.figure.value <= row.figure.high for row in found.rows)
    noise = System("noise", np.random.default_rng(5).standard_normal((600, 8)).astype(np.float32))
    nothing = probe(noise, targets, parts, apart(600), dataclasses.replace(ways, draws=300))
    for row in nothing.rows:
        if row.figure.measure in {"auprc", "roc_auc"} and not row.group:
            assert row.figure.low - 0.05 <= row.figure.chance <= row.figure.high + 0.05


def test_logistic_regression_is_scikit_learns_on_standard_features() -> None:
    system, targets, parts = made()
    features = features_of(system)
    found = logistic(features, targets, parts.training, parts.test)
    scale = StandardScaler().fit(features[parts.training].astype(np.float64))
    judge = LogisticRegression(max_iter=1000)
    judge.fit(
        scale.transform(features[parts.training]), targets.positive[parts.training].argmax(axis=1)
    )
    expected = judge.predict_proba(scale.transform(features[parts.test]))
    assert found.probabilities == pytest.approx(expected, abs=1e-3)
    assert found.says == "logistic regression, C = 1"


def test_labels_without_example_or_counterexample_keep_their_share() -> None:
    random = np.random.default_rng(0)
    true = np.stack([np.arange(40) % 2 == 0, np.ones(40, bool), np.zeros(40, bool)], axis=1)
    targets = Targets(("a", "all", "none"), true, np.ones_like(true), one_each=False)
    found = logistic(
        random.standard_normal((40, 3)), targets, np.arange(30), np.arange(30, 40)
    ).probabilities
    assert (found[:, 1] == 1).all()
    assert (found[:, 2] == 0).all()
    assert len(set(found[:, 0])) == 10


def test_a_class_that_training_lacks_is_never_told() -> None:
    targets = of_classes(np.array([0, 0, 1, 1, 2]), ("a", "b", "c"))
    features = np.array([[0.0], [0.1], [1.0], [1.1], [5.0]])
    found = logistic(features, targets, np.arange(4), np.array([4])).probabilities
    assert found[0, 2] == 0
    assert found[0].sum() == pytest.approx(1)


def test_one_class_alone_in_training() -> None:
    targets = of_classes(np.array([0, 0, 1]), ("a", "b"))
    found = logistic(np.zeros((3, 2)), targets, np.arange(2), np.array([2])).probabilities
    assert found.tolist() == [[1, 0]]


@pytest.mark.parametrize("one_each", [True, False])
def test_paper_2s_recipe_is_repeated_by_seed(one_each: bool) -> None:
    system, targets, parts = made()
    targets = dataclasses.replace(targets, one_each=one_each)
    both = (parts.training, parts.validation)
    seen: list[int] = []
    first = paper_2(
        features_of(system),
        targets,
        both,
        parts.test,
        seed=1,
        progress=lambda at, _: seen.append(at),
    )
    again = paper_2(features_of(system), targets, both, parts.test, seed=1)
    other = paper_2(features_of(system), targets, both, parts.test, seed=2)
    assert (first.probabilities == again.probabilities).all()
    assert (first.probabilities != other.probabilities).any()
    assert seen == list(range(1, len(seen) + 1))
    if one_each:
        assert first.probabilities.sum(axis=1) == pytest.approx(1)


def test_paper_2s_recipe_learns_rare_labels() -> None:
    """Of which validation accuracy would keep an epoch that says no to everything."""
    random = np.random.default_rng(0)
    features = random.standard_normal((3000, 4)).astype(np.float32)
    true = (features[:, :2] + random.normal(0, 0.3, (3000, 2))) > 1.6
    targets = Targets(("a", "b"), true, np.ones_like(true), one_each=False)
    both = (np.arange(2000), np.arange(2000, 2500))
    found = paper_2(features, targets, both, np.arange(2500, 3000)).probabilities
    assert roc_auc_score(true[2500:], found, average="macro") > 0.9


def test_paper_2s_recipe_stops_early() -> None:
    # one image decides the validation: nothing gets better after the first epoch
    _, targets, parts = made()
    seen: list[int] = []
    constant = np.zeros((300, 4), np.float32)
    found = paper_2(
        constant,
        targets,
        (parts.training, parts.training[:1]),
        parts.test,
        progress=lambda at, _: seen.append(at),
    )
    assert len(seen) < 100
    assert "epoch" in found.says


def test_codes_are_probed_by_their_bits() -> None:
    codes = np.array([[0b10000001], [0b00000000]], np.uint8)
    found = features_of(System("codes", codes, Metric.HAMMING))
    assert found.tolist() == [[1, 0, 0, 0, 0, 0, 0, 1], [0] * 8]


def test_the_same_patient_never_votes() -> None:
    # each asked image has a twin in training: the same patient and vector, and the wrong label
    system, targets, parts = made(count=200, classes=2)
    asked = np.concatenate([parts.validation, parts.test])
    vectors = np.concatenate([system.vectors, system.vectors[asked]])
    codes = targets.positive.argmax(axis=1)
    twins = np.arange(200, 200 + len(asked))
    both = of_classes(np.concatenate([codes, 1 - codes[asked]]), ("a", "b"))
    patients = np.concatenate([np.arange(200), asked])
    known = Parts(np.concatenate([parts.training, twins]), parts.validation, parts.test)
    ways = Ways(draws=5, most_neighbours=1)
    seen: list[tuple[int, int]] = []
    whole = System("twins", vectors)
    apart_ = knn_probe(whole, both, known, patients, ways, lambda *at: seen.append(at))
    assert figures(apart_)["f1", "micro"] > 0.7
    fooled = knn_probe(whole, both, known, patients, ways, apart=apart(len(codes) + len(asked)))
    assert figures(fooled)["f1", "micro"] == 0
    assert seen == [(1, 1)]


def test_the_leak_needs_one_class_each() -> None:
    system, targets, parts = made()
    targets = dataclasses.replace(targets, one_each=False)
    with pytest.raises(CollectionError, match="only where images have one class"):
        knn_probe(system, targets, parts, apart(300), Ways(leaks_true_class_size=True))


def collection(states: list[list[int]], splits: list[str]) -> Collection:
    count = len(states)
    return Collection(
        name="made",
        ids=tuple(f"i{at}" for at in range(count)),
        patients=tuple(f"p{at}" for at in range(count)),
        label_names=("a", "b")[: len(states[0])],
        states=np.array(states, np.int8).reshape(count, -1),
        splits=tuple(splits),
    )


def test_parts_are_the_images_of_which_something_is_known() -> None:
    one = collection([[1, 0], [-1, -1], [0, 1], [1, -1]], ["train", "train", "val", "test"])
    targets = of_labels(one, Rules())
    assert targets.known.tolist() == [[True, True], [False, False], [True, True], [True, False]]
    assert parts_of(one, targets).training.tolist() == [0]
    unknown = collection([[1, 0], [-1, -1], [0, 1], [-1, -1]], ["train", "train", "val", "test"])
    with pytest.raises(CollectionError, match="no image of split 'test' takes part"):
        parts_of(unknown, of_labels(unknown, Rules()))


def test_labels_and_classes_that_are_none() -> None:
    nothing = dataclasses.replace(
        collection([[1, 0]], ["train"]), label_names=(), states=np.empty((1, 0), np.int8)
    )
    with pytest.raises(CollectionError, match="no labels to be told"):
        of_labels(nothing, Rules())
    with pytest.raises(CollectionError, match="two classes at least"):
        of_classes(np.zeros(3, np.int64), ("a",))


def test_what_the_commonest_class_alone_would_have_is_told() -> None:
    # of one class each, who looks at nothing beats a guess by lot: the report must say so
    codes = np.array([0] * 80 + [1] * 20)
    order = np.random.default_rng(0).permutation(100)
    targets = of_classes(codes[order], ("common", "rare"))
    noise = np.random.default_rng(1).standard_normal((100, 4)).astype(np.float32)
    parts = Parts(np.arange(60), np.arange(60, 80), np.arange(80, 100))
    found = linear_probe(System("noise", noise), targets, parts, apart(100), QUICK)
    share = targets.positive[80:, 0].mean()
    assert found.says.endswith(f"; who always says common is right in {share:.3f}")
    assert "k = " in knn_probe(System("noise", noise), targets, parts, apart(100), QUICK).says
    labels = dataclasses.replace(targets, one_each=False)
    told = linear_probe(System("noise", noise), labels, parts, apart(100), QUICK).says
    assert told.endswith("; who always says no is right in 0.500 of the decisions")
