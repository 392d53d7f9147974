"""Which regions a network takes for neighbours, told by the images that it learns."""

import numpy as np

from encoders.regions.jaccard import adjacency
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
    asked = recipe.network.neighbours
    if not asked:
        return recipe
    if asked == "jaccard":
        if learned.findings is None:
            raise TrainingError(
                f"recipe {recipe.name} relates regions by the findings that they share, and "
                f"{learned.name} tells none: give them with --boxes, or relate regions by where "
                "they lie with --set network.neighbours=touching"
            )
        found = adjacency(learned.findings)
    else:
        found = touching(_usual_boxes(recipe, learned, read))
    config = {**recipe.network.config, "neighbours": found.tolist()}
    return recipe.model_copy(
        update={"network": recipe.network.model_copy(update={"config": config})}
    )


def _usual_boxes(recipe: Recipe, learned: Examples, read: Read) -> Boxes:
    """The median of each edge over images."""
    if learned.boxes is not None:
        return np.asarray(np.median(learned.boxes, axis=0), np.float32)
    layout = recipe.preprocessing.regions
    some = [regions_of(layout, read(path)).boxes for path in learned.paths[:_ENOUGH]]
    return np.asarray(np.median(np.stack(some), axis=0), np.float32)
