"""Recipes as TOML files: those of ``encoders.recipes`` come with Likeness.

One of a site's own is a file of the same form, named by its path. ``extends = NAME`` takes over all
that another says and the file itself does not.
"""

import difflib
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from encoders.training.fault import TrainingError
from encoders.training.recipe import Recipe, merged, validated

_PACKAGE = "encoders.recipes"


def names() -> tuple[str, ...]:
    """Of the recipes that come with Likeness."""
    found = (one.name for one in files(_PACKAGE).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def read_recipe(name: str) -> Recipe:
    """The recipe of that name, or of a file.

    Raises:
        TrainingError: there is none, or it is faulty; all faults are told at once.
    """
    where = name if name.endswith(".toml") else f"recipe {name}"
    recipe = validated(_told(name), where)
    try:
        recipe.at_smoke_scale()
    except TrainingError as fault:
        raise TrainingError(f"{where}, table smoke: {fault}") from fault
    return recipe


def _told(name: str, *by: str) -> dict[str, Any]:
    """What a file says, with what it takes over."""
    if name in by:
        raise TrainingError(f"recipe {name} extends itself, by {' and '.join(by)}")
    where = name if name.endswith(".toml") else f"recipe {name}"
    try:
        told = tomllib.loads(_text(name))
    except tomllib.TOMLDecodeError as fault:
        raise TrainingError(f"{where} is no TOML: {fault}") from fault
    extended = told.pop("extends", None)
    return told if extended is None else merged(_told(str(extended), name, *by), told)


def _text(name: str) -> str:
    if name.endswith(".toml"):
        try:
            return Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise TrainingError(f"recipe {name} cannot be read: {fault}") from fault
    if name not in names():
        near = difflib.get_close_matches(name, names())
        remedy = f"did you mean {', '.join(near)}?" if near else "`likeness train --list` shows all"
        raise TrainingError(f"there is no recipe {name!r}; {remedy}")
    return files(_PACKAGE).joinpath(f"{name}.toml").read_text("utf-8")
