"""How well the percentile of the best hit tells "like something here" from "like nothing here".

Run ``python -m benchmarks.abstention --data FOLDER``, where FOLDER holds ``cxr`` and ``multi``,
each with a ``manifest.csv``. Archives of some chest radiographs, one of each patient, are asked
with chest radiographs of other patients and with images of other kinds. What is told is where the
best hit stands among the archive's own similarities between patients, in percent; the node answers
"no similar study" where that is below the setting ``search.level``.

A node compares radiographs with radiographs only, so of the other kinds only the knees, the
inverted images and the noise could reach a chest archive: the rest show what the percentile alone
can tell.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.baseline_quality import read_image
from benchmarks.machine import as_list, provenance
from encoders.baseline import describe
from evaluation.readers import manifest
from storage.search import percentile

Vectors = NDArray[np.float32]
Percentiles = NDArray[np.float64]

SIZES = (20, 50, 250)
LEVELS = (20.0, 75.0, 90.0)
HELD_OUT = 200
NOISE_IMAGES, NOISE_SHAPE = 20, (512, 512)


def chest_images(data: Path) -> list[Path]:
    """Return one chest radiograph of each patient, in the manifest's order."""
    chest = manifest.read(data / "cxr")
    first: dict[str, Path] = {}
    for patient, path in zip(chest.patients, chest.paths, strict=True):
        first.setdefault(patient, path)
    return list(first.values())


def vectors_of(paths: Sequence[Path], *, inverted: bool = False) -> Vectors:
    """Return a row for each image, of shape (images, dimension)."""
    images = (read_image(path) for path in paths)
    return np.stack([describe(1 - image if inverted else image) for image in images])


def noise(count: int, rng: np.random.Generator) -> Vectors:
    return np.stack([describe(rng.random(NOISE_SHAPE, dtype=np.float32)) for _ in range(count)])


def foreign_sets(data: Path) -> Iterator[tuple[str, Vectors]]:
    """Yield the name and the vectors of each set of the mixed images."""
    mixed = manifest.read(data / "multi")
    sets = mixed.attribute("set")
    for name in np.unique(sets):
        yield str(name), vectors_of(mixed.take(np.flatnonzero(sets == name)).paths)


def archive_and_asked(data: Path, seed: int) -> tuple[Vectors, dict[str, Vectors]]:
    """Return the chest radiographs that archives are drawn from, and what asks, by its name."""
    paths = chest_images(data)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(paths))
    held_out = [paths[number] for number in order[:HELD_OUT]]
    asked = {
        "chest radiographs, other patients": vectors_of(held_out),
        "the same, inverted": vectors_of(held_out, inverted=True),
        **dict(foreign_sets(data)),
        "noise": noise(NOISE_IMAGES, rng),
    }
    return vectors_of([paths[number] for number in order[HELD_OUT:]]), asked


def reached(archive: Vectors, asked: Vectors) -> Percentiles:
    """Return the percentile of the best hit of each asking image, of shape (images,).

    No two of the archive's images are of one patient, and none is of an asking one.
    """
    of_archive = archive.astype(np.float64)
    spread = np.sort((of_archive @ of_archive.T)[np.triu_indices(len(archive), k=1)])
    best = (asked.astype(np.float64) @ of_archive.T).max(axis=1)
    return np.array([percentile(spread, value) for value in best], dtype=np.float64)


def over_draws(
    chest: Vectors, asked: Mapping[str, Vectors], size: int, draws: int, seed: int
) -> dict[str, Percentiles]:
    """Return what each kind of asking image reaches in ``draws`` archives of ``size`` images."""
    rng = np.random.default_rng([seed, size])
    archives = [chest[rng.permutation(len(chest))[:size]] for _ in range(draws)]
    return {
        name: np.concatenate([reached(archive, vectors) for archive in archives])
        for name, vectors in asked.items()
    }


def percentile_table(found: Mapping[int, Mapping[str, Percentiles]]) -> Iterator[str]:
    """Yield the lines of a Markdown table: 5th, 50th and 95th percentile of what is reached."""
    yield from _head(f"archive of {size}: 5th / 50th / 95th" for size in found)
    for name in found[SIZES[0]]:
        cells = (np.percentile(found[size][name], (5, 50, 95)) for size in found)
        columns = (" / ".join(f"{value:.1f}" for value in cell) for cell in cells)
        yield f"| {name} | {' | '.join(columns)} |"


def answered_table(found: Mapping[int, Mapping[str, Percentiles]]) -> Iterator[str]:
    """Yield the lines of a Markdown table: the share of questions that get an answer."""
    levels = " / ".join(f"{level:g}" for level in LEVELS)
    yield from _head(f"archive of {size}: level {levels}" for size in found)
    for name in found[SIZES[0]]:
        cells = ([np.mean(found[size][name] >= level) for level in LEVELS] for size in found)
        columns = (" / ".join(f"{share:.0%}" for share in cell) for cell in cells)
        yield f"| {name} | {' | '.join(columns)} |"


def _head(columns: Iterator[str]) -> Iterator[str]:
    yield f"| asked with | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(SIZES)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with cxr and multi")
    add("--draws", type=int, default=10, help="archives of each size (10)")
    add("--seed", type=int, default=1, help="of what is drawn (1)")
    options = parser.parse_args()
    told = provenance("benchmarks.abstention")
    chest, asked = archive_and_asked(options.data, options.seed)
    found = {size: over_draws(chest, asked, size, options.draws, options.seed) for size in SIZES}
    print("Percentile that the best hit reaches:\n")
    print("\n".join(percentile_table(found)))
    print("\nShare of questions that get an answer:\n")
    print("\n".join(answered_table(found)))
    counts = "; ".join(f"{name}: {len(vectors)}" for name, vectors in asked.items())
    print(f"\nImages that ask: {counts}. Archives are drawn from {len(chest)} patients.\n")
    print("\n".join(as_list(told)))


if __name__ == "__main__":
    main()
