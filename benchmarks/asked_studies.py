"""The studies that the benchmarks ask with: synthetic, enlarged to the size of real ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from pydicom.dataset import Dataset

from evaluation.synthetic.archive import make_study


@dataclass(frozen=True)
class Kind:
    """A kind of study: its modality, how many images it has, and how many columns they have.

    Each kind has a ``seed`` of its own, so that no two kinds share a patient.
    """

    name: str
    modality: str
    images: int
    columns: int
    seed: int


RADIOGRAPH = Kind("radiograph, one image", "DX", images=1, columns=2048, seed=2)
CT = Kind("CT, 60 slices", "CT", images=60, columns=512, seed=3)
KINDS = (RADIOGRAPH, CT)


def asked_studies(kind: Kind) -> Iterator[list[Dataset]]:
    """Yield studies of exactly ``kind.images`` images, without end, the same at every run.

    Longer CT series are cut to their first slices and lose their localizers; a radiograph of two
    views is passed over.
    """
    for index in count():
        images = [
            dataset
            for dataset in make_study(index, seed=kind.seed, modality=kind.modality).datasets
            if "LOCALIZER" not in dataset.ImageType
        ]
        if len(images) == kind.images or (kind.images > 1 and len(images) > kind.images):
            yield [enlarged(dataset, kind.columns) for dataset in images[: kind.images]]


def enlarged(dataset: Dataset, columns: int) -> Dataset:
    """Repeat pixels until the image has ``columns``, in place: decoding then costs what it does."""
    pixels = dataset.pixel_array
    scale = columns / pixels.shape[1]
    row, column = (
        (np.arange(round(side * scale)) / scale).astype(np.intp).clip(max=side - 1)
        for side in pixels.shape
    )
    large = pixels[row[:, None], column]
    dataset.Rows, dataset.Columns = large.shape
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        if keyword in dataset:
            dataset[keyword].value = [round(value / scale, 5) for value in dataset[keyword].value]
    dataset.PixelData = large.tobytes()
    return dataset
