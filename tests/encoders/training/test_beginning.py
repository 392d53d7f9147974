"""What a network begins with: a file, or encoders of other recipes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets.densenet import DenseNet121
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from encoders.folders.told import WEIGHTS
from encoders.networks.known import build
from encoders.training.beginning import begin
from encoders.training.fault import TrainingError
from encoders.training.recipe import Needed, Recipe
from tests.encoders.folders.made import change, folder
from tests.encoders.training.small import recipe

Tensors = dict[str, Tensor]


def body(asked: Recipe, seed: int = 9) -> nn.Module:
    torch.manual_seed(seed)
    return build(asked.network.builder, asked.network.config, asked.network.pooling).body


def file(path: Path, tensors: Tensors) -> Path:
    save_file({name: one.clone().contiguous() for name, one in tensors.items()}, path)
    return path


def equal(one: Tensors, other: Tensors) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


RESNET: dict[str, Any] = {
    "builder": "resnet50",
    "config": {"in_channels": 1, "layers": [1, 1, 1, 1], "planes": [4, 4, 4, 4]},
    "pooling": "mean",
    "dimension": 16,
}
DENSENET: dict[str, Any] = {
    "builder": "densenet121",
    "config": {"in_channels": 1},
    "pooling": "mean after ReLU",
    "dimension": 1024,
}


def of_network(table: dict[str, Any]) -> Recipe:
    told = recipe().model_dump()
    return Recipe.model_validate({**told, "network": table})


def test_a_file_of_the_same_network_is_taken_whole(tmp_path: Path) -> None:
    there, here = body(recipe(), 1).state_dict(), body(recipe(), 2)
    begin(here, recipe(), file(tmp_path / "init.safetensors", there), {})
    assert equal(here.state_dict(), there)


def test_without_a_file_nothing_changes() -> None:
    here = body(recipe())
    before = {name: one.clone() for name, one in here.state_dict().items()}
    begin(here, recipe(), None, {})
    assert equal(here.state_dict(), before)


def test_three_channels_become_one_as_of_three_equal_ones(tmp_path: Path) -> None:
    gray, config = recipe(), {**recipe().network.config, "in_channels": 3}
    colour = recipe(network={"config": config})
    of_three, of_one = body(colour, 1), body(gray, 2)
    begin(of_one, gray, file(tmp_path / "init.safetensors", of_three.state_dict()), {})
    image = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        expected = of_three.eval()(image.expand(2, 3, 32, 32))[0]
        found = of_one.eval()(image)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_whole_densenet_of_monai_loses_its_classifier(tmp_path: Path) -> None:
    asked, whole = of_network(DENSENET), DenseNet121(2, 1, 14)
    here = body(asked)
    begin(here, asked, file(tmp_path / "init.safetensors", whole.state_dict()), {})
    assert equal(here.state_dict(), whole.features.state_dict())


def test_a_resnet_without_biases_and_counters_begins_as_one_with_zeros(tmp_path: Path) -> None:
    asked = of_network(RESNET)
    published = {
        name: one
        for name, one in body(asked, 1).state_dict().items()
        if not name.endswith(("downsample.0.bias", "num_batches_tracked"))
    }
    there = {**published, "fc.weight": torch.zeros(1000, 16), "fc.bias": torch.zeros(1000)}
    here = body(asked, 2)
    begin(here, asked, file(tmp_path / "init.safetensors", there), {})
    found = here.state_dict()
    assert all(torch.equal(found[name], one) for name, one in published.items())
    biases = [one for name, one in found.items() if name.endswith("downsample.0.bias")]
    assert biases
    assert not any(one.any() for one in biases)


def test_a_part_of_the_network_begins_and_the_rest_stays(tmp_path: Path) -> None:
    member = {"builder": "vit", "pooling": "class token", "config": recipe().network.config}
    table = {
        "builder": "ensemble",
        "config": {"members": [member, member]},
        "pooling": "concatenated",
        "dimension": 32,
        "init_into": "members.1.",
    }
    asked = of_network(table)
    there, here = body(recipe(), 1).state_dict(), body(asked)
    before = {name: one.clone() for name, one in here.state_dict().items()}
    begin(here, asked, file(tmp_path / "init.safetensors", there), {})
    for name, one in here.state_dict().items():
        own = name.startswith("members.1.")
        expected = there[name.removeprefix("members.1.")] if own else before[name]
        assert torch.equal(one, expected), name


def _lacking(tensors: Tensors) -> None:
    del tensors["norm.weight"]


def _beyond(tensors: Tensors) -> None:
    tensors["extra.weight"] = torch.zeros(1)


def _wider(tensors: Tensors) -> None:
    tensors["norm.weight"] = torch.zeros(17)


def _endless(tensors: Tensors) -> None:
    tensors["norm.weight"][0] = torch.inf


def _nothing(tensors: Tensors) -> None:
    for name in list(tensors):
        del tensors[name]
    tensors["fc.weight"] = torch.zeros(2, 2)


def _five_channels(tensors: Tensors) -> None:
    name = "patch_embedding.patch_embeddings.weight"
    tensors[name] = tensors[name].expand(-1, 5, -1, -1)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_lacking, "init.safetensors does not fit the network: missing: norm.weight$"),
        (_beyond, "unexpected: extra.weight$"),
        (_wider, r"of another shape: norm.weight \(17,\) instead of \(16,\)"),
        (_endless, "with NaN or infinity: norm.weight"),
        (_nothing, "holds no tensors of a body"),
        (_five_channels, "of another shape: patch_embedding"),
    ],
)
def test_a_file_that_does_not_fit_is_told_by_name(
    tmp_path: Path, harm: Callable[[Tensors], None], message: str
) -> None:
    tensors = {name: one.clone() for name, one in body(recipe()).state_dict().items()}
    harm(tensors)
    here = body(recipe(), 2)
    before = {name: one.clone() for name, one in here.state_dict().items()}
    with pytest.raises(TrainingError, match=message):
        begin(here, recipe(), file(tmp_path / "init.safetensors", tensors), {})
    assert equal(here.state_dict(), before)


def test_a_file_of_quite_another_network_is_told_in_a_few_names(tmp_path: Path) -> None:
    other = file(tmp_path / "init.safetensors", body(of_network(RESNET)).state_dict())
    with pytest.raises(TrainingError, match=r"missing: .* and .* more; unexpected: ") as fault:
        begin(body(recipe()), recipe(), other, {})
    assert len(str(fault.value)) < 1200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--init: weights file .* cannot be read: No such file"),
        (b"", "--init: "),
        (b"no weights at all", "--init: .* is no whole safetensors file"),
        (b"PK\x03\x04 a pickle of torch's", "--init: .*pickle"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "init.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match=message):
        begin(body(recipe()), recipe(), path, {})


@dataclass(frozen=True)
class Whole:
    """A network that is made of two others."""

    recipe: Recipe
    parts: dict[str, Path]


@pytest.fixture
def whole(tmp_path: Path) -> Whole:
    one, other = (small_named(name) for name in ("one", "other"))
    member = {"builder": "vit", "pooling": "class token", "config": recipe().network.config}
    table = {
        "builder": "ensemble",
        "config": {"members": [member, member]},
        "pooling": "concatenated",
        "dimension": 32,
        "head": "none",
    }
    needs = (
        Needed(recipe="one", body="members.0."),
        Needed(recipe="other", body="members.1."),
    )
    made = of_network(table).model_copy(update={"name": "both", "needs": needs})
    parts = {
        "one": folder(tmp_path / "one", one, seed=1),
        "other": folder(tmp_path / "other", other, seed=2),
    }
    return Whole(made, parts)


def small_named(name: str) -> Recipe:
    return recipe().model_copy(update={"name": name})


def test_a_network_is_made_of_others(whole: Whole) -> None:
    here = body(whole.recipe)
    begin(here, whole.recipe, None, whole.parts)
    for at, path in enumerate(whole.parts.values()):
        there = load_file(path / WEIGHTS)
        for name, one in there.items():
            if not name.startswith("head."):
                assert torch.equal(here.state_dict()[f"members.{at}.{name}"], one)


def test_a_file_is_for_those_that_it_is_made_of(whole: Whole, tmp_path: Path) -> None:
    init = file(tmp_path / "init.safetensors", body(recipe(), 5).state_dict())
    here = body(whole.recipe)
    begin(here, whole.recipe, init, whole.parts)
    other = body(whole.recipe)
    begin(other, whole.recipe, None, whole.parts)
    assert equal(here.state_dict(), other.state_dict())


def test_a_head_is_taken_over_where_it_is_wanted(tmp_path: Path) -> None:
    """As paper 3's second network looks at the maps of the first."""
    of_maps = nn.ModuleDict({"first": nn.ModuleDict({"features": body(recipe())})})
    of_maps["first"]["classifier"] = nn.Linear(16, 1)  # type: ignore[operator]
    needs = (Needed(recipe="small", body="first.features.", head="first.classifier."),)
    asked = recipe().model_copy(update={"needs": needs})
    path = folder(tmp_path / "small")
    begin(of_maps, asked, None, {"small": path})
    found, there = of_maps.state_dict(), load_file(path / WEIGHTS)
    assert torch.equal(found["first.classifier.weight"], there["head.out.weight"])
    assert torch.equal(found["first.features.norm.weight"], there["norm.weight"])


