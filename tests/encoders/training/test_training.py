"""A recipe is run: who is learned, what is refused before it costs hours, what is written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from encoders.encoder import EncoderError, EncoderOptions
from encoders.folders.told import TOLD, WEIGHTS, read_told
from encoders.image import GrayscaleImage
from encoders.registry import create
from encoders.training.augmentation import augmentation_of
from encoders.training.examples import Examples
from encoders.training.fault import TrainingError
from encoders.training.loop import Run
from encoders.training.reading import Images
from encoders.training.recipe import Augmentation, Recipe
from encoders.training.training import (
    Trained,
    Wanted,
    asked_of,
    outputs_of,
    parted,
    stamp_of,
    train,
    write,
)
from tests.encoders.training.small import examples, read, recipe

ONE_EPOCH = {"epochs": 1}


def wanted(folder: Path, **more: Any) -> Wanted:
    return Wanted(Run(folder / "checkpoints", {}, 3, device="cpu"), **more)


def run(folder: Path, asked: Recipe | None = None, shown: Examples | None = None) -> Trained:
    asked = asked or recipe(schedule=ONE_EPOCH)
    return train(asked, examples() if shown is None else shown, read, wanted(folder))


def test_a_run_becomes_a_folder_that_answers_as_the_network(tmp_path: Path) -> None:
    trained = run(tmp_path)
    told = write(trained, tmp_path, {"seed": "3"})
    assert read_told(tmp_path) == told
    assert (told.outputs, told.made, told.licence) == (
        ("bright",),
        {"seed": "3"},
        "that of the images it was trained on",
    )
    encoder = create(f"folder:{tmp_path}", EncoderOptions(device="cpu"))
    pixels = read(Path("5.png"))
    [vector] = encoder.embed([GrayscaleImage(pixels)])
    plain = Images(examples(), read, recipe().preprocessing, augmentation_of(Augmentation(), 32), 0)
    with torch.inference_mode():
        [expected] = trained.network.eval()(plain[5][0][None]).numpy()
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-3)


def test_what_head_and_network_say(tmp_path: Path) -> None:
    trained = run(tmp_path)
    plain = Images(
        examples(6), read, recipe().preprocessing, augmentation_of(Augmentation(), 32), 0
    )
    found = outputs_of(trained, DataLoader(plain, batch_size=4))
    assert found.shape == (6, 1)
    weight, bias = trained.head.state_dict().values()
    with torch.inference_mode():
        vector = trained.network.eval()(plain[4][0][None])[0]
    assert float(found[4, 0]) == pytest.approx(float(vector @ weight[0] + bias[0]), abs=1e-5)


def test_a_folder_can_be_written_again(tmp_path: Path) -> None:
    trained = run(tmp_path)
    write(trained, tmp_path, {})
    first = (tmp_path / WEIGHTS).read_bytes(), (tmp_path / TOLD).read_bytes()
    write(trained, tmp_path, {})
    assert ((tmp_path / WEIGHTS).read_bytes(), (tmp_path / TOLD).read_bytes()) == first


def test_nothing_to_learn_needs_no_loop(tmp_path: Path) -> None:
    trained = run(tmp_path, recipe(schedule={"epochs": 0}))
    assert trained.ended is None
    assert not (tmp_path / "checkpoints").exists()


def test_a_network_begins_the_same_whatever_was_drawn_before(tmp_path: Path) -> None:
    nothing = recipe(schedule={"epochs": 0})
    torch.manual_seed(1)
    first = run(tmp_path, nothing)
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    again = run(tmp_path, nothing)
    assert torch.equal(before, torch.random.get_rng_state())
    for name, one in first.network.state_dict().items():
        assert torch.equal(one, again.network.state_dict()[name])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {"dimension": 8}}, "vectors have 16 numbers, and network.dimension is 8"),
        ({"preprocessing": {"size": 48}}, r"input of shape \(1, 48, 48\) does not go through"),
        ({"preprocessing": {"mean": [0, 0], "std": [1, 1]}}, r"shape \(2, 32, 32\) does not go"),
        ({"preprocessing": {"regions": "grid 2x3"}}, r"shape \(6, 32, 32\) does not go"),
        ({"network": {"head": "linear on last states"}}, "does not go through"),
        ({"network": {"head": "codes and classes"}}, "stands on a hash net"),
        ({"network": {"head": "whatever"}}, "no head 'whatever'"),
        ({"network": {"frozen": ["layer9."]}}, "no part 'layer9.' that could stay"),
        ({"network": {"neighbours": "jaccard"}}, "tells none"),
        ({"preprocessing": {"fill_last": True}}, "fill_last"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_learned(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        run(tmp_path, recipe(**changes))
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"builder": "vitt"}, "no network 'vitt'; there are vit"),
        ({"config": {"num_heads": 3}}, "look at its config"),
    ],
)
def test_a_network_that_cannot_be_built(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(EncoderError, match=message):
        run(tmp_path, recipe(network=changes))


def _constant(value: float) -> Examples:
    shown = examples()
    return replace(shown, targets=np.full_like(shown.targets, value))


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (_constant(0), "bright has no positive image"),
        (_constant(1), "bright has no negative image"),
        (examples(48, patients=1), "made has 1 patients, too few for 3 parts"),
        (examples(48, patients=2), "made has 2 patients, too few for 3 parts"),
        (examples(0), "made has 0 patients"),
    ],
)
def test_images_of_which_nothing_can_be_learned(
    tmp_path: Path, shown: Examples, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        run(tmp_path, shown=shown)


def test_no_more_is_learned_than_is_wanted() -> None:
    asked = recipe(schedule={"images": 10})
    split = parted(asked, examples(), wanted(Path()))
    whole = parted(recipe(), examples(), wanted(Path()))
    assert len(split.train) == 10
    assert set(split.train) < set(whole.train)
    assert split.rule == f"{whole.rule}; of {len(whole.train)} to learn 10 by lot"
    np.testing.assert_array_equal(split.test, whole.test)


@pytest.mark.parametrize("split", ["patient", "image"])
def test_who_is_asked_of_the_whole_is_learned_by_no_part(split: Any) -> None:
    shown = examples(96)
    rare = recipe(targets={"undersample": True}, schedule={"parts": [0.6, 0.3, 0.1]})
    few = shown.take(np.flatnonzero(np.arange(96) // 2 % 5 > 0))
    kept = asked_of(recipe(), shown, wanted(Path(), split=split))
    found = parted(rare, few, wanted(Path(), split=split, kept=kept))
    names = few.patients if split == "patient" else few.ids
    of = [{names[at] for at in part} for part in (found.train, found.validation, found.test)]
    assert kept & set(names) <= of[2]
    assert not kept & (of[0] | of[1])
    every = np.concatenate([found.train, found.validation, found.test])
    assert sorted(every) == list(range(len(few)))
    before = parted(rare, few, wanted(Path(), split=split))
    assert any(names[at] in kept for at in before.train), "the lot alone would not have done it"


def test_parts_of_a_fold_never_meet_who_is_asked() -> None:
    shown = examples(96)
    few = shown.take(np.flatnonzero(np.arange(96) % 3 > 0))
    for at in range(3):
        asked = asked_of(recipe(), shown, wanted(Path(), fold=(at, 3)))
        part = parted(recipe(), few, wanted(Path(), fold=(at, 3)))
        assert not asked & {few.patients[one] for one in [*part.train, *part.validation]}


def _stamp(**more: Any) -> dict[str, str]:
    shown = more.pop("shown", examples())
    asked = more.pop("asked", recipe())
    return stamp_of(asked, shown, wanted(Path(), **more))


def test_the_same_run_has_the_same_stamp() -> None:
    assert _stamp() == _stamp()


def test_whatever_changes_a_network_changes_its_stamp(tmp_path: Path) -> None:
    init = tmp_path / "init.safetensors"
    init.write_bytes(b"one")
    boxes = np.zeros((48, 6, 4), np.float32)
    shown = examples()
    others = [
        _stamp(asked=recipe(optimiser={"rate": 0.02})),
        _stamp(shown=examples(46)),
        _stamp(shown=replace(shown, patients=tuple(reversed(shown.patients)))),
        _stamp(shown=replace(shown, targets=1 - shown.targets)),
        _stamp(shown=replace(shown, boxes=boxes)),
        _stamp(shown=replace(shown, boxes=boxes + np.float32(0.5))),
        _stamp(shown=replace(shown, findings=np.zeros((48, 6, 2), bool))),
        _stamp(split="image"),
        _stamp(fold=(0, 3)),
        _stamp(fold=(1, 3)),
        _stamp(kept=frozenset({"p1"})),
        _stamp(init=init),
    ]
    init.write_bytes(b"two")
    others.append(_stamp(init=init))
    told = [json.dumps(one) for one in [_stamp(), *others]]
    assert len(set(told)) == len(told)


def test_a_stamp_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"--init: .* cannot be read: No such file"):
        _stamp(init=tmp_path / "nothing")


def test_what_is_frozen_stays_to_the_last_bit(tmp_path: Path) -> None:
    """Its norms' running means too, from the first batch on."""
    table = {
        "builder": "resnet50",
        "config": {"in_channels": 1, "layers": [1, 1, 1, 1], "planes": [4, 4, 4, 4]},
        "pooling": "mean",
        "dimension": 16,
        "frozen": ["layer1.", "layer2."],
    }
    told = recipe(schedule={"epochs": 2}).model_dump()
    asked = Recipe.model_validate({**told, "network": table})
    before = run(tmp_path / "none", asked.changed({"schedule": {"epochs": 0}})).network.body
    after = run(tmp_path / "two", asked).network.body.state_dict()
    same = {name for name, one in before.state_dict().items() if torch.equal(one, after[name])}
    frozen = {name for name in after if name.startswith(("layer1.", "layer2."))}
    assert frozen <= same
    assert not any(name.startswith("layer3.") for name in same if name.endswith("weight"))
