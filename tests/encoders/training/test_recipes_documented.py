"""Recipes that come with Likeness: each can be read, built and trained as far as a file tells."""

import re

import pytest
import torch

from encoders.networks.known import build
from encoders.training.heads import head_of
from encoders.training.recipe import Recipe
from encoders.training.recipe_files import names, read_recipe
from tests.encoders.training.recipe_table import DOCUMENT, table, written

REGIONS = 18


def test_the_table_is_that_of_the_files() -> None:
    _, found, _ = written(DOCUMENT.read_text("utf-8"))
    assert found == table(), "run: python -m tests.encoders.training.recipe_table"


def test_names_in_the_text_are_recipes() -> None:
    text = DOCUMENT.read_text("utf-8")
    named = set(re.findall(r"likeness train ([a-z][\w-]+)", text)) | set(
        re.findall(r"`(p\d-[\w-]+)`", text)
    )
    assert named
    assert named <= set(names())


@pytest.mark.parametrize("name", names())
def test_a_network_is_what_its_recipe_declares_at_smoke_scale(name: str) -> None:
    asked = _with_graph(read_recipe(name).at_smoke_scale())
    network, seen = asked.network, asked.preprocessing
    made = build(network.builder, network.config, network.pooling).eval()
    batch = torch.rand(2, seen.channels, seen.size, seen.size)
    with torch.inference_mode():
        found = made.body(batch)
        vectors = made.pooled(found)
        outputs = head_of(network.head, made, network.dimension, 3)(found, vectors)
    assert vectors.shape == (2, network.dimension)
    assert torch.isfinite(vectors).all()
    assert outputs.shape[0] == 2
    for prefix in network.frozen:
        assert any(one.startswith(prefix) for one in made.body.state_dict()), prefix


@pytest.mark.parametrize("name", names())
def test_a_network_can_be_built_at_full_scale(name: str) -> None:
    asked = _with_graph(read_recipe(name)).network
    with torch.device("meta"):
        names_of = build(asked.builder, asked.config, asked.pooling).body.state_dict().keys()
    for prefix in (*asked.frozen, asked.init_into):
        assert any(one.startswith(prefix) for one in names_of), prefix


@pytest.mark.parametrize("name", [name for name in names() if read_recipe(name).needs])
def test_what_it_is_made_of_fits(name: str) -> None:
    asked = read_recipe(name).at_smoke_scale()
    network = build(asked.network.builder, asked.network.config, asked.network.pooling)
    wanted = network.body.state_dict()
    for one in asked.needs:
        part = read_recipe(one.recipe).at_smoke_scale().network
        body = build(part.builder, part.config, part.pooling).body.state_dict()
        for tensor, value in body.items():
            assert wanted[one.body + tensor].shape == value.shape


def _with_graph(asked: Recipe) -> Recipe:
    """All regions are neighbours, where a graph is told by images."""
    if not asked.network.neighbours:
        return asked
    return asked.changed({"network": {"config": {"neighbours": [[1] * REGIONS] * REGIONS}}})
