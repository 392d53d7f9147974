"""A planted confounder is exposed; a true signal is not accused."""

import numpy as np
import pytest

from evaluation.collection import Collection, Texts
from evaluation.confounders import Confounder
from evaluation.evaluating import System, judge
from evaluation.tasks import Rules, one_class

IMAGES = 400


def made(
    label_from: float, view_from: float, view_follows: float, seed: int, images: int = IMAGES
) -> tuple[Collection, System]:
    """Images of two views and two labels.

    Vectors hold the label with strength ``label_from`` and the view with ``view_from``; the view is
    the label's own with probability ``view_follows``.
    """
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, images)
    view = np.where(random.random(images) < view_follows, label, random.integers(0, 2, images))
    sex = random.integers(0, 2, images)
    vectors = random.standard_normal((images, 16))
    vectors[:, 0] += label_from * (2 * label - 1)
    vectors[:, 1] += view_from * (2 * view - 1)
    collection = Collection(
        "made",
        tuple(f"i{at}" for at in range(images)),
        tuple(f"p{at // 2}" for at in range(images)),
        (),
        np.zeros((images, 0), np.int8),
        {"class": words(label, "ill", "well"), "view": words(view, "PA", "AP")}
        | {"sex": words(sex, "F", "M")},
    )
    return collection, System("made", vectors.astype(np.float32))


def words(codes: np.ndarray, zero: str, one: str) -> Texts:
    return np.where(codes == 0, zero, one)


def confounders(collection: Collection, system: System, *names: str) -> dict[str, Confounder]:
    task = one_class(collection, "class")
    judged = judge(system, task, collection, Rules(), names)
    return {found.attribute: found for found in judged.confounders}


@pytest.mark.parametrize("seed", range(5))
def test_a_view_that_gives_the_label_away(seed: int) -> None:
    """Nothing of the label is in the vectors but by the view."""
    found = confounders(*made(0, 6, 0.8, seed), "view", "sex")
    assert found["view"].overall.lift_low > 0.1
    assert found["view"].verdict == "explains it"
    assert found["view"].shared.value > 0.95
    assert found["view"].within.lift_low < 0.01
    assert found["sex"].verdict == "no sign"
    assert found["sex"].shared.value == pytest.approx(found["sex"].shared.chance, abs=0.08)


@pytest.mark.parametrize("seed", range(5))
def test_a_true_signal_is_not_accused(seed: int) -> None:
    """The view is seen as well as the label, and says nothing of it."""
    found = confounders(*made(3, 3, 0, seed), "view", "sex")
    assert found["view"].overall.lift_low > 0.2
    assert found["view"].verdict == found["sex"].verdict == "no sign"
    assert found["view"].shared.value > 0.7


@pytest.mark.parametrize("seed", range(3))
def test_a_true_signal_that_goes_with_the_view_is_not_accused(seed: int) -> None:
    """More of the ill lie in bed: the vectors see the illness, not the view."""
    found = confounders(*made(4, 0, 0.6, seed), "view")
    assert found["view"].shared.lift_low > 0
    assert found["view"].verdict == "no sign"


@pytest.mark.parametrize("seed", range(3))
def test_both(seed: int) -> None:
    found = confounders(*made(1.5, 6, 0.8, seed, 1200), "view")["view"]
    assert found.verdict == "explains part"
    assert found.within.lift_low > 0


def test_vectors_by_lot_have_nothing_to_explain() -> None:
    collection, system = made(0, 0, 0.8, 0)
    assert confounders(collection, system, "view")["view"].verdict == "nothing to explain"


def test_a_label_that_is_the_attribute() -> None:
    """Within a stratum everybody has the label: nothing can be seen there."""
    found = confounders(*made(0, 6, 1, 0), "view")["view"]
    assert found.within.chance == 1
    assert np.isnan(found.skill_within)
    assert found.verdict == "explains it"


def test_attributes_that_name_nothing_or_everybody_are_left_out() -> None:
    collection, system = made(3, 0, 0, 0)
    more = dict(collection.attributes) | {
        "one": np.full(IMAGES, "same"),
        "every": np.array([f"v{at}" for at in range(IMAGES)]),
        "unknown": np.full(IMAGES, ""),
    }
    wider = Collection("made", collection.ids, collection.patients, (), collection.states, more)
    assert not confounders(wider, system, "one", "every", "unknown")
