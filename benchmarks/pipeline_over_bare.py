"""How much of the bare network's speed is left from file to database, as a Markdown table.

Run ``python -m benchmarks.pipeline_over_bare``. DICOM files of single-image studies lie in a
spool, recorded in a PostgreSQL of the benchmark's own. The worker's loop claims them, decodes,
windows, resizes, embeds and inserts them, and keeps the images for embedding again, as they are
(an idle worker packs them, which is not in these figures); the clock stops when the last job is
done. Beside it, in the same process and with the same loaded network of random weights, the
forward pass alone takes as many images, prepared before, at the same batch. Both take turns, one
first and then the other; each turn has its ratio, and medians of all turns are shown.

The device is what the settings name: "cpu" is one network whose threads share each layer,
"cpu,cpu" two networks side by side with half of the threads each, in both measurements.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the registry has it, before torch comes
import torch
from pydicom.dataset import Dataset
from safetensors.torch import save_file

from benchmarks.machine import as_list, provenance
from benchmarks.worked_images import made_images, receive, seconds_to_work, worker_in
from dicom_node.settings import EncoderSettings
from dicom_node.worker import Worker
from dicom_node.worker_loop import WorkerLoop
from encoders import registry
from encoders.checked import CheckedEncoder
from encoders.encoder import Prepared
from encoders.pixel_reader import PixelReader
from encoders.torch_encoder import build
from tests.dicom_node.objects import written

NETWORKS = ("monai-densenet121", "monai-vit-b32-256")
DEVICES = ("cpu", "cpu,cpu")
MODALITIES = {"CT": "CT slices 512 x 512", "DX": "radiographs 2400 x 2048"}
DIFFERENT = 24
"""Images that differ, of each modality; repeated under fresh UIDs."""


@dataclass(frozen=True)
class Turn:
    """Images a second: of the bare forward pass, and from file to database."""

    bare: float
    pipeline: float

    @property
    def ratio(self) -> float:
        """What is left of the bare network's speed."""
        return self.pipeline / self.bare


@dataclass(frozen=True)
class Cell:
    """The turns of one network, on its device, with images of one modality."""

    network: str
    device: str
    modality: str
    turns: tuple[Turn, ...]


def bare_speed(encoder: CheckedEncoder, prepared: Sequence[Prepared], count: int) -> float:
    """Return the images a second of the forward pass alone, in as many threads as it has lanes."""
    sizes = [min(encoder.batch, count - at) for at in range(0, count, encoder.batch)]
    began = time.perf_counter()
    with ThreadPoolExecutor(encoder.lanes) as lanes:
        list(lanes.map(lambda size: encoder.infer(prepared[:size]), sizes))
    return count / (time.perf_counter() - began)


def prepared_batch(encoder: CheckedEncoder, images: Sequence[Dataset]) -> list[Prepared]:
    """Return as many images as one forward pass takes."""
    with tempfile.TemporaryDirectory() as folder, PixelReader() as reader:
        paths = [written(Path(folder) / f"{n}.dcm", image) for n, image in enumerate(images)]
        different = [encoder.prepare(reader.read(path)) for path in paths]
    return [different[number % len(different)] for number in range(encoder.batch)]


def take_turns(
    worker: Worker, loop: WorkerLoop, images: Sequence[Dataset], *, count: int, turns: int
) -> Iterator[Turn]:
    """Yield so many turns, after one of a single batch that nobody counts."""
    prepared = prepared_batch(worker.encoder, images)
    bare_speed(worker.encoder, prepared, worker.encoder.batch)
    receive(worker, images, worker.encoder.batch)
    seconds_to_work(worker, loop)
    for _ in range(turns):
        pack_kept_images(worker)
        bare = bare_speed(worker.encoder, prepared, count)
        receive(worker, images, count)
        yield Turn(bare, count / seconds_to_work(worker, loop))


def pack_kept_images(worker: Worker) -> None:
    """Do now what an idle worker does, so that it does not fall into a measurement."""
    while worker.kept.pack_one():
        pass


def measure(network: str, device: str, options: argparse.Namespace) -> Iterator[Cell]:
    """Yield the cells of one network on its device."""
    with tempfile.TemporaryDirectory(prefix="likeness-") as name:
        folder = Path(name)
        torch.manual_seed(0)
        weights = folder / "random.safetensors"
        declared = registry.find(network)
        tensors = build(declared).body.state_dict()
        prefix = declared.names.prefix
        save_file({f"{prefix}{name}": tensor for name, tensor in tensors.items()}, weights)
        settings = EncoderSettings(
            name=network,
            weights=weights,
            device=device,
            threads=options.threads,
            batch=options.batch,
            readers=options.readers,
            precision=options.precision,
            compile=options.compile,
            runtime=options.runtime,
            kept_images_gb=options.kept_gb,
        )
        with worker_in(folder / "node", settings) as working:
            for modality in options.modality or MODALITIES:
                images = made_images(modality, DIFFERENT)
                turns = take_turns(*working, images, count=options.images, turns=options.turns)
                yield Cell(network, device, modality, tuple(turns))


def table(cells: Sequence[Cell], target: float) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| network | device | images | bare, images/s | to the database, images/s | ratio | met |"
    yield "|---|---|---|---|---|---|---|"
    for cell in cells:
        bare = statistics.median(turn.bare for turn in cell.turns)
        whole = statistics.median(turn.pipeline for turn in cell.turns)
        ratios = sorted(turn.ratio for turn in cell.turns)
        ratio = statistics.median(ratios)
        spread = f"{ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        met = "yes" if ratio >= target else "no"
        names = f"{cell.network} | {cell.device} | {MODALITIES[cell.modality]}"
        yield f"| {names} | {bare:.1f} | {whole:.1f} | {spread} | {met} |"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--network", action="append", choices=NETWORKS, help="only this one; may be repeated")
    add("--modality", action="append", choices=MODALITIES, help="only these; may be repeated")
    add("--images", type=int, default=200, help="in each measurement (200)")
    add("--turns", type=int, default=5, help="of both, in each cell (5)")
    add("--threads", type=int, default=2, help="of the network on a CPU (2)")
    add("--batch", type=int, default=32, help="images in one forward pass (32)")
    add("--readers", type=int, default=0, help="as in the settings (0)")
    add("--device", action="append", help='as in the settings; may be repeated ("cpu", "cpu,cpu")')
    add("--precision", default="fp32", choices=("fp32", "bf16"), help="as in the settings (fp32)")
    add("--compile", action="store_true", help="as in the settings")
    add("--runtime", default="torch", choices=("torch", "openvino"), help="as in the settings")
    add("--kept-gb", type=float, default=20, help="kept_images_gb of the settings (20)")
    add("--target", type=float, default=0.90, help="the ratio that is asked for (0.90)")
    add("--json", action="store_true", help="every turn, as JSON")
    return made


def main() -> None:
    options = parser().parse_args()
    told = provenance("benchmarks.pipeline_over_bare")
    cells = [
        cell
        for network in options.network or NETWORKS
        for device in options.device or DEVICES
        for cell in measure(network, device, options)
    ]
    if options.json:
        print(json.dumps({"run": told, "cells": [asdict(cell) for cell in cells]}, indent=2))
        return
    print("\n".join((*table(cells, options.target), "", *as_list(told))))


if __name__ == "__main__":
    main()