def _of_another_recipe(whole: Whole) -> None:
    whole.parts["one"] = whole.parts["other"]


def _gone(whole: Whole) -> None:
    whole.parts["one"] = whole.parts["one"] / "nowhere"


def _not_given(whole: Whole) -> None:
    del whole.parts["other"]


def _damaged(whole: Whole) -> None:
    with (whole.parts["one"] / WEIGHTS).open("r+b") as opened:
        opened.truncate(2000)


def _sees_other(whole: Whole) -> None:
    change(whole.parts["one"], "preprocessing", "mean", to=[0.1])


def _of_another_network(whole: Whole) -> None:
    whole.parts["one"] = folder(
        whole.parts["one"].parent / "wide",
        small_named("one").changed({"network": {"config": {"mlp_dim": 32}}}),
    )


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_of_another_recipe, "folder .*/other is of other, not of one"),
        (_gone, "one: .*encoder.json cannot be read"),
        (_not_given, "both is made of other: give its folder with --part other=FOLDER"),
        (_damaged, "one: .*SHA-256 differs"),
        (_sees_other, r"was trained to see .*mean \[0.1\].* are to see the same"),
        (_of_another_network, "/wide does not fit the network: of another shape: members.0."),
    ],
)
def test_parts_that_do_not_serve(whole: Whole, harm: Callable[[Whole], None], message: str) -> None:
    harm(whole)
    with pytest.raises(TrainingError, match=message):
        begin(body(whole.recipe), whole.recipe, None, whole.parts)
