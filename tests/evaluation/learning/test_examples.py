"""Collections as examples: which images serve, with which targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders.training.fault import TrainingError
from encoders.training.recipe import Targets
from evaluation.collection import (
    NEGATIVE,
    POSITIVE,
    UNCERTAIN,
    UNSAID,
    Collection,
    CollectionError,
)
from evaluation.learning.examples import examples_of
from evaluation.readers import chestx_ray14

P, N, U, X = POSITIVE, NEGATIVE, UNCERTAIN, UNSAID
STATES = np.array(
    # Mass, Nodule, No Finding
    [[P, N, N], [N, P, N], [P, P, N], [N, N, P], [U, N, N], [X, X, X], [X, P, N], [N, N, N]],
    np.int8,
)
COLLECTION = Collection(
    name="the set",
    ids=tuple("abcdefgh"),
    patients=tuple("11223344"),
    label_names=("Mass", "Nodule", "No Finding"),
    states=STATES,
    attributes={
        "site": np.array(["x", "y", "", "x", "y", "x", "z", "z"]),
        "one": np.array(["x"] * 8),
        "dose": np.array(["1.5", "", "2e3", "-4", "0", "nan", "inf", "7"]),
        "words": np.array(["1", "two", "3", "4", "5", "6", "7", "8"]),
        "nothing": np.array([""] * 8),
    },
    numbers={"weight": np.array([50, np.nan, 70, 80, 90, np.inf, 60, 55.5])},
    paths=tuple(Path(f"{one}.png") for one in "abcdefgh"),
    notes=("a note",),
)


def label(name: str = "Mass", **more: object) -> Targets:
    return Targets.model_validate({"aim": "label", "names": [name], **more})


def told(asked: Targets, collection: Collection = COLLECTION) -> dict[str, list[float | None]]:
    """Each image's targets; None where not known."""
    found = examples_of(collection, asked)
    return {
        one: [
            float(value) if is_known else None
            for value, is_known in zip(found.targets[at], found.known[at], strict=True)
        ]
        for at, one in enumerate(found.ids)
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (label(), {"a": 1, "b": 0, "c": 1, "d": 0, "g": None, "h": 0}),
        (label(uncertain="positive"), {"a": 1, "b": 0, "c": 1, "d": 0, "e": 1, "h": 0}),
        (label(uncertain="negative"), {"a": 1, "b": 0, "c": 1, "d": 0, "e": 0, "h": 0}),
        (label(negatives="no finding"), {"a": 1, "c": 1, "d": 0}),
    ],
)
def test_one_label(asked: Targets, expected: dict[str, float | None]) -> None:
    wanted = {one: [value] for one, value in expected.items() if value is not None}
    assert told(asked) == wanted


def test_several_labels_are_known_each_by_itself() -> None:
    found = told(Targets(aim="labels", names=("Mass", "Nodule")))
    assert found == {
        "a": [1, 0],
        "b": [0, 1],
        "c": [1, 1],
        "d": [0, 0],
        "e": [None, 0],
        "g": [None, 1],
        "h": [0, 0],
    }


def test_without_names_all_labels_are_learned() -> None:
    assert examples_of(COLLECTION, Targets(aim="labels")).outputs == COLLECTION.label_names


def test_who_is_left_out_is_noted() -> None:
    assert examples_of(COLLECTION, label()).notes == (
        "a note",
        "left out: 3 images whose labels do not serve (Mass)",
    )
    whole = COLLECTION.take(np.array([0, 1]))
    assert examples_of(whole, label()).notes == ("a note",)


def test_classes_of_a_column_in_their_order() -> None:
    asked = Targets(aim="class", names=("site",))
    found = examples_of(COLLECTION, asked)
    assert found.outputs == ("x", "y", "z")
    assert found.ids == tuple("abdefgh")
    assert found.targets.argmax(axis=1).tolist() == [0, 1, 0, 1, 0, 2, 2]
    assert found.targets.sum(axis=1).tolist() == [1] * 7
    assert found.known.all()
    assert found.notes[-1] == "left out: 1 images without one site"


def test_the_only_label_as_a_class() -> None:
    found = examples_of(COLLECTION, Targets(aim="class", names=("label",)))
    # d and g have one label, c two, e, f and h none; "No Finding" is a label of its own
    named = {
        one: found.outputs[at]
        for one, at in zip(found.ids, found.targets.argmax(axis=1), strict=True)
    }
    assert named == {"a": "Mass", "b": "Nodule", "d": "No Finding", "g": "Nodule"}


