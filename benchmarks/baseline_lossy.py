"""How alike the weight-free descriptor finds an image and the same image after lossy coding.

Run ``python -m benchmarks.baseline_lossy --data FOLDER``, where FOLDER holds ``cxr``, ``multi``
and ``dicom/syntaxes``. Beside it: how alike it finds the images of two patients, without which a
cosine says nothing.
"""

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.baseline_quality import Collection, chest_collections, set_collections, vectors_of
from benchmarks.machine import as_list, provenance
from encoders.baseline import describe
from encoders.grayscale import read_image

Pixels = NDArray[np.float32]
Coding = Callable[[Pixels], Pixels]

EVERY = 4  # of the images of a collection, one in four is coded again
LOSSY = ("J2KI", "JLSN", "JPLY")


def pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each lossy file of the WG04 images with a lossless one of the same image."""
    for path in sorted(folder.glob("*.dcm")):
        image, _, syntax = path.stem.partition("_")
        plain = folder / f"{image}_UNC.dcm"
        if syntax in LOSSY:
            # SC1 has no uncompressed file
            yield path, plain if plain.exists() else folder / f"{image}_RLE.dcm"


def cosine_of_files(lossy: Path, lossless: Path) -> float:
    return float(describe(read_image(lossy).pixels) @ describe(read_image(lossless).pixels))


def file_table(folder: Path) -> Iterator[str]:
    """Yield a Markdown line for each lossy file; its bits are those of the whole file."""
    yield "| file | bits per pixel | cosine |"
    yield "|---|---|---|"
    for lossy, lossless in pairs(folder):
        bits = 8 * lossy.stat().st_size / read_image(lossless).pixels.size
        yield f"| {lossy.stem} | {bits:.2f} | {cosine_of_files(lossy, lossless):.4f} |"


def coded(image: Pixels, kind: str, options: dict[str, Any]) -> Pixels:
    """Return the image in 8 bits after coding and decoding by Pillow."""
    held = io.BytesIO()
    Image.fromarray(np.round(image * 255).astype(np.uint8)).save(held, kind, **options)
    with Image.open(held) as picture:
        return np.asarray(picture, dtype=np.float32) / np.float32(255)


def codings() -> dict[str, Coding]:
    """Return JPEG by Pillow's quality, and JPEG 2000 (wavelet 9/7) by compression ratio."""
    found: dict[str, Coding] = {}
    for quality in (90, 75, 50):
        options: dict[str, Any] = {"quality": quality}
        found[f"JPEG, quality {quality}"] = partial(coded, kind="JPEG", options=options)
    for ratio in (10, 20, 40, 80):
        options = {"irreversible": True, "quality_mode": "rates", "quality_layers": [ratio]}
        found[f"JPEG 2000, {ratio}:1"] = partial(coded, kind="JPEG2000", options=options)
    return found


def between_patients(collection: Collection) -> Pixels:
    """Return the cosines of all pairs of images of two patients."""
    vectors, patients = vectors_of(collection, describe), np.asarray(collection.patients)
    other = np.triu(patients[:, None] != patients[None, :])
    return np.asarray((vectors @ vectors.T)[other])


def percentiles(cosines: Pixels) -> str:
    return " | ".join(f"{value:.4f}" for value in np.percentile(cosines, [1, 50, 99]))


def coding_table(name: str, collections: Sequence[Collection]) -> Iterator[str]:
    """Yield a Markdown line for each coding: percentiles of the cosine with the image itself."""
    images = [image for collection in collections for image in collection.images[::EVERY]]
    plain = np.stack([describe(image) for image in images])
    for coding, code in codings().items():
        after = np.stack([describe(code(image)) for image in images])
        yield f"| {name} | {coding} | {len(images)} | {percentiles((plain * after).sum(axis=1))} |"


def patient_table(name: str, collections: Sequence[Collection]) -> Iterator[str]:
    """Yield a Markdown line: percentiles over pairs of two patients within a collection."""
    cosines = np.concatenate([between_patients(collection) for collection in collections])
    yield f"| {name} | none, another patient | {len(cosines)} | {percentiles(cosines)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with cxr, multi, dicom")
    data = parser.parse_args().data
    told = provenance("benchmarks.baseline_lossy")
    print("\n".join(file_table(data / "dicom" / "syntaxes")))
    print("\n| images | coding | pairs | 1st percentile | median | 99th percentile |")
    print("|---|---|---|---|---|---|")
    chest, sets = [next(chest_collections(data))], list(set_collections(data))
    for name, collections in (("cxr, three classes", chest), ("multi, labelled sets", sets)):
        print("\n".join(coding_table(name, collections)))
        print("\n".join(patient_table(name, collections)))
    print()
    print("\n".join(as_list(told)))


if __name__ == "__main__":
    main()
