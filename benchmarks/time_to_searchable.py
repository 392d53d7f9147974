"""The time from Success to searchable at several rates of arrival, as a Markdown table.

Run ``python -m benchmarks.time_to_searchable``. A real node (``likeness serve``, embedded
PostgreSQL, a temporary folder, the baseline encoder) holds 50 synthetic studies. Then radiographs
and CT series of 60 slices come in turn, at random moments (Poisson), one association each. The
clock starts when the sender has the Success of a study's last instance, and stops when the study
stands as indexed in the database with a live vector; ``close_after``, during which the node waits
for more images, is taken off. Studies are looked for every 20 ms.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from sqlalchemy import Connection, select

from benchmarks.asked_studies import KINDS, Kind, asked_studies
from benchmarks.machine import as_list, provenance
from benchmarks.time_to_report import fill
from dicom_node.database import open_database
from dicom_node.settings import DicomSettings
from dicom_node.settings_file import load_settings
from dicom_node.store_sender import StoreSender
from storage.tables import Embedding, Study
from tests.end_to_end.running import INDEXED_CALLER, node_in

ARCHIVE = 50
LOOK_S = 0.02
GIVE_UP_S = 300.0
TEMPLATES = 3
"""Studies of each kind; every arrival has the pixels of one of them, and UIDs of its own."""
SMALLEST_FOR_P95 = 20


@dataclass(frozen=True)
class Arrival:
    """A study that was sent: when its last Success came, in seconds of ``perf_counter``."""

    study_instance_uid: str
    kind: str
    success: float


@dataclass(frozen=True)
class Cell:
    """The times of one kind of study at one rate, in seconds, ``close_after`` off."""

    rate: float
    kind: str
    times: tuple[float, ...]


def templates() -> Iterator[tuple[Kind, list[Dataset]]]:
    """Yield studies, the kinds in turn, without end."""
    made = [list(islice(asked_studies(kind), TEMPLATES)) for kind in KINDS]
    turns = zip(*made, strict=True)
    return cycle([pair for turn in turns for pair in zip(KINDS, turn, strict=True)])


def fresh(study: Sequence[Dataset]) -> list[Dataset]:
    """Return the study with other UIDs and another patient; the pixels are shared."""
    study_uid, series_uid, patient = generate_uid(), generate_uid(), generate_uid()[-16:]
    copies = [Dataset(dataset) for dataset in study]
    for original, copy in zip(study, copies, strict=True):
        copy.file_meta = original.file_meta
        copy.StudyInstanceUID, copy.SeriesInstanceUID = study_uid, series_uid
        copy.SOPInstanceUID, copy.PatientID = generate_uid(), patient
    return copies


def send(dicom: DicomSettings, kind: Kind, study: Sequence[Dataset]) -> Arrival:
    """Send one study on an association of its own."""
    with StoreSender(dicom, calling_ae=INDEXED_CALLER).association() as association:
        association.send(study)
        success = time.perf_counter()
    return Arrival(str(study[0].StudyInstanceUID), kind.name, success)


def send_at_rate(
    dicom: DicomSettings,
    studies: Iterator[tuple[Kind, list[Dataset]]],
    rate: float,
    count: int,
) -> list[Arrival]:
    """Send ``count`` studies, ``rate`` a minute on average, as many at once as it takes."""
    gaps = np.random.default_rng(int(rate)).exponential(60 / rate, count)
    pause, begun = threading.Event(), time.perf_counter()
    with ThreadPoolExecutor(max_workers=16) as senders:
        sent: list[Future[Arrival]] = []
        for due, (kind, study) in zip(begun + np.cumsum(gaps), studies, strict=False):
            pause.wait(max(0, float(due) - time.perf_counter()))
            sent.append(senders.submit(send, dicom, kind, fresh(study)))
        return [future.result() for future in sent]


class Watch:
    """Notes in a thread of its own when each study becomes searchable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stop = threading.Event()
        self.seen: dict[str, float] = {}

    def run(self) -> None:
        """Looks until it is told to stop."""
        while not self._stop.wait(LOOK_S):
            now = time.perf_counter()
            for uid in self._searchable():
                self.seen.setdefault(uid, now)

    def stop(self) -> None:
        """Ends ``run`` after its next look."""
        self._stop.set()

    def _searchable(self) -> Sequence[str]:
        """Studies that are indexed and have a live vector, the latest hundred."""
        found = self._connection.execute(
            select(Study.study_instance_uid)
            .join(Embedding, Embedding.study_id == Study.id)
            .where(Study.state == "indexed", Embedding.retired_at.is_(None))
            .group_by(Study.id)
            .order_by(Study.id.desc())
            .limit(100)
        )
        return found.scalars().all()


