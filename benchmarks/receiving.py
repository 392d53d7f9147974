"""How fast images are received, beside Orthanc and DCMTK, as Markdown tables.

Run ``python -m benchmarks.receiving``. Every measurement starts a receiver in an empty folder and
sends one load with ``TCP_NODELAY=1 /usr/bin/storescu``, one process an association. The clock
runs from the start of the first to the exit of the last. What a C-ECHO takes by the same clock
(a process, an association, its release) is told apart, to be subtracted by whoever wants to.

In each of the runs all receivers have their turn, in one order and the other; medians are shown.
The files lie in memory and are written anew, with fresh UIDs, before each measurement; what
others left to be written to the disk is written before the clock starts.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import as_list, provenance
from benchmarks.received_loads import LOADS, Load, echoscu, run_all, storescu, write
from benchmarks.receivers import (
    ORTHANC,
    OURS,
    OURS_EMBEDDING,
    PLAIN,
    STORESCP,
    Receiver,
    embedding,
)

SHARED_MEMORY = Path("/dev/shm")
AGAINST_ORTHANC = {1: 1.5, 4: 2.0}
"""Times as fast as Orthanc that is asked of us, by associations."""
AGAINST_STORESCP = 0.5
WHILE_EMBEDDING = 1.10
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}


@dataclass(frozen=True)
class Timing:
    """One measurement, in seconds: the load, and a C-ECHO before it."""

    seconds: float
    echo: float


Timings = Mapping[str, Sequence[Timing]]
"""By the receiver's name."""


def measure(receiver: Receiver, load: Load, folder: Path, source: Path) -> Timing:
    """Start a receiver, send one load, stop it, and leave nothing behind."""
    shares = write(load, source)
    with receiver.start(folder, load.associations) as port:
        run_all([echoscu(receiver.called, port)], ENVIRONMENT)  # the first association is dearer
        os.sync()
        echo = _seconds([echoscu(receiver.called, port)])
        seconds = _seconds([storescu(receiver.called, port, share) for share in shares])
    shutil.rmtree(source)
    return Timing(seconds, echo)


def _seconds(commands: Sequence[Sequence[str]]) -> float:
    began = time.perf_counter()
    run_all(commands, ENVIRONMENT)
    return time.perf_counter() - began


def measure_all(
    receivers: Sequence[Receiver], load: Load, runs: int, folder: Path, memory: Path
) -> dict[str, list[Timing]]:
    """Return each receiver's timings; odd runs go through them backwards."""
    found: dict[str, list[Timing]] = {receiver.name: [] for receiver in receivers}
    for run in range(runs):
        for receiver in receivers if run % 2 == 0 else reversed(receivers):
            with (
                tempfile.TemporaryDirectory(prefix="likeness-", dir=folder) as here,
                tempfile.TemporaryDirectory(prefix="likeness-", dir=memory) as source,
            ):
                timing = measure(receiver, load, Path(here), Path(source) / "sent")
            found[receiver.name].append(timing)
    return found


def _median(timings: Sequence[Timing]) -> float:
    return statistics.median(timing.seconds for timing in timings)


def table(load: Load, timings: Timings) -> Iterator[str]:
    """Yield the lines of one load's table; a factor is how many times as fast as the other."""
    yield f"\n### {load.name}\n"
    yield "| receiver | median | least to greatest | MB/s | x Orthanc | x storescp | C-ECHO alone |"
    yield "|---|---|---|---|---|---|---|"
    for name, ours in timings.items():
        median, seconds = _median(ours), [timing.seconds for timing in ours]
        echo = statistics.median(timing.echo for timing in ours)
        columns = (
            f"{median:.2f} s",
            f"{min(seconds):.2f} to {max(seconds):.2f} s",
            f"{load.mb / median:.0f}",
            *(_factor(timings, other, median) for other in (ORTHANC, STORESCP)),
            f"{1000 * echo:.0f} ms",
        )
        yield f"| {name} | {' | '.join(columns)} |"
    yield ""
    yield from _verdicts(load, timings)


def _factor(timings: Timings, other: str, median: float) -> str:
    return f"{_median(timings[other]) / median:.2f}" if other in timings else ""


def _verdicts(load: Load, timings: Timings) -> Iterator[str]:
    """Yield what was asked for, and whether it was met."""
    if OURS not in timings:
        return
    ours = _median(timings[OURS])
    if ORTHANC in timings:
        factor = _median(timings[ORTHANC]) / ours
        yield _verdict("times as fast as Orthanc", factor, AGAINST_ORTHANC[load.associations])
    if STORESCP in timings and load.associations == 1:
        factor = _median(timings[STORESCP]) / ours
        yield _verdict("times as fast as storescp", factor, AGAINST_STORESCP)
    if OURS_EMBEDDING in timings:
        ratio = _median(timings[OURS_EMBEDDING]) / ours
        met = "met" if ratio <= WHILE_EMBEDDING else "missed"
        yield f"- while embedding: {ratio:.2f} times as long; at most {WHILE_EMBEDDING:.2f}: {met}"


def _verdict(what: str, factor: float, asked: float) -> str:
    return f"- {factor:.2f} {what}; at least {asked:.2f}: {'met' if factor >= asked else 'missed'}"


def filesystem(folder: Path) -> str:
    """Return the type and the mount point of the file system that holds ``folder``."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    at, kind = max(
        ((at, kind) for at, kind in mounts if folder.resolve().is_relative_to(at)),
        key=lambda mount: len(mount[0]),
    )
    return f"{kind} on {at}"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [receiver.name for receiver in PLAIN] + [OURS_EMBEDDING]
    add = made.add_argument
    add("--runs", type=int, default=5, help="measurements of each receiver and load (5)")
    add("--receiver", action="append", choices=names, help="only this one; may be repeated")
    add("--load", action="append", type=int, choices=range(len(LOADS)), help="only this load")
    add("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where receivers write")
    add("--backlog", type=int, default=150, help="studies embedded meanwhile (150)")
    return made


def main() -> None:
    options = parser().parse_args()
    told = provenance("benchmarks.receiving")
    memory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else options.folder
    receivers = [
        receiver
        for receiver in (*PLAIN, embedding(options.backlog))
        if options.receiver is None or receiver.name in options.receiver
    ]
    loads = LOADS if options.load is None else [LOADS[number] for number in options.load]
    for load in loads:
        timings = measure_all(receivers, load, options.runs, options.folder, memory)
        print("\n".join(table(load, timings)), flush=True)
    told |= {receiver.name: receiver.what for receiver in receivers}
    told["received on"] = filesystem(options.folder)
    told["sent from"] = filesystem(memory)
    told["sockets"] = (
        "TCP_NODELAY on both sides; each side's own PDU lengths (DCMTK and Orthanc take 16 KiB, "
        "Likeness 128 KiB)"
    )
    print("\n".join(("", *as_list(told))))


if __name__ == "__main__":
    main()
