"""The main path, from vectors to figures, against plain loops."""

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.collection import Collection
from evaluation.evaluating import System, judge
from evaluation.relevance import Values
from evaluation.scores import Scores
from evaluation.tasks import Rules, one_class
from storage.vectors.metric import Metric
from tests.evaluation.drawn import lot


def judged(vectors: NDArray[np.floating], labels: str, patients: str, k: int) -> Scores:
    collection = Collection(
        name="made",
        ids=tuple(f"i{at}" for at in range(len(labels))),
        patients=tuple(patients),
        label_names=(),
        states=np.empty((len(labels), 0), np.int8),
        attributes={"class": np.array(list(labels))},
    )
    system = System("made", vectors.astype(np.float32), Metric.INNER_PRODUCT)
    task = one_class(collection, "class", (f"p@{k}",))
    return judge(system, task, collection, Rules()).scores[f"class: p@{k}"]


def by_loop(vectors: NDArray[np.floating], labels: str, patients: str, k: int) -> Values:
    values = []
    for asking, vector in enumerate(vectors):
        others = [at for at in range(len(vectors)) if patients[at] != patients[asking]]
        nearest = sorted(others, key=lambda at: (-(vector @ vectors[at]), lot(asking, at)))[:k]
        values.append(sum(labels[at] == labels[asking] for at in nearest) / k)
    return np.array(values)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 3, 50])
def test_precision_equals_a_plain_loop(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    # whole numbers make ties and keep sums exact in any order
    vectors = random.integers(-2, 3, (40, 3)).astype(np.float64)
    labels = "".join(random.choice(list("abc"), 40))
    patients = "".join(random.choice(list("123456789"), 40))
    found = judged(vectors, labels, patients, k)
    np.testing.assert_allclose(found.values, by_loop(vectors, labels, patients, k))


def test_chance_is_what_random_vectors_reach() -> None:
    random = np.random.default_rng(0)
    labels, patients = "aaabbc" * 5, "".join(random.choice(list("1234567"), 30))
    drawn = [judged(random.standard_normal((30, 20)), labels, patients, 1) for _ in range(100)]
    reached = [found.values.mean() for found in drawn]
    # one standard error of the mean of 100 draws is about .009
    assert np.mean(reached) == pytest.approx(drawn[0].by_chance.mean(), abs=0.035)


def test_who_has_only_his_own_images_finds_nothing() -> None:
    found = judged(np.eye(3), "aab", "111", 1)
    assert found.values.tolist() == found.by_chance.tolist() == [0, 0, 0]
