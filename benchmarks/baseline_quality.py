"""How well the weight-free descriptor finds images of the same label, as a Markdown table.

Run ``python -m benchmarks.baseline_quality --data FOLDER``, where FOLDER holds ``cxr`` and
``multi``, each with a ``manifest.csv``. The asking image's own patient is always left out.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders.baseline import describe
from encoders.descriptor_blocks import grey_layout
from encoders.descriptor_resize import resize
from evaluation import collection as columns
from evaluation.collection import POSITIVE
from evaluation.evaluating import System, judge
from evaluation.readers import manifest
from evaluation.scores import Scores
from evaluation.tasks import THE_LABEL, Rules, one_class

Pixels = NDArray[np.float32]
Describe = Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class Collection:
    """Images among which neighbours are sought, and what is known of them.

    ``classes`` is the attribute that tells each image's class, or THE_LABEL.
    """

    known: columns.Collection
    classes: str
    images: tuple[Pixels, ...]

    @property
    def patients(self) -> tuple[str, ...]:
        """Of each image."""
        return self.known.patients


@dataclass(frozen=True)
class Line:
    """One line of the table: P@1 of both descriptors, the chance level, and the 95 % interval."""

    name: str
    count: int
    chance: float
    pixels: float
    baseline: float
    interval: tuple[float, float]


def grey_pixels(image: Pixels) -> Pixels:
    """Return the reference: 32 x 32 grey pixels less their mean, unit length."""
    return grey_layout(resize(image, 32))


def vectors_of(collection: Collection, describe_image: Describe) -> Pixels:
    return np.stack([describe_image(image) for image in collection.images])


def read_image(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)


def some_of(
    whole: columns.Collection, taken: NDArray[np.bool_], name: str, classes: str
) -> Collection:
    known = whole.take(np.flatnonzero(taken), name)
    return Collection(known, classes, tuple(read_image(path) for path in known.paths))


def chest_collections(data: Path) -> Iterator[Collection]:
    """Yield the chest radiographs of three classes: all, then PA alone and AP alone."""
    whole = manifest.read(data / "cxr")
    has_class = whole.attribute("cxr3") != ""
    yield some_of(whole, has_class, "cxr, three classes", "cxr3")
    for view in ("PA", "AP"):
        taken = has_class & (whole.attribute("view") == view)
        yield some_of(whole, taken, f"cxr, {view} only", "cxr3")


def set_collections(data: Path) -> Iterator[Collection]:
    """Yield each labelled set of the mixed images by itself."""
    whole = manifest.read(data / "multi")
    sets, labelled = whole.attribute("set"), (whole.states == POSITIVE).any(axis=1)
    for name in np.unique(sets[labelled]):
        yield some_of(whole, labelled & (sets == name), str(name), THE_LABEL)


def first_hits(collection: Collection, describe_image: Describe) -> Scores:
    """Return P@1 and chance of each image, its own patient left out."""
    known = collection.known
    system = System(known.name, vectors_of(collection, describe_image))
    task = one_class(known, collection.classes, ("p@1",))
    return judge(system, task, known, Rules()).scores["class: p@1"]


def interval_over_patients(scores: Scores) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the mean over 2000 draws of whole patients.

    Neighbours are not sought anew in a draw, so what is told is the spread of the questions.
    """
    found, asked = np.bincount(scores.patients, scores.values), np.bincount(scores.patients)
    draws = np.random.default_rng(0).integers(0, len(found), (2000, len(found)))
    low, high = np.percentile(found[draws].sum(axis=1) / asked[draws].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def line_of(collection: Collection) -> Line:
    hits = first_hits(collection, describe)
    return Line(
        collection.known.name,
        len(hits.values),
        float(hits.by_chance.mean()),
        float(first_hits(collection, grey_pixels).values.mean()),
        float(hits.values.mean()),
        interval_over_patients(hits),
    )


def table(chest: Sequence[Line], sets: Sequence[Line]) -> Iterator[str]:
    """Yield the lines of the Markdown table, the mean over the sets last."""
    yield "| collection | images | chance | 32x32 pixels | baseline | 95 % over patients |"
    yield "|---|---|---|---|---|---|"
    for s in (*chest, *sets):
        interval = f"{s.interval[0]:.3f} to {s.interval[1]:.3f}"
        cells = f"{s.chance:.3f} | {s.pixels:.3f} | {s.baseline:.3f} | {interval}"
        yield f"| {s.name} | {s.count} | {cells} |"
    count = sum(s.count for s in sets)
    means = [np.mean([getattr(s, name) for s in sets]) for name in ("chance", "pixels", "baseline")]
    yield f"| mean over sets | {count} | {' | '.join(f'{mean:.3f}' for mean in means)} | |"


def milliseconds(size: int, repeats: int = 15) -> float:
    """Return the median time of one description of a size x size image of noise."""
    image = np.random.default_rng(size).random((size, size), dtype=np.float32)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        describe(image)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with cxr and multi")
    data = parser.parse_args().data
    chest = [line_of(collection) for collection in chest_collections(data)]
    sets = [line_of(collection) for collection in set_collections(data)]
    print("Label precision at 1, same patient left out.\n")
    print("\n".join(table(chest, sets)))
    times = ", ".join(f"{size}x{size} {milliseconds(size):.1f} ms" for size in (512, 1024, 2048))
    print(f"\nTime per image (median): {times}")


if __name__ == "__main__":
    main()
