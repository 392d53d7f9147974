"""Batches, and the checks that there is something to learn."""

from dataclasses import replace

import numpy as np
import pytest

from encoders.training import reading
from encoders.training.examples import Examples
from encoders.training.fault import TrainingError
from encoders.training.feeding import MOST_WORKERS, Feed, must_be_trainable, sampler_of, workers_for
from encoders.training.recipe import Recipe
from tests.encoders.training.small import examples, read, recipe

CLASSES = {"aim": "class", "names": ["kind"]}


def of_classes() -> Recipe:
    batches = {"classes_per_batch": 2, "per_class": 2, "monitor": "p@1"}
    return recipe(targets=CLASSES, schedule=batches).model_copy(
        update={"loss": "batch-all triplet"}
    )


def classes(codes: list[int], count: int = 3) -> Examples:
    made = examples(len(codes))
    targets = np.eye(count, dtype=np.float32)[codes]
    return replace(
        made,
        outputs=tuple(f"class {at}" for at in range(count)),
        targets=targets,
        known=np.ones_like(targets, bool),
    )


def test_an_epoch_shows_each_image_once() -> None:
    feed = Feed(recipe(), examples(20), examples(6), read, 1)
    seen = [at for batch in feed.of_epoch(0) for at in batch[3].tolist()]
    assert sorted(seen) == list(range(20))
    again = [at for batch in feed.of_epoch(0) for at in batch[3].tolist()]
    other = [at for batch in feed.of_epoch(1) for at in batch[3].tolist()]
    assert seen == again != other


def test_validation_images_are_shown_in_order_and_unchanged() -> None:
    feed = Feed(recipe(), examples(20), examples(6), read, 1)
    first, second = (next(iter(feed.validating())) for _ in range(2))
    assert first[3].tolist() == list(range(6))
    assert first[0].equal(second[0])


@pytest.mark.parametrize(("count", "has"), [(0, False), (1, True)])
def test_whether_an_epoch_can_be_chosen(count: int, has: bool) -> None:
    feed = Feed(recipe(), examples(8), examples(8).take(np.arange(count)), read, 1)
    assert feed.has_validation is has


def test_batches_of_classes_hold_as_many_of_each() -> None:
    shown = classes([0] * 5 + [1] * 4 + [2] * 7)
    for batch in sampler_of(of_classes().schedule, shown, 0, 0):
        codes = shown.targets[batch].argmax(axis=1)
        assert sorted(np.bincount(codes, minlength=3).tolist()) == [0, 2, 2]


def test_batches_of_more_classes_than_there_are() -> None:
    with pytest.raises(TrainingError, match="batches of 2 classes cannot be made of 1"):
        sampler_of(of_classes().schedule, classes([1] * 6), 0, 0)


def test_files_are_read_by_others_only_where_memory_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed = Feed(recipe(), examples(8), examples(6), read, 1)
    assert workers_for(feed._images("training")) == 0
    monkeypatch.setattr(reading, "ENOUGH", 0)
    fresh = Feed(recipe(), examples(8), examples(6), read, 1)
    assert 1 <= workers_for(fresh._images("training")) <= MOST_WORKERS


def _targets(values: list[float], known: list[bool] | None = None) -> Examples:
    made = examples(len(values))
    targets = np.array(values, np.float32)[:, None]
    return replace(made, targets=targets, known=np.array(known or [True] * len(values))[:, None])


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (_targets([]), "no image is left to learn from"),
        (_targets([1, 1, 1]), "bright has no negative image among the 3"),
        (_targets([0, 0, 0]), "bright has no positive image among the 3"),
        (_targets([0, 0, 1], [True, True, False]), "no positive"),
        (_targets([0, 1], [False, False]), "no positive"),
    ],
)
def test_what_cannot_be_learned(shown: Examples, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        must_be_trainable(shown, recipe())


def test_all_labels_that_cannot_be_learned_are_told() -> None:
    made = classes([0, 0, 2])
    with pytest.raises(TrainingError, match="class 1 has no positive image among"):
        must_be_trainable(made, recipe(targets={"aim": "labels", "names": []}))


@pytest.mark.parametrize(("codes", "fine"), [([0, 2], True), ([1, 1], False)])
def test_one_class_is_nothing_to_tell_apart(codes: list[int], fine: bool) -> None:
    if fine:
        must_be_trainable(classes(codes), of_classes())
        return
    with pytest.raises(TrainingError, match="only class 1 is among the 2 images"):
        must_be_trainable(classes(codes), of_classes())


def test_any_number_can_be_learned() -> None:
    asked = recipe(targets={"aim": "number", "names": ["age"]}, schedule={"monitor": "mae"})
    must_be_trainable(_targets([50, 50]), asked)
