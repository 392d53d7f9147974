"""Recipes as files: what they say, their faults all at once, their digests."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from encoders.networks.known import NETWORKS
from encoders.preprocessing import Preprocessing
from encoders.training.fault import TrainingError
from encoders.training.recipe import Recipe
from encoders.training.recipe_files import names, read_recipe

WHOLE = """
name = "own"
summary = "a recipe of one's own"
source = "nowhere"
loss = "bce"
[targets]
aim = "label"
names = ["Effusion"]
[network]
builder = "densenet121"
config = { in_channels = 1 }
dimension = 1024
[preprocessing]
size = 224
resize = "square"
mean = [0.5]
std = [0.25]
[optimiser]
name = "adam"
rate = 1e-4
[schedule]
epochs = 10
batch = 32
[smoke]
preprocessing.size = 64
schedule = { epochs = 2, batch = 8 }
"""


def written(folder: Path, text: str = WHOLE) -> str:
    path = folder / "own.toml"
    path.write_text(text)
    return str(path)


@pytest.fixture
def own(tmp_path: Path) -> Recipe:
    return read_recipe(written(tmp_path))


def test_a_file_says_what_it_says_and_the_rest_stands_as_documented(own: Recipe) -> None:
    assert own.preprocessing == Preprocessing(size=224, resize="square", mean=(0.5,), std=(0.25,))
    assert own.targets.names == ("Effusion",)
    assert own.network.config == {"in_channels": 1}
    assert own.augmentation.flip == own.augmentation.rotate == 0
    assert own.augmentation.scale == 1
    assert own.schedule.split == own.schedule.paper_split == "patient"


@pytest.mark.parametrize("name", names())
def test_a_recipe_that_comes_along_has_its_files_name_and_a_network_that_is_known(
    name: str,
) -> None:
    found = read_recipe(name)
    assert found.name == name
    assert found.network.builder in NETWORKS
    assert found.summary
    assert found.source
    small = found.at_smoke_scale()
    if found.schedule.epochs:
        assert small.schedule.epochs <= found.schedule.epochs
    assert small.preprocessing.size <= found.preprocessing.size


def test_the_files_are_all_that_there_are() -> None:
    found = {one.name for one in files("encoders.recipes").iterdir() if ".toml" in one.name}
    assert found == {f"{name}.toml" for name in names()}
    assert "p5-densenet-224" in names()


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    faulty = WHOLE.replace("rate = 1e-4", "rate = 0\nspeed = 3").replace("size = 224", "size = 0")
    faulty = faulty.replace('aim = "label"', 'aim = "lable"').replace("epochs = 10", "epochs = -1")
    faulty = faulty.replace('summary = "a recipe of one\'s own"', "")
    with pytest.raises(TrainingError) as told:
        read_recipe(written(tmp_path, faulty))
    for name in (
        "summary: Field required",
        "targets.aim",
        "preprocessing: Value error, an image has at least one pixel",
        "optimiser.rate",
        "optimiser.speed: Extra inputs are not permitted",
        "schedule.epochs",
    ):
        assert name in str(told.value)
    assert "own.toml" in str(told.value)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"preprocessing": {"sizee": 3}}, "preprocessing.sizee"),
        ({"preprocessing": {"std": [0.0]}}, "std above 0"),
        ({"preprocessing": {"mean": [0.5, 0.5]}}, "as many channels"),
        ({"preprocessing": {"mean": []}}, "one at least"),
        ({"preprocessing": {"resize_to": 0}}, "at least one pixel"),
        ({"preprocessing": {"low": 1.0}}, "low is below high"),
        ({"preprocessing": {"mean": [float("nan")]}}, "preprocessing"),
        ({"optimiser": {"rate": float("inf")}}, "optimiser.rate: .*finite"),
        ({"optimiser": {"rate": float("nan")}}, "optimiser.rate"),
        ({"augmentation": {"scale": 0}}, "augmentation.scale"),
        ({"augmentation": {"flip": 1.5}}, "augmentation.flip"),
        ({"schedule": {"per_class": 4}}, "per_class go together"),
        ({"schedule": {"classes_per_batch": 3}}, "per_class go together"),
        ({"schedule": {"classes_per_batch": 2, "per_class": 4}}, "where the aim is class"),
        ({"schedule": {"parts": [0, 1, 1]}}, "training is not 0"),
        ({"schedule": {"parts": [1, -1, 1]}}, "not negative"),
        ({"schedule": {"parts": [1, 1]}}, "schedule.parts"),
        ({"schedule": {"monitor": "mae"}}, "mae is of a number, and the aim is label"),
        ({"schedule": {"monitor": "p@1"}}, "p@1 is of a class, and the aim is label"),
        ({"targets": {"names": ["a", "b"]}}, "a label is one name, not 2"),
        ({"targets": {"bins": [200.0, 150.0]}}, "bins rise"),
        ({"targets": {"bins": [150.0, 150.0]}}, "bins rise"),
        ({"loss": {"margin": 1}}, "no table 'loss'"),
        ({"optimizer": {"rate": 1}}, "no table 'optimizer'"),
    ],
)
def test_values_that_cannot_be_meant(
    own: Recipe, parts: dict[str, dict[str, Any]], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        own.changed(parts)


@pytest.mark.parametrize(
    ("loss", "aim"), [("batch-all triplet", "label"), ("l1", "label"), ("l1", "class")]
)
def test_a_loss_is_of_its_aim(tmp_path: Path, loss: str, aim: str) -> None:
    text = WHOLE.replace('loss = "bce"', f'loss = "{loss}"').replace('"label"', f'"{aim}"')
    with pytest.raises(TrainingError, match=f"{loss} is of a (class|number), and the aim is {aim}"):
        read_recipe(written(tmp_path, text))


def test_a_faulty_smoke_scale_is_told_when_the_file_is_read(tmp_path: Path) -> None:
    text = WHOLE.replace("epochs = 2", "epoch = 2")
    with pytest.raises(TrainingError, match=r"table smoke: .*schedule\.epoch: Extra"):
        read_recipe(written(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("p5-densenet-244", "no recipe 'p5-densenet-244'; did you mean .*p5-densenet-224"),
        ("zzz", "likeness train --list"),
        ("/nowhere/own.toml", "recipe /nowhere/own.toml cannot be read"),
    ],
)
def test_a_recipe_that_is_not_there(name: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        read_recipe(name)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"name = ", "is no TOML"), (b"name = '\xff'", "cannot be read"), (b"", "Field required")],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=message):
        read_recipe(str(path))


def test_smoke_scale_changes_what_it_names_and_nothing_else(own: Recipe) -> None:
    small = own.at_smoke_scale()
    assert (small.preprocessing.size, small.schedule.epochs, small.schedule.batch) == (64, 2, 8)
    assert small.preprocessing == replace(own.preprocessing, size=64)
    back = {"preprocessing": {"size": 224}, "schedule": {"epochs": 10, "batch": 32}}
    assert small.changed(back) == own
    assert small.at_smoke_scale() == small
    assert own.schedule.epochs == 10


def other(value: Any) -> Any:
    """Something else of that type, whether it can be meant or not."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, dict):
        return {**value, "x": {}}
    return 7 if value is None else (*value, *value, "x")


