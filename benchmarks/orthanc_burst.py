"""How quick Orthanc stays while a burst of studies passes through its plug-in, as Markdown tables.

Run ``python -m benchmarks.orthanc_burst``. Synthetic studies are uploaded to a real Orthanc over
HTTP, by several threads at full speed; the plug-in sends them to a real node (``likeness serve``,
embedded PostgreSQL, the baseline encoder). Meanwhile Orthanc is asked for ``/system`` ten times a
second, until all studies are searchable. The same is done without the plug-in: then DCMTK's
storescu sends each study straight to the node when it was uploaded, one after the other, so that
the node has the same to do on the same cores.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, func, select

from benchmarks.machine import as_list, provenance
from dicom_node.database import open_database
from dicom_node.settings_file import load_settings
from evaluation.synthetic.archive import archive
from storage.tables import Embedding, Study
from tests.end_to_end.orthanc import Orthanc, installed_in, library
from tests.end_to_end.running import INDEXED_CALLER, Node, node_in

SCRIPT = Path(__file__).parents[1] / "orthanc_plugin" / "likeness_plugin.py"
TARGET_MS = 250.0
PROBE_S = 0.1
LOOK_S = 0.5
GIVE_UP_S = 3600.0


def probe(port: int, over: Event, told: "Connection[Sequence[float], object]") -> None:
    """Asks for /system every ``PROBE_S``, until ``over``; tells how long each answer took.

    It runs in a process of its own, so that it measures Orthanc and not this script's threads.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    times: list[float] = []
    due = time.perf_counter()
    while not over.wait(max(0.0, due - time.perf_counter())):
        due = max(due + PROBE_S, time.perf_counter())
        began = time.perf_counter()
        connection.request("GET", "/system")
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - began)
        if answer.status != 200:
            break
    connection.close()
    told.send(times)


@contextmanager
def probing(orthanc: Orthanc) -> Iterator[list[float]]:
    """Probes for as long as the block lasts; the times, in seconds, stand in the list after it."""
    spawn = multiprocessing.get_context("spawn")
    over, (told, telling) = spawn.Event(), spawn.Pipe(duplex=False)
    process = spawn.Process(target=probe, args=(orthanc.http_port, over, telling), daemon=True)
    process.start()
    telling.close()  # the probe's end is then the only one: without it recv would wait for ever
    times: list[float] = []
    try:
        yield times
    finally:
        over.set()
        times += told.recv()
        process.join()


@dataclass(frozen=True)
class Burst:
    """What one run gave; times in seconds, all from the first upload on."""

    name: str
    uploaded: float
    searchable: float
    probed: tuple[float, ...]

    def percentile_ms(self, percent: float) -> float:
        """Of the times that /system took."""
        return 1000 * float(np.percentile(self.probed, percent))


def write_studies(folder: Path, count: int) -> list[list[Path]]:
    """The files of each study."""
    written = []
    for number, study in enumerate(archive(count)):
        files = []
        for place, dataset in enumerate(study.datasets):
            files.append(folder / f"{number}-{place}.dcm")
            dataset.save_as(files[-1], enforce_file_format=True)
        written.append(files)
    return written


def uploading(orthanc: Orthanc, files: Sequence[Path]) -> None:
    connection = HTTPConnection("127.0.0.1", orthanc.http_port, timeout=120)
    for path in files:
        connection.request("POST", "/instances", path.read_bytes())
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise SystemExit(f"Orthanc did not take {path.name}: {said[:200]!r}")
    connection.close()


def searchable(engine: Engine) -> int:
    """How many studies are indexed and have a live vector."""
    with engine.connect() as connection:
        return connection.execute(
            select(func.count(Study.id.distinct()))
            .join(Embedding, Embedding.study_id == Study.id)
            .where(Study.state.in_(("indexed", "answered")), Embedding.retired_at.is_(None))
        ).scalar_one()


def wait_until_searchable(engine: Engine, count: int) -> None:
    pause, give_up = threading.Event(), time.perf_counter() + GIVE_UP_S
    while (found := searchable(engine)) < count:
        if time.perf_counter() > give_up:
            raise SystemExit(f"only {found} of {count} studies became searchable")
        pause.wait(LOOK_S)


