"""What the receiving benchmark sends: incompressible images with fresh UIDs at every run."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from evaluation.synthetic.archive import make_study

MB = 1e6


@dataclass(frozen=True)
class Load:
    """So many images of one kind, sent over so many associations at once.

    ``studies`` is how many studies they belong to; ``side`` is of the square image, in pixels of
    16 bits.
    """

    name: str
    modality: str
    images: int
    side: int
    studies: int
    associations: int

    @property
    def mb(self) -> float:
        """Pixel data in all, in megabytes."""
        return self.images * self.side * self.side * 2 / MB


LOADS = (
    Load("300 CT slices of 0.5 MB, 1 association", "CT", 300, 512, 1, 1),
    Load("300 CT slices of 0.5 MB, 4 associations", "CT", 300, 512, 1, 4),
    Load("50 radiographs of 18 MB, 1 association", "DX", 50, 3000, 50, 1),
)


def write(load: Load, folder: Path) -> list[list[Path]]:
    """Write the files, each association's into a folder of its own; the same bytes but for UIDs."""
    template = _template(load)
    studies = [(generate_uid(), generate_uid()) for _ in range(load.studies)]
    shares: list[list[Path]] = [[] for _ in range(load.associations)]
    for number in range(load.images):
        study, series = studies[number % load.studies]
        template.StudyInstanceUID, template.SeriesInstanceUID = study, series
        template.SOPInstanceUID = generate_uid()
        template.InstanceNumber = number + 1
        if load.modality == "CT":
            template.ImagePositionPatient = [0, 0, number]
        share = number % load.associations
        path = folder / str(share) / f"{number:04d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        template.save_as(path, enforce_file_format=True)
        shares[share].append(path)
    return shares


def _template(load: Load) -> Dataset:
    """A synthetic image, its pixels replaced by noise."""
    made = make_study(7000, modality=load.modality).datasets
    dataset = next(entry for entry in made if "LOCALIZER" not in entry.ImageType)
    dataset.Rows = dataset.Columns = load.side
    noise = np.random.default_rng(4).integers(0, 1 << 12, load.side * load.side, dtype=np.uint16)
    # twelve bits of noise, the upper four of each cell with them: nothing is left to compress
    noise |= np.random.default_rng(5).integers(0, 1 << 4, noise.size, dtype=np.uint16) << 12
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = noise.tobytes()
    return dataset


def storescu(called: str, port: int, files: Sequence[Path]) -> list[str]:
    """DCMTK's sender, for one association."""
    names = ("-aet", "BENCHMARK", "-aec", called)
    return ["/usr/bin/storescu", *names, "127.0.0.1", str(port), *map(str, files)]


def echoscu(called: str, port: int) -> list[str]:
    """The same with a C-ECHO: what starting the sender and an association cost alone."""
    names = ("-aet", "BENCHMARK", "-aec", called)
    return ["/usr/bin/echoscu", *names, "127.0.0.1", str(port)]


def run_all(commands: Sequence[Sequence[str]], environment: dict[str, str]) -> None:
    """Start all at once and wait for the last.

    Raises:
        SystemExit: one of them failed.
    """
    running = [
        subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    faults = list(_faults(running))
    if faults:
        raise SystemExit(f"a sender failed: {faults[0]}")


def _faults(running: "Sequence[subprocess.Popen[str]]") -> Iterator[str]:
    for process in running:
        _, said = process.communicate()
        if process.returncode != 0:
            yield said.strip() or f"exit {process.returncode}"
