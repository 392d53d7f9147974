"""How often the polarity flag is raised: on images as they are, and on the same images inverted.

Run ``python -m benchmarks.polarity --data FOLDER``, where FOLDER holds ``cxr`` and ``multi``, each
with a ``manifest.csv``. Patients are split in two halves by a hash of their id: the statistic and
its threshold were chosen on the one, the other reports.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.baseline_quality import read_image
from benchmarks.machine import as_list, provenance
from encoders.polarity import measure_polarity
from evaluation.collection import Collection
from evaluation.readers import manifest

TIMED_SHAPE, TIMED_TURNS = (2048, 2048), 21


@dataclass(frozen=True)
class Measured:
    """One image: its set, file and half, and its evidence and flag as it is and inverted."""

    name: str
    file: str
    choosing: bool
    values: tuple[float, float]
    flags: tuple[bool, bool]


def of_choosing_half(patient_id: str) -> bool:
    """Return whether the patient is one of those that the threshold was chosen on."""
    # the salt matters: the ids of these manifests all have an even hash without it
    return sha256(f"polarity/{patient_id}".encode()).digest()[-1] % 2 == 0


def all_measured(data: Path) -> Iterator[Measured]:
    """Yield each image of both collections, by the name of its set."""
    chest, mixed = manifest.read(data / "cxr"), manifest.read(data / "multi")
    yield from measured(chest, [f"chest radiographs, {one}" for one in chest.attribute("origin")])
    kinds = (mixed.attribute(name) for name in ("body_part", "modality", "set"))
    names = [f"{part} {modality} ({name})" for part, modality, name in zip(*kinds, strict=True)]
    yield from measured(mixed, names)


def measured(images: Collection, names: Sequence[str]) -> Iterator[Measured]:
    """Yield each image, with the name of its set."""
    for name, file, patient, path in zip(
        names, images.ids, images.patients, images.paths, strict=True
    ):
        image = read_image(path)
        found = [measure_polarity(pixels) for pixels in (image, 1 - image)]
        values, flags = [each.value for each in found], [each.suspect for each in found]
        half = of_choosing_half(patient)
        yield Measured(name, file, half, (values[0], values[1]), (flags[0], flags[1]))


def auc(upright: NDArray[np.float64], inverted: NDArray[np.float64]) -> float:
    """Return the share of pairs in which the upright image has the higher value; ties are half."""
    ranked = np.sort(inverted)
    below, not_above = (np.searchsorted(ranked, upright, side) for side in ("left", "right"))
    return float((below + not_above).mean() / 2 / len(inverted))


def is_radiograph(image: Measured) -> bool:
    return "radiograph" in image.name or " DX " in image.name


def line(name: str, images: Sequence[Measured]) -> str:
    values = np.array([image.values for image in images])
    alarms, found = np.sum([image.flags for image in images], axis=0)
    count = len(images)
    return (
        f"| {name} | {count} | {auc(values[:, 0], values[:, 1]):.3f} "
        f"| {alarms} ({alarms / count:.1%}) | {found} ({found / count:.1%}) |"
    )


def table(images: Sequence[Measured]) -> Iterator[str]:
    """Yield the lines of a Markdown table: a line for each set, and one for all radiographs."""
    yield "| set | images | AUC | flagged as they are | flagged when inverted |"
    yield "|---|---|---|---|---|"
    names = sorted({image.name for image in images})
    for name in names:
        yield line(name, [image for image in images if image.name == name])
    yield line("all radiographs", [image for image in images if is_radiograph(image)])


def milliseconds(turns: int = TIMED_TURNS) -> float:
    """Return the median time that one image of 2048 x 2048 takes."""
    image = np.random.default_rng(1).random(TIMED_SHAPE, dtype=np.float32)
    taken = []
    for _ in range(turns):
        start = time.perf_counter()
        measure_polarity(image)
        taken.append(time.perf_counter() - start)
    return 1000 * float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with cxr and multi")
    options = parser.parse_args()
    told = provenance("benchmarks.polarity")
    images = list(all_measured(options.data))
    print("The half that reports:\n")
    print("\n".join(table([image for image in images if not image.choosing])))
    flagged = [image.file for image in images if image.flags[0] and is_radiograph(image)]
    print(f"\nRadiographs flagged as they are, of both halves: {', '.join(flagged)}.")
    print("\nThe half that the statistic and its threshold were chosen on:\n")
    print("\n".join(table([image for image in images if image.choosing])))
    print(f"\nOne image of 2048 x 2048 takes {milliseconds():.1f} ms (median of {TIMED_TURNS}).\n")
    print("\n".join(as_list(told)))


if __name__ == "__main__":
    main()
