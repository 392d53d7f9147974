"""The time from the last C-STORE response to the report's arrival, as a Markdown table.

Run ``python -m benchmarks.time_to_report``. A real node (``likeness serve``, embedded PostgreSQL,
a temporary folder) gets 100 synthetic studies, then is asked with radiographs and CT series in
turn, one at a time. The clock starts when the sender has the response to a study's last C-STORE
and stops when the receiving peer has the whole C-STORE request with the report; ``close_after``,
during which the node waits for more images, is taken off. The association is released at once
after the last response, within ``close_after``. The first study of each kind after a start is
told apart and left out of the percentiles.
"""

import argparse
import json
import queue
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Comprehensive3DSRStorage
from sqlalchemy import select

from benchmarks.asked_studies import KINDS, Kind, asked_studies
from benchmarks.bare_network import BareNetwork, write_random_weights
from benchmarks.machine import as_list, provenance
from dicom_node.database import open_database
from dicom_node.settings_file import load_settings
from dicom_node.store_sender import StoreSender
from evaluation.synthetic.archive import archive
from storage.tables import Report, Study
from tests.end_to_end.running import INDEXED_CALLER, REPORTED_CALLER, Node, node_in

LONGEST_WAIT_S = 30.0
BASELINE_TARGET_S = 1.0
NETWORK_TARGET_S = 0.5
"""What ``monai-densenet121`` may take beyond the bare forward pass."""
ENCODERS = ("baseline", "monai-densenet121")
PASSES = 3
"""Bare forward passes before each question."""
LOG_SHOWN = 2000


class NoReportError(Exception):
    """An answer did not come; the message names the study."""


@dataclass(frozen=True)
class Arrival:
    """A report that the peer has: on which study, and when (seconds of ``perf_counter``)."""

    study_instance_uid: str
    at: float


Arrivals = queue.SimpleQueue[Arrival]


@dataclass(frozen=True)
class Timing:
    """One answered study; moments are seconds of ``perf_counter``."""

    study_instance_uid: str
    kind: Kind
    last_response: float
    arrival: float


@dataclass(frozen=True)
class Cell:
    """The answers to one kind of study by one encoder; times in seconds, ``close_after`` off.

    ``parts`` are medians of: closing the study; reading and embedding it, and writing the vector;
    searching, making and sending the report.
    """

    encoder: str
    kind: str
    first: float
    times: tuple[float, ...]
    parts: tuple[float, ...]
    target: float

    @property
    def p95(self) -> float:
        """Return the 95th percentile."""
        return float(np.percentile(self.times, 95))

    @property
    def met(self) -> bool:
        """True if 95 of 100 answers come within the target."""
        return self.p95 <= self.target


