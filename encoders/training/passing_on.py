"""Values that a user changes in a recipe, and the recipes of what it is made of."""

from collections.abc import Mapping
from typing import Any

from encoders.training.fault import TrainingError
from encoders.training.recipe import Recipe

Values = Mapping[str, Mapping[str, Any]]
"""By table and name."""
LEARNED_BY = frozenset({"optimiser", "schedule", "augmentation"})
"""Tables that say nothing of a recipe that is only put together."""


def passed_on(values: Values, whole: Recipe, part: Recipe) -> dict[str, dict[str, Any]]:
    """Those that a part gets too: where it has what the whole had before.

    Args:
        values: the user's own.
        whole: the recipe as it stands without them.
        part: the recipe of an encoder that it is made of.

    Raises:
        TrainingError: the part learns another target than the whole, so that the user's own would
            be learned by a half of the network; or the whole learns nothing itself and the part
            has another value, so that the user's own would change nothing.
    """
    told, of_part = whole.model_dump(), part.model_dump()
    put_together = not whole.schedule.epochs
    passed: dict[str, dict[str, Any]] = {}
    for table, own in values.items():
        same, others = _parted(own, told[table], of_part[table])
        if others and (table == "targets" or (put_together and table in LEARNED_BY)):
            names = ", ".join(f"{table}.{name}" for name in others)
            raise TrainingError(
                f"recipe {whole.name} is made of {part.name}, which has {names} of its own: train "
                f"{part.name} by itself with other ones, and give it with --part {part.name}=FOLDER"
            )
        if same:
            passed[table] = same
    return passed


def _parted(
    own: Mapping[str, Any], whole: Mapping[str, Any], part: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Values of names that stand in the part as in the whole, and the other names."""
    same: dict[str, Any] = {}
    others: list[str] = []
    for name, value in own.items():
        ours, theirs = whole.get(name), part.get(name)
        if isinstance(value, Mapping) and isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            below, apart = _parted(value, ours, theirs)
            same |= {name: below} if below else {}
            others += [f"{name}.{one}" for one in apart]
        elif ours == theirs:
            same[name] = value
        else:
            others.append(name)
    return same, others
