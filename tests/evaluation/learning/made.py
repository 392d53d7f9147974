"""A small set of pictures with its manifest, and recipes for it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders.training.loop import Run, quiet
from encoders.training.passing_on import Values
from encoders.training.recipe import Recipe
from encoders.training.training import Wanted
from evaluation.collection import Collection
from evaluation.learning.running import Asked, Product, product_of
from evaluation.readers import manifest
from tests.encoders.training.small import recipe

Draw = Callable[[int], Image.Image]
COUNT = 48


def gray(at: int) -> Image.Image:
    """Noise, whose upper half is brighter in every other image."""
    return Image.fromarray((levels(at) * 255).astype(np.uint8))


def levels(at: int) -> NDArray[np.float64]:
    """In [0, 1]; no two images have the same size."""
    found = np.random.default_rng(at).random((40 + at % 5, 36 + at % 7)) * 0.5
    found[:20] += 0.4 * (at % 2)
    return np.asarray(found)


def pictures(
    folder: Path,
    draw: Draw = gray,
    count: int = COUNT,
    columns: Sequence[str] = ("file", "patient_id", "labels", "age", "site"),
) -> Path:
    """A folder of pictures with a manifest; two images of each patient."""
    folder.mkdir(parents=True)
    lines = [",".join(columns)]
    for at in range(count):
        draw(at).save(folder / f"{at}.png")
        told = {
            "file": f"{at}.png",
            "patient_id": f"p{at // 2}",
            "labels": "bright" if at % 2 else "No Finding",
            "age": 20 + at,
            "site": "abc"[at % 3],
            "split": ("train", "train", "train", "val", "test", "test")[at // 2 % 6],
        }
        lines.append(",".join(str(told[name]) for name in columns))
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def quick(**tables: Any) -> Recipe:
    """One epoch of the small recipe."""
    return recipe(**{"schedule": {"epochs": 1}, **tables})


def trained(
    asked: Recipe,
    place: Path,
    folder: Path,
    collection: Collection | None = None,
    own: Values | None = None,
    **more: Any,
) -> Product:
    """What `likeness train` comes to, without its command line."""
    shown = manifest.read(place) if collection is None else collection
    run = Run(folder, {}, 3, device="cpu")
    what = Asked(
        asked,
        shown,
        "the place",
        "likeness train",
        smoke=False,
        shown=lambda _: quiet,
        own=own or {},
    )
    return product_of(what, folder, Wanted(run, **more))
