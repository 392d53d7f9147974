"""Figures of an encoder on the images that its run kept for them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders.encoder import EncoderOptions
from encoders.registry import create
from encoders.training.loop import Run
from encoders.training.recipe import Recipe, Targets
from encoders.training.splitting import Split
from encoders.training.training import Trained, Wanted, train, write
from evaluation.collection import NEGATIVE, POSITIVE, UNSAID
from evaluation.learning.examples import examples_of
from evaluation.learning.judged import collection_of, judged
from evaluation.readers import manifest
from evaluation.systems.images import read_picture
from tests.encoders.training.small import examples, recipe
from tests.evaluation.learning.made import pictures

SPLIT = Split(np.array([0, 1, 5]), np.array([2]), np.array([3]), "by hand")
LABEL = Targets(aim="label", names=("bright",))


def test_splits_are_those_of_the_run() -> None:
    found = collection_of(examples(6), SPLIT, LABEL)
    assert found.splits == ("train", "train", "val", "test", "", "train")
    assert found.patients == examples(6).patients


def test_one_label_is_a_class_of_two() -> None:
    found = collection_of(examples(6), SPLIT, LABEL)
    assert found.attributes["target"].tolist() == ["no bright", "bright"] * 3
    assert found.label_names == ()


def test_several_labels_stay_labels() -> None:
    shown = replace(
        examples(3),
        outputs=("a", "b"),
        targets=np.array([[1, 0], [0, 1], [0, 0]], np.float32),
        known=np.array([[True, True], [False, True], [True, False]]),
    )
    split = Split(np.array([0]), np.array([1]), np.array([2]), "")
    found = collection_of(shown, split, Targets(aim="labels"))
    assert found.label_names == ("a", "b")
    assert found.states.tolist() == [
        [POSITIVE, NEGATIVE], [UNSAID, POSITIVE], [NEGATIVE, UNSAID],
    ]  # fmt: skip


def test_classes_are_named() -> None:
    targets = np.eye(3, dtype=np.float32)[[2, 0, 1]]
    shown = replace(
        examples(3), outputs=("x", "y", "z"), targets=targets, known=np.ones((3, 3), bool)
    )
    split = Split(np.array([0]), np.array([1]), np.array([2]), "")
    found = collection_of(shown, split, Targets(aim="class", names=("site",)))
    assert found.attributes["target"].tolist() == ["z", "x", "y"]


def test_numbers_stay_numbers() -> None:
    shown = replace(examples(3), outputs=("age",), targets=np.array([[1], [2.5], [3]], np.float32))
    split = Split(np.array([0]), np.array([1]), np.array([2]), "")
    found = collection_of(shown, split, Targets(aim="number", names=("age",)))
    assert found.numbers["age"].tolist() == [1, 2.5, 3]


def run(folder: Path, asked: Recipe) -> Trained:
    shown = examples_of(manifest.read(pictures(folder / "set")), asked.targets)
    wanted = Wanted(Run(folder / "checkpoints", {}, 3, device="cpu"))
    return train(asked, shown, lambda path: read_picture(path).pixels, wanted)


def test_figures_are_those_of_brute_force(tmp_path: Path) -> None:
    """Test images ask, all images of other patients answer: p@1, its chance, and the head's F1."""
    asked = recipe(schedule={"epochs": 1})
    trained = run(tmp_path, asked)
    write(trained, tmp_path / "out", {})
    encoder = create(f"folder:{tmp_path / 'out'}", EncoderOptions(device="cpu"))
    shown = trained.examples
    images = [read_picture(path) for path in shown.paths]
    found = judged(asked, trained, encoder, lambda path: read_picture(path).pixels, tmp_path)
    assert found is not None
    vectors = encoder.embed(images).astype(np.float64)
    hits, chances = [], []
    for query in trained.split.test:
        may = [at for at in range(len(shown)) if shown.patients[at] != shown.patients[query]]
        nearest = max(may, key=lambda at: (vectors[query] @ vectors[at], -at))
        same = [bool(shown.targets[at, 0] == shown.targets[query, 0]) for at in may]
        hits.append(bool(shown.targets[nearest, 0] == shown.targets[query, 0]))
        chances.append(np.mean(same))
    first = next(row.figure for row in found.rows if row.figure.measure == "p@1")
    assert first.queries == len(trained.split.test)
    assert first.value == pytest.approx(np.mean(hits))
    assert first.chance == pytest.approx(np.mean(chances))
    assert {name for name, _ in found.told} == {"auc", "f1"}


def test_no_test_images_no_figures(tmp_path: Path) -> None:
    asked = recipe(schedule={"epochs": 0, "parts": [0.8, 0.2, 0]})
    trained = run(tmp_path, asked)
    write(trained, tmp_path / "out", {})
    encoder = create(f"folder:{tmp_path / 'out'}", EncoderOptions(device="cpu"))
    assert judged(asked, trained, encoder, lambda _: np.zeros((1, 1)), tmp_path) is None  # type: ignore[arg-type, return-value]
