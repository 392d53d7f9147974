"""Recipes on the command line: which there are, and one with the user's own values."""

import argparse
import tomllib
from typing import Any

from dicom_node.verbs.speech import put, put_json
from encoders.training.fault import TrainingError
from encoders.training.passing_on import Values
from encoders.training.recipe import Recipe, merged
from encoders.training.recipe_files import names, read_recipe


def told(chosen: argparse.Namespace) -> int:
    """The recipes there are."""
    recipes = [read_recipe(name) for name in names()]
    if chosen.json:
        put_json([recipe.model_dump(mode="json") for recipe in recipes])
        return 0
    width = max(len(recipe.name) for recipe in recipes)
    for recipe in recipes:
        put(f"{recipe.name:<{width}}  {recipe.summary}")
    return 0


def recipe_of(chosen: argparse.Namespace) -> Recipe:
    """The recipe that is asked for, without the user's own values.

    Raises:
        TrainingError: there is none.
    """
    recipe = read_recipe(chosen.recipe)
    return recipe.at_smoke_scale() if chosen.smoke else recipe


def own_values(chosen: argparse.Namespace) -> Values:
    """What the user wants otherwise than the recipe has it, by table and name.

    Raises:
        TrainingError: one is not written as TABLE.KEY=VALUE.
    """
    targets: dict[str, Any] = {}
    if chosen.target:
        targets = {"names": chosen.target, "label_set": ""}
    if chosen.label_set is not None:
        targets = {**targets, "label_set": chosen.label_set, "names": chosen.target}
    changes: dict[str, dict[str, Any]] = {"targets": targets} if targets else {}
    for given in chosen.set:
        for table, values in _as_toml(given).items():
            changes[table] = merged(changes.get(table, {}), values)
    return changes


def _as_toml(given: str) -> dict[str, dict[str, Any]]:
    name, equals, value = given.partition("=")
    for text in (given, f'{name}="{value}"'):  # a word needs no quotes on a command line
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        if equals and all(isinstance(one, dict) for one in found.values()):
            return found
    said = " ".join(given.split())
    raise TrainingError(f"--set {said}: not TABLE.KEY=VALUE, such as optimiser.rate=1e-4")