def variants(part: Any) -> Iterator[tuple[str, Any]]:
    """The part with one value changed, for each of its values."""
    if isinstance(part, BaseModel):
        told = list(type(part).model_fields)
    else:
        told = [one.name for one in fields(part)]
    for name in told:
        value = getattr(part, name)
        inner = isinstance(value, BaseModel | Preprocessing)
        for where, changed in variants(value) if inner else [("", other(value))]:
            yield f"{name}.{where}".strip("."), with_other(part, {name: changed})


def with_other(part: Any, values: dict[str, Any]) -> Any:
    if isinstance(part, Preprocessing):
        return replace(part, **values)
    return part.model_copy(update=values)


def digest(recipe: Recipe) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are not of their type
        return recipe.digest


WORDS = {"summary", "source", "notes", "smoke"}
"""What may be put otherwise though a run is half done: it changes nothing that is done."""


def test_the_digest_changes_with_every_value_but_words(own: Recipe) -> None:
    found = {where: digest(changed) for where, changed in variants(own)}
    assert {"name", "loss_options", "targets.aim", "preprocessing.std"} | WORDS <= found.keys()
    assert {where for where, one in found.items() if one == own.digest} == WORDS
    others = [one for where, one in found.items() if where not in WORDS]
    assert len(others) > 50
    assert len(set(others)) == len(others)


def test_the_digest_is_that_of_what_is_said_not_of_how(tmp_path: Path, own: Recipe) -> None:
    assert re.fullmatch("[0-9a-f]{16}", own.digest)
    again = WHOLE.replace("batch = 32", "batch = 32  # as the paper") + "\n\n"
    assert read_recipe(written(tmp_path, again)).digest == own.digest
    defaults = WHOLE.replace("dimension = 1024", 'dimension = 1024\nhead = "linear"')
    assert read_recipe(written(tmp_path, defaults)).digest == own.digest