def settings_of(node: Node, stable_age_s: int, *, plugged: bool) -> dict[str, object]:
    """Entries of Orthanc's configuration."""
    common: dict[str, object] = {
        "StableAge": stable_age_s,
        "DicomModalities": {"likeness": ["LIKENESS", "127.0.0.1", node.port]},
    }
    if not plugged:
        return common
    return common | {
        "Plugins": [library("libOrthancPython.so", "orthanc-python")],
        "PythonScript": str(SCRIPT),
        "Likeness": {"Url": "http://127.0.0.1:9"},  # only its forwarding is measured
    }


def measure(
    name: str, studies: Sequence[Sequence[Path]], options: argparse.Namespace, *, plugged: bool
) -> Burst:
    """One run on a fresh Orthanc and a fresh node."""
    with (
        tempfile.TemporaryDirectory(prefix="likeness-") as made,
        node_in(Path(made), close_after_s=options.close_after) as node,
        installed_in(
            Path(made) / "orthanc", more=settings_of(node, options.stable_age, plugged=plugged)
        ) as installed,
    ):
        node.start()
        installed.start()
        with (
            open_database(load_settings(node.settings)) as engine,
            probing(installed.orthanc) as times,
            ThreadPoolExecutor(1) as sender,
            ThreadPoolExecutor(options.threads) as uploaders,
        ):
            began = time.perf_counter()

            def load(files: Sequence[Path]) -> None:
                uploading(installed.orthanc, files)
                if not plugged:
                    sender.submit(node.store, *files, calling=INDEXED_CALLER)

            list(uploaders.map(load, studies))
            uploaded = time.perf_counter() - began
            wait_until_searchable(engine, len(studies))
            taken = time.perf_counter() - began
    return Burst(name, uploaded, taken, tuple(times))


def table(bursts: Sequence[Burst]) -> Iterator[str]:
    """Yield the lines of the table, and the first burst's share of the last in its last line."""
    yield "| run | uploaded | all searchable | /system asked | p50 | p95 | max |"
    yield "|---|---|---|---|---|---|---|"
    for burst in bursts:
        times = " | ".join(f"{burst.percentile_ms(percent):.1f} ms" for percent in (50, 95, 100))
        yield (
            f"| {burst.name} | {burst.uploaded:.1f} s | {burst.searchable:.1f} s "
            f"| {len(burst.probed)} | {times} |"
        )
    first, last = bursts[0], bursts[-1]
    ratios = [first.uploaded / last.uploaded, first.searchable / last.searchable]
    shares = [first.percentile_ms(one) / last.percentile_ms(one) for one in (50, 95, 100)]
    told = [f"{ratio:.2f}" for ratio in (*ratios, *shares)]
    yield f"| ratio | {told[0]} | {told[1]} | | {' | '.join(told[2:])} |"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--studies", type=int, default=500, help="how many (500)")
    add("--threads", type=int, default=4, help="that upload (4)")
    add("--stable-age", type=int, default=5, metavar="S", help="Orthanc's StableAge (5 s)")
    add("--close-after", type=float, default=1.0, metavar="S", help="the node's setting (1 s)")
    return made


def main() -> int:
    options = parser().parse_args()
    told = provenance("benchmarks.orthanc_burst")
    os.environ["TCP_NODELAY"] = "1"
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        studies = write_studies(Path(folder), options.studies)
        size = sum(path.stat().st_size for files in studies for path in files)
        bursts = [
            measure("with the plug-in", studies, options, plugged=True),
            measure("without it", studies, options, plugged=False),
        ]
    images = sum(map(len, studies))
    told["sent"] = f"{len(studies)} studies, {images} images, {size / 1e6:.0f} MB"
    told["waits"] = json.dumps(
        {"StableAge": options.stable_age, "close_after_s": options.close_after}
    )
    met = bursts[0].percentile_ms(95) < TARGET_MS
    print(
        "\n".join((*table(bursts), "", f"p95 below {TARGET_MS:.0f} ms with the plug-in: ")), end=""
    )
    print("met" if met else "not met", "", *as_list(told), sep="\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