def test_numbers_measured_and_of_a_column() -> None:
    measured = told(Targets(aim="number", names=("weight",)))
    assert measured == {"a": [50], "c": [70], "d": [80], "e": [90], "g": [60], "h": [55.5]}
    written = told(Targets(aim="number", names=("dose",)))
    assert written == {"a": [1.5], "c": [2000], "d": [-4], "e": [0], "h": [7]}


def test_labels_of_a_set_are_merged() -> None:
    """Paper 1's three labels; each part of Opacity stands for it."""
    names = chestx_ray14.LABELS
    states = np.full((len(names), len(names)), NEGATIVE, np.int8)
    np.fill_diagonal(states, POSITIVE)
    collection = Collection(
        name="nih",
        ids=names,
        patients=names,
        label_names=names,
        states=states,
        paths=tuple(map(Path, names)),
    )
    opaque = {
        "Atelectasis", "Effusion", "Infiltration", "Pneumonia", "Consolidation", "Edema",
        "Fibrosis", "Pleural_Thickening",
    }  # fmt: skip
    asked = Targets(aim="labels", label_set="thakrar3")
    assert examples_of(collection, asked).outputs == ("Cardiomegaly", "Emphysema", "Opacity")
    assert told(asked, collection) == {
        one: [one == "Cardiomegaly", one == "Emphysema", one in opaque] for one in names
    }


def test_boxes_and_findings_of_regions_come_along() -> None:
    boxes = np.random.default_rng(0).random((8, 2, 4), np.float32)
    states = np.array([[[P, N], [U, X]]] * 8, np.int8)
    found = examples_of(replace(COLLECTION, boxes=boxes, region_states=states), label())
    assert found.boxes is not None
    assert found.findings is not None
    np.testing.assert_array_equal(found.boxes, boxes[[0, 1, 2, 3, 7]])
    assert found.findings.tolist() == [[[True, False], [False, False]]] * 5


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (label("Mas"), "no label Mas; it has Mass, Nodule, No Finding: name others with --target"),
        (Targets(aim="labels", names=("Mass", "A", "B")), "no label A, B; it has"),
        (Targets(aim="label", label_set="thakrar3"), "lacks Cardiomegaly, Emphysema"),
        (Targets(aim="label", label_set="nih"), "no label set 'nih'; there are nih13"),
        (Targets(aim="class", names=("sight",)), "sight"),
        (Targets(aim="class", names=("one",)), "one tells 1 classes; two are needed at least"),
        (Targets(aim="class", names=("nothing",)), "nothing tells 0 classes"),
        (Targets(aim="number", names=("height",)), "height"),
        (Targets(aim="number", names=("words",)), "words is no number of 1 images, such as 'two'"),
        (Targets(aim="number", names=("nothing",)), "nothing is told of no image"),
    ],
)
def test_what_cannot_be_learned(asked: Targets, message: str) -> None:
    with pytest.raises((TrainingError, CollectionError), match=message):
        examples_of(COLLECTION, asked)


def test_one_label_of_a_set_of_several_is_to_be_named() -> None:
    names = chestx_ray14.LABELS
    collection = replace(
        COLLECTION, label_names=names, states=np.full((8, len(names)), NEGATIVE, np.int8)
    )
    with pytest.raises(TrainingError, match="label set thakrar3 has Cardiomegaly, Emphysema, Opa"):
        examples_of(collection, Targets(aim="label", label_set="thakrar3"))


def test_a_collection_without_labels_or_files() -> None:
    bare = replace(COLLECTION, label_names=(), states=np.empty((8, 0), np.int8))
    with pytest.raises(TrainingError, match="it has none"):
        examples_of(bare, Targets(aim="labels"))
    with pytest.raises(TrainingError, match="the set has no image files to learn from"):
        examples_of(replace(COLLECTION, paths=()), label())


def test_a_number_beyond_single_precision_is_refused() -> None:
    collection = replace(COLLECTION, numbers={"weight": np.full(8, 1e300)})
    with pytest.raises(TrainingError, match="weight reaches 1e\\+300, which is no value"):
        examples_of(collection, Targets(aim="number", names=("weight",)))
