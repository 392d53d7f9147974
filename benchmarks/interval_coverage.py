"""How often intervals hold the truth: archives made by one recipe, as a Markdown table.

Run ``python -m benchmarks.interval_coverage``. The truth is the mean over all archives of a recipe;
of 95 % intervals 95 % should hold it. Beside ours stands the usual bootstrap over those who ask.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.machine import as_list, provenance
from evaluation.figures import Figure, figure
from evaluation.measures import answers, measure
from evaluation.nearest import Neighbourhood
from evaluation.relevance import same
from evaluation.scores import FOLLOWING, NOTHING, scored

DIMENSION, CLASSES = 16, 3
MEASURES = ("p@1", "p@10", "ap.hits@10", "rr@10")


@dataclass(frozen=True)
class Recipe:
    """Archives: so many patients of so many images; how strongly vectors show the class.

    ``own`` is how strongly they show the patient.
    """

    patients: int
    images: int
    signal: float
    own: float = 0.7


RECIPES = (Recipe(150, 2, 0), Recipe(150, 2, 1.5), Recipe(600, 1, 1.5), Recipe(200, 5, 2))


def figures(recipe: Recipe, seed: int) -> Iterator[tuple[Figure, Figure]]:
    """Yield each measure's figure with the usual interval, and with ours."""
    random = np.random.default_rng(seed)
    of_patient = random.integers(0, CLASSES, recipe.patients)
    patients = np.repeat(np.arange(recipe.patients), recipe.images)
    classes = of_patient[patients]
    vectors = random.standard_normal((len(patients), DIMENSION))
    vectors += recipe.own * random.standard_normal((recipe.patients, DIMENSION))[patients]
    vectors[:, :CLASSES] += recipe.signal * np.eye(CLASSES)[classes]
    run = Neighbourhood(vectors.astype(np.float32)).nearest(10 + FOLLOWING, apart=patients)
    given = answers(run, same(classes, "class"), np.arange(len(patients)), apart=patients)
    for name in MEASURES:
        found = scored(measure(name), given, patients)
        yield figure(replace(found, lent=NOTHING), seed=seed), figure(found, seed=seed)


def table(archives: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        "| patients, images of each | signal | measure | truth | spread of archives | "
        "askers: held, width | askers and answerers: held, width |"
    )
    yield "|---|---|---|---|---|---|---|"
    for recipe in RECIPES:
        drawn = [list(figures(recipe, seed)) for seed in range(archives)]
        for at, name in enumerate(MEASURES):
            pairs = [one[at] for one in drawn]
            values = np.array([ours.value for _, ours in pairs])
            usual = _held([first for first, _ in pairs], values.mean())
            ours = _held([second for _, second in pairs], values.mean())
            yield (
                f"| {recipe.patients}, {recipe.images} | {recipe.signal:g} | {name} | "
                f"{values.mean():.3f} | ± {1.96 * values.std():.3f} | {usual} | {ours} |"
            )


def _held(some: list[Figure], truth: float) -> str:
    held = np.mean([one.low <= truth <= one.high for one in some])
    width = np.mean([one.high - one.low for one in some]) / 2
    return f"{held:.0%}, ± {width:.3f}"


def main() -> None:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--archives", type=int, default=400, help="of each recipe (400)")
    options = made.parse_args()
    print("\n".join(table(options.archives)))
    print("\n".join(("", *as_list(provenance("benchmarks.interval_coverage")))))


if __name__ == "__main__":
    main()
