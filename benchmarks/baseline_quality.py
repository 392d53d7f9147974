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
from evaluation.precision import chance_level, hits_at, precision_at
from evaluation.readers.manifest_file import ManifestRow, read_manifest

Pixels = NDArray[np.float32]
Describe = Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class Collection:
    """Images among which neighbours are sought: name, one label and patient for each image."""

    name: str
    images: tuple[Pixels, ...]
    labels: tuple[str, ...]
    patients: tuple[str, ...]


@dataclass(frozen=True)
class Scores:
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


def collection_of(name: str, rows: Sequence[ManifestRow], labels: Sequence[str]) -> Collection:
    images = tuple(read_image(row.path) for row in rows)
    return Collection(name, images, tuple(labels), tuple(row.patient_id for row in rows))


def chest_collections(data: Path) -> Iterator[Collection]:
    """Yield the chest radiographs of three classes: all, then PA alone and AP alone."""
    rows = [row for row in read_manifest(data / "cxr" / "manifest.csv") if row.column("cxr3")]
    for view in ("", "PA", "AP"):
        chosen = [row for row in rows if view in {"", row.column("view")}]
        name = f"cxr, {view} only" if view else "cxr, three classes"
        yield collection_of(name, chosen, [row.column("cxr3") for row in chosen])


def set_collections(data: Path) -> Iterator[Collection]:
    """Yield each labelled set of the mixed images by itself."""
    rows = [row for row in read_manifest(data / "multi" / "manifest.csv") if row.labels]
    for name in sorted({row.column("set") for row in rows}):
        chosen = [row for row in rows if row.column("set") == name]
        yield collection_of(name, chosen, ["|".join(row.labels) for row in chosen])


def interval_over_patients(
    hits: NDArray[np.float64], patients: Sequence[str]
) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the mean over 2000 draws of whole patients.

    Neighbours are not sought anew in a draw, so what is told is the spread of the questions.
    """
    _, patient = np.unique(np.asarray(patients), return_inverse=True)
    found, asked = np.bincount(patient, hits), np.bincount(patient)
    draws = np.random.default_rng(0).integers(0, len(found), (2000, len(found)))
    low, high = np.percentile(found[draws].sum(axis=1) / asked[draws].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def score(collection: Collection) -> Scores:
    labels, patients = collection.labels, collection.patients
    hits = hits_at(vectors_of(collection, describe), labels, patients)
    pixels = precision_at(vectors_of(collection, grey_pixels), labels, patients)
    interval = interval_over_patients(hits, patients)
    chance = chance_level(labels, patients)
    mean = float(hits.mean())
    return Scores(collection.name, len(labels), chance, pixels, mean, interval)


def table(chest: Sequence[Scores], sets: Sequence[Scores]) -> Iterator[str]:
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
    chest = [score(collection) for collection in chest_collections(data)]
    sets = [score(collection) for collection in set_collections(data)]
    print("Label precision at 1, same patient left out.\n")
    print("\n".join(table(chest, sets)))
    times = ", ".join(f"{size}x{size} {milliseconds(size):.1f} ms" for size in (512, 1024, 2048))
    print(f"\nTime per image (median): {times}")


if __name__ == "__main__":
    main()