def times_of(
    arrivals: Sequence[Arrival], seen: Mapping[str, float], close_after_s: float
) -> dict[str, list[float]]:
    """Return the seconds from Success to searchable by kind, ``close_after_s`` taken off."""
    times: dict[str, list[float]] = {kind.name: [] for kind in KINDS}
    for arrival in arrivals:
        waited = seen[arrival.study_instance_uid] - arrival.success - close_after_s
        times[arrival.kind].append(waited)
    return times


def measure(rate: float, options: argparse.Namespace) -> list[Cell]:
    """Return the cells of one rate, on a fresh node.

    Raises:
        SystemExit: a study did not become searchable.
    """
    count = max(round(rate * options.minutes), options.least)
    with (
        tempfile.TemporaryDirectory(prefix="likeness-") as folder,
        node_in(Path(folder), close_after_s=options.close_after) as node,
    ):
        node.start()
        fill(node, ARCHIVE)
        settings = load_settings(node.settings)
        with (
            open_database(settings) as engine,
            engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            watch = Watch(connection)
            watching = threading.Thread(target=watch.run)
            watching.start()
            try:
                arrivals = send_at_rate(settings.dicom, templates(), rate, count)
                _wait_for(watch, {arrival.study_instance_uid for arrival in arrivals})
            finally:
                watch.stop()
                watching.join()
    times = times_of(arrivals, watch.seen, options.close_after)
    return [Cell(rate, kind, tuple(waits)) for kind, waits in times.items()]


def _wait_for(watch: Watch, uids: set[str]) -> None:
    pause, give_up = threading.Event(), time.perf_counter() + GIVE_UP_S
    while missing := uids - watch.seen.keys():
        if time.perf_counter() > give_up:
            raise SystemExit(f"{len(missing)} studies did not become searchable")
        pause.wait(LOOK_S)


def table(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield the lines of the table; where there are too few for a p95, it stays empty."""
    yield "| studies a minute | study | studies | p50 | p95 | greatest |"
    yield "|---|---|---|---|---|---|"
    for cell in cells:
        p95 = float(np.percentile(cell.times, 95)) if len(cell.times) >= SMALLEST_FOR_P95 else None
        columns = (
            f"{cell.rate:g}",
            cell.kind,
            str(len(cell.times)),
            _ms(float(np.median(cell.times))),
            "" if p95 is None else _ms(p95),
            _ms(max(cell.times)),
        )
        yield f"| {' | '.join(columns)} |"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _with_all(cells: Sequence[Cell]) -> Iterator[Cell]:
    """Yield the kinds of a rate and then both together."""
    yield from cells
    yield Cell(cells[0].rate, "both", tuple(wait for cell in cells for wait in cell.times))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--rate", action="append", type=float, metavar="N", help="studies a minute (1, 10, 50)")
    add("--minutes", type=float, default=3, help="how long studies come at each rate (3)")
    add("--least", type=int, default=20, help="studies at each rate, however long they take (20)")
    add("--close-after", type=float, default=1.0, metavar="S", help="the node's setting (1 s)")
    return made


def main() -> None:
    options = parser().parse_args()
    told = provenance("benchmarks.time_to_searchable")
    cells: list[Cell] = []
    for rate in options.rate or (1, 10, 50):
        cells += _with_all(measure(rate, options))
    told["close_after_s"] = f"{options.close_after:g}, taken off (the default is 30)"
    print("\n".join((*table(cells), "", *as_list(told))))


if __name__ == "__main__":
    main()
