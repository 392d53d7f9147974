"""The memory of a worker over many images, as a Markdown table.

Run ``python -m benchmarks.worker_memory``. A worker as the node runs it, in this process, with a
PostgreSQL of its own, works single-image studies of small CT slices (128 x 128) and radiographs
(600 x 512) in turn, which another process makes. After each thousand the resident set of this
process (VmRSS of proc(5)) is told, and that of the processes that decode for it. Files are removed
as soon as they are worked. The vectors that the index holds are part of it, and told beside it.
"""

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
import torch
from safetensors.torch import save_file

from benchmarks.machine import as_list, provenance
from benchmarks.worked_images import made_images, receive_into, seconds_to_work, worker_in
from dicom_node.settings import EncoderSettings
from dicom_node.spool import Spool
from dicom_node.worker import Worker
from dicom_node.worker_loop import WorkerLoop
from encoders import registry
from encoders.torch_encoder import build
from storage.database import connect

MB = 1e6
FLOAT32 = 4
FLAT_MB = 100
WARM_UP = 100
KINDS = ("CT", "DX")
DIFFERENT = 12


@dataclass(frozen=True)
class Mark:
    """Resident memory after so many images, in megabytes: the worker's, and its readers'.

    ``vectors`` is the part of the worker's that its index holds, by count and dimension.
    """

    images: int
    worker: float
    vectors: float
    readers: float


def mark(images: int, worker: Worker) -> Mark:
    """Return what is resident now."""
    me = psutil.Process()
    readers = [child for child in me.children() if "pixel_process" in " ".join(child.cmdline())]
    return Mark(
        images,
        me.memory_info().rss / MB,
        worker.index.held * worker.space.dimension * FLOAT32 / MB,
        sum(reader.memory_info().rss for reader in readers) / MB,
    )


def feed(folder: Path, url: str, node: str, count: int) -> None:
    """Put so many studies into the worker's spool and database; for a process of its own."""
    images = [
        image
        for pair in zip(*(made_images(kind, DIFFERENT, times=1) for kind in KINDS), strict=True)
        for image in pair
    ]
    engine = connect(url)
    receive_into(engine, Spool(folder), images, count, node=node)
    engine.dispose()


def marks(worker: Worker, loop: WorkerLoop, *, count: int, step: int) -> Iterator[Mark]:
    """Yield a mark after each ``step`` images, the first after a hundred that nobody counts."""
    url = worker.engine.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    for done in (0, *range(step, count + 1, step)):
        arguments = (worker.settings.data_folder, url, worker.node, step if done else WARM_UP)
        feeder = context.Process(target=feed, args=arguments)
        feeder.start()
        feeder.join()
        if feeder.exitcode:
            raise SystemExit("the studies could not be made; see above")
        seconds_to_work(worker, loop)
        for name in worker.spool.names():
            worker.spool.path(name).unlink()
        yield mark(done, worker)


def growth(found: Sequence[Mark]) -> float:
    """Return by how many megabytes the worker differs at most from its first mark."""
    return max(abs(entry.worker - found[0].worker) for entry in found)


def encoder_settings(name: str, folder: Path, threads: int) -> EncoderSettings:
    """Return the settings of an encoder, random weights where it has any."""
    if name == "baseline":
        return EncoderSettings(name=name)
    declared = registry.find(name)
    tensors = build(declared).body.state_dict()
    path = folder / "random.safetensors"
    torch.manual_seed(0)
    save_file({f"{declared.names.prefix}{name}": tensors[name] for name in tensors}, path)
    return EncoderSettings(name=name, weights=path, device="cpu", threads=threads)


def measure(options: argparse.Namespace) -> Iterator[Mark]:
    """Yield the marks of one run."""
    with tempfile.TemporaryDirectory(prefix="likeness-") as name:
        folder = Path(name)
        settings = encoder_settings(options.encoder, folder, options.threads)
        with worker_in(folder / "node", settings) as working:
            yield from marks(*working, count=options.images, step=options.step)


def table(found: Sequence[Mark]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| images | worker, MB | of that vectors, MB | readers, MB |"
    yield "|---|---|---|---|"
    for entry in found:
        yield (
            f"| {entry.images} | {entry.worker:.0f} | {entry.vectors:.0f} | {entry.readers:.0f} |"
        )
    flat = "yes" if growth(found) <= FLAT_MB else "no"
    without = [replace(entry, worker=entry.worker - entry.vectors) for entry in found]
    yield f"\nThe worker's differs by {growth(found):.0f} MB at most; flat (100 MB): {flat}."
    yield f"Without the vectors it differs by {growth(without):.0f} MB.\n"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--images", type=int, default=20_000, help="in all (20000)")
    add("--step", type=int, default=1000, help="images between two marks (1000)")
    add("--encoder", default="baseline", help="name in the registry (baseline)")
    add("--threads", type=int, default=1, help="of a network on a CPU (1)")
    add("--json", action="store_true", help="every mark, as JSON")
    return made


def main() -> None:
    options = parser().parse_args()
    told = provenance("benchmarks.worker_memory")
    found = []
    for entry in measure(options):
        found.append(entry)
        if not options.json:
            print(f"{entry.images}: {entry.worker:.0f} MB", flush=True)
    if options.json:
        print(json.dumps({"run": told, "marks": [asdict(entry) for entry in found]}, indent=2))
        return
    print("\n".join((*table(found), *as_list(told))))


if __name__ == "__main__":
    main()
