"""Which regions a network takes for neighbours, told by the images that it learns."""

import numpy as np

from encoders.regions.crops import RegionError
from encoders.regions.jaccard import Adjacency, adjacency
from encoders.regions.layouts import regions_of
from encoders.regions.touching import touching
from encoders.training.examples import Boxes, Examples
from encoders.training.fault import TrainingError
from encoders.training.reading import Read
from encoders.training.recipe import Recipe

_ENOUGH = 64
"""Images whose regions are looked for, where nobody drew them."""


def with_neighbours(recipe: Recipe, learned: Examples, read: Read) -> Recipe:
    """The recipe with the graph in its network's config; unchanged where it asks for none.

    Args:
        recipe: that may ask for one.
        learned: images that are learned, never those that are asked later.
        read: from a file to gray levels.

    Raises:
        TrainingError: it is to be made of findings of regions, and the set tells none.
    """
    if not recipe.network.neighbours:
        return recipe
    try:
        found = _related(recipe, learned, read)
    except RegionError as fault:
        raise TrainingError(f"recipe {recipe.name}: {fault}") from fault
    config = {**recipe.network.config, "neighbours": found.tolist()}
    return recipe.model_copy(
        update={"network": recipe.network.model_copy(update={"config": config})}
    )


def _related(recipe: Recipe, learned: Examples, read: Read) -> Adjacency:
    if not len(learned):
        raise TrainingError(f"{learned.name}: no image is left to relate regions by")
    if recipe.network.neighbours == "touching":
        return touching(_usual_boxes(recipe, learned, read))
    if learned.findings is None:
        raise TrainingError(
            f"recipe {recipe.name} relates regions by the findings that they share, and "
            f"{learned.name} tells none: give them with --boxes, or relate regions by where "
            "they lie with --set network.neighbours=touching"
        )
    return adjacency(learned.findings)


def _usual_boxes(recipe: Recipe, learned: Examples, read: Read) -> Boxes:
    """The median of each edge over images."""
    if learned.boxes is not None:
        return np.asarray(np.median(learned.boxes, axis=0), np.float32)
    layout = recipe.preprocessing.regions
    some = [regions_of(layout, read(path)).boxes for path in learned.paths[:_ENOUGH]]
    return np.asarray(np.median(np.stack(some), axis=0), np.float32)
