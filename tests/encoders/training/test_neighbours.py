"""Which regions a recipe's network takes for neighbours."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.training.fault import TrainingError
from encoders.training.neighbours import with_neighbours
from encoders.training.recipe import Recipe
from tests.encoders.training.small import examples, read, recipe


def asking(how: str, regions: str = "grid 2x3") -> Recipe:
    return recipe(network={"neighbours": how}, preprocessing={"regions": regions})


def never(_: Path) -> NDArray[np.float32]:
    raise AssertionError("no image is needed")


def told(found: Recipe) -> list[list[int]]:
    neighbours: list[list[int]] = found.network.config["neighbours"]
    return neighbours


def test_who_asks_for_none_gets_none() -> None:
    assert with_neighbours(recipe(), examples(4), never) == recipe()


def test_cells_of_a_grid_touch_those_around_them() -> None:
    # 0 1 2
    # 3 4 5: of two rows, columns 0 and 2 do not touch
    far = {(0, 2), (0, 5), (3, 2), (3, 5)}
    expected = [[int((a, b) not in far and (b, a) not in far) for b in range(6)] for a in range(6)]
    assert told(with_neighbours(asking("touching"), examples(4), read)) == expected


def test_drawn_boxes_are_the_median_of_each_edge() -> None:
    apart = np.array([[0, 0, 0.4, 1], [0.6, 0, 0.4, 1]], np.float32)
    wide = np.array([[0, 0, 0.9, 1], [0.6, 0, 0.4, 1]], np.float32)
    few = replace(examples(3), boxes=np.stack([apart, apart, wide]))
    assert told(with_neighbours(asking("touching"), few, never)) == [[1, 0], [0, 1]]
    many = replace(examples(3), boxes=np.stack([apart, wide, wide]))
    assert told(with_neighbours(asking("touching"), many, never)) == [[1, 1], [1, 1]]


def test_shared_findings_make_neighbours() -> None:
    # regions 0 and 1 always share the finding; region 2 never does
    findings = np.zeros((4, 3, 1), bool)
    findings[:2, :2] = True
    findings[2:, 2] = True
    shown = replace(examples(4), findings=findings)
    expected = [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert told(with_neighbours(asking("jaccard"), shown, never)) == expected


def test_the_recipe_s_other_values_stay() -> None:
    found = with_neighbours(asking("touching"), examples(4), read)
    assert {**found.network.config, "neighbours": None} == {
        **recipe().network.config,
        "neighbours": None,
    }
    assert found.schedule == recipe().schedule


@pytest.mark.parametrize(
    ("asked", "count", "message"),
    [
        (asking("jaccard"), 4, "made tells none: give them with --boxes, or .*=touching"),
        (asking("touching"), 0, "no image is left to relate regions by"),
        (asking("touching", regions=""), 4, "recipe small: there is no layout ''"),
    ],
)
def test_regions_that_cannot_be_related(asked: Recipe, count: int, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        with_neighbours(asked, examples(4).take(np.arange(count)), read)


def test_no_findings_at_all_are_told() -> None:
    shown = replace(examples(4), findings=np.zeros((4, 3, 0), bool))
    with pytest.raises(TrainingError, match="findings have shape"):
        with_neighbours(asking("jaccard"), shown, never)