@contextmanager
def receiving_peer(port: int) -> Iterator[Arrivals]:
    """Yield where the reports turn up that a Storage SCP on ``port`` receives."""
    arrivals: Arrivals = queue.SimpleQueue()

    def take(event: Event) -> int:
        at = time.perf_counter()
        arrivals.put(Arrival(str(event.dataset.StudyInstanceUID), at))
        return 0x0000

    ae = AE(ae_title="STORESCP")
    ae.add_supported_context(Comprehensive3DSRStorage, [ExplicitVRLittleEndian])
    handlers = [(evt.EVT_C_STORE, take), (evt.EVT_CONN_OPEN, _no_delay)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield arrivals
    finally:
        server.shutdown()


def _no_delay(event: Event) -> None:
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def fill(node: Node, count: int) -> None:
    sender = StoreSender(load_settings(node.settings).dicom, calling_ae=INDEXED_CALLER)
    for study in archive(count):
        with sender.association() as association:
            association.send(study.datasets)
    node.wait_until_worked(count, timeout_s=600)


def ask(
    sender: StoreSender, arrivals: Arrivals, kind: Kind, datasets: Sequence[Dataset], wait_s: float
) -> Timing:
    """Send one study and wait for its report.

    Raises:
        NoReportError: none came within ``wait_s``, or one on another study.
    """
    uid = str(datasets[0].StudyInstanceUID)
    with sender.association() as association:
        association.send(datasets)
        last_response = time.perf_counter()
    try:
        arrival = arrivals.get(timeout=wait_s)
    except queue.Empty:
        raise NoReportError(f"no report on {kind.name} {uid} within {wait_s:g} s") from None
    if arrival.study_instance_uid != uid:
        raise NoReportError(f"a report on {arrival.study_instance_uid} came, not on {uid}")
    return Timing(uid, kind, last_response, arrival.at)


def ask_in_turn(
    node: Node, runs: int, close_after_s: float, network: BareNetwork | None
) -> tuple[list[Timing], list[float]]:
    """Return ``runs`` + 1 timings of each kind, alternating, and the bare forward passes between.

    Raises:
        NoReportError: an answer did not come.
    """
    sender = StoreSender(load_settings(node.settings).dicom, calling_ae=REPORTED_CALLER)
    timings, passes = [], []
    studies = zip(*(islice(asked_studies(kind), runs + 1) for kind in KINDS), strict=True)
    with receiving_peer(node.viewer_port) as arrivals:
        for turn in studies:
            for kind, datasets in zip(KINDS, turn, strict=True):
                if network is not None:
                    passes += [network.seconds() for _ in range(PASSES)]
                wait_s = close_after_s + LONGEST_WAIT_S
                timings.append(ask(sender, arrivals, kind, datasets, wait_s))
    return timings, passes


def parts_of(node: Node, timings: Sequence[Timing], close_after_s: float) -> list[list[float]]:
    """Return what each answer's time went into, from the moments that the database holds.

    They are the server's wall clock, on this machine, at the beginning of each transaction.
    """
    wall = time.time() - time.perf_counter()
    with open_database(load_settings(node.settings)) as engine, engine.connect() as connection:
        rows = connection.execute(
            select(Study.study_instance_uid, Study.closed_at, Report.created_at).join(
                Report, Report.study_id == Study.id
            )
        ).all()
    moments = {row[0]: [at.timestamp() - wall for at in row[1:] if at is not None] for row in rows}
    return [
        list(np.diff([t.last_response + close_after_s, *moments[t.study_instance_uid], t.arrival]))
        for t in timings
    ]


def cells(
    encoder: str, node: Node, timings: Sequence[Timing], close_after_s: float, target: float
) -> Iterator[Cell]:
    """Yield a cell for each kind of study; the first study of each is told apart."""
    parts = np.array(parts_of(node, timings, close_after_s))
    for kind in KINDS:
        mine = [number for number, timing in enumerate(timings) if timing.kind == kind]
        times = [
            timings[number].arrival - timings[number].last_response - close_after_s
            for number in mine
        ]
        medians = tuple(np.median(parts[mine[1:]], axis=0).tolist())
        yield Cell(encoder, kind.name, times[0], tuple(times[1:]), medians, target)


def measure(
    encoder: str, options: argparse.Namespace, weights: Path
) -> tuple[list[Cell], float | None]:
    """Return the cells of one encoder on a fresh node, and the bare forward pass if it has one."""
    settings, network, target = f'[encoder]\nname = "{encoder}"\n', None, BASELINE_TARGET_S
    if encoder != "baseline":
        settings += f'weights = "{weights}"\ndevice = "{options.device}"\n'
        settings += f"threads = {options.threads}\n"
        network = BareNetwork(weights, options.device, options.threads)
    with (
        tempfile.TemporaryDirectory(prefix="likeness-") as folder,
        node_in(Path(folder), close_after_s=options.close_after, extra=settings) as node,
    ):
        node.start()
        fill(node, options.archive)
        try:
            timings, passes = ask_in_turn(node, options.runs, options.close_after, network)
        except NoReportError as fault:
            raise SystemExit(f"{fault}; the node's log ends:\n{node.log[-LOG_SHOWN:]}") from fault
        forward = float(np.median(passes)) if passes else None
        if forward is not None:
            target = forward + NETWORK_TARGET_S
        return list(cells(encoder, node, timings, options.close_after, target)), forward


def tables(measured: Sequence[Cell]) -> Iterator[str]:
    """Yield the lines of both Markdown tables."""
    yield "| study | encoder | p50 | p95 | max | target for p95 | met | first after the start |"
    yield "|---|---|---|---|---|---|---|---|"
    for cell in measured:
        times = (float(np.median(cell.times)), cell.p95, max(cell.times), cell.target)
        columns = (*(_ms(value) for value in times), "yes" if cell.met else "no", _ms(cell.first))
        yield f"| {cell.kind} | {cell.encoder} | {' | '.join(columns)} |"
    yield "\nWhere the time goes, medians:\n"
    yield "| study | encoder | close | read, embed, write vector | search, report, send |"
    yield "|---|---|---|---|---|"
    for cell in measured:
        yield f"| {cell.kind} | {cell.encoder} | {' | '.join(map(_ms, cell.parts))} |"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--runs", type=int, default=40, help="measurements in each cell (40)")
    add("--archive", type=int, default=100, help="studies that the node holds before (100)")
    add("--close-after", type=float, default=0.5, metavar="S", help="the node's setting (0.5 s)")
    add("--encoder", action="append", choices=ENCODERS, help="only this one; may be repeated")
    add("--device", default="auto", help="of the network, as in the node's settings (auto)")
    add("--threads", type=int, default=0, help="of the network on a CPU, 0: cores less one (0)")
    add("--json", action="store_true", help="every time in seconds, as JSON")
    return made


def main() -> None:
    options = parser().parse_args()
    told = provenance("benchmarks.time_to_report")
    measured: list[Cell] = []
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        weights = Path(folder) / "random.safetensors"
        write_random_weights(weights)
        for encoder in options.encoder or ENCODERS:
            found, forward = measure(encoder, options, weights)
            measured += found
            if forward is not None:
                told["bare forward pass, median"] = _ms(forward)
    if options.json:
        print(json.dumps({"run": told, "cells": [asdict(cell) for cell in measured]}, indent=2))
        return
    print("\n".join((*tables(measured), "", *as_list(told))))


if __name__ == "__main__":
    main()
