"""The receivers that are measured side by side, each started on a free port in an empty folder."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import generate_uid

from benchmarks.asked_studies import RADIOGRAPH, asked_studies
from benchmarks.received_loads import echoscu
from dicom_node.database import open_database
from dicom_node.receiver import Receiver as ReceivingProcess
from dicom_node.serve import proved_syntaxes
from dicom_node.settings import DicomSettings, Settings
from dicom_node.settings_file import load_settings
from dicom_node.sop_classes import accepted_contexts
from dicom_node.store_sender import StoreSender
from storage import studies
from tests.conftest import find_free_port
from tests.end_to_end.orthanc import orthanc_in
from tests.end_to_end.running import INDEXED_CALLER, Node, node_in
from tests.waiting import wait_until

OURS = "Likeness"
OURS_ALONE = "Likeness, receiver alone"
OURS_EMBEDDING = "Likeness while it embeds"
ORTHANC = "Orthanc"
STORESCP = "DCMTK storescp"
BARE = "pynetdicom, bare"
NEVER_S = 80_000.0
"""``close_after_s`` of studies that are to stay open."""


class BacklogError(Exception):
    """The worker ran out of studies before the measurement ended; the message says what to do."""


@dataclass(frozen=True)
class Receiver:
    """How one is started: ``start(folder, associations)`` yields the port it listens on."""

    name: str
    called: str
    start: Callable[[Path, int], AbstractContextManager[int]]
    what: str


def _environment() -> dict[str, str]:
    return {**os.environ, "TCP_NODELAY": "1"}


@contextmanager
def _process(command: list[str], called: str, port: int, folder: Path) -> Iterator[int]:
    """A receiver that is one process; it is up once it answers C-ECHO."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment())

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        done = subprocess.run(echoscu(called, port), capture_output=True, check=False, timeout=60)
        return done.returncode == 0

    try:
        wait_until(answers, f"{command[0]} to answer", 60)
        yield port
    finally:
        process.terminate()
        process.wait()


def _storescp(folder: Path, associations: int) -> AbstractContextManager[int]:
    port = find_free_port()
    fork = ("--fork",) if associations > 1 else ()
    command = ["/usr/bin/storescp", *fork, "-od", str(folder), str(port)]
    return _process(command, "STORESCP", port, folder)


def _bare(folder: Path, _: int) -> AbstractContextManager[int]:
    port = find_free_port()
    command = [sys.executable, "-m", "benchmarks.bare_receiver", str(port), str(folder)]
    return _process(command, "BARE", port, folder)


@contextmanager
def _orthanc(folder: Path, _: int) -> Iterator[int]:
    with orthanc_in(folder) as orthanc:
        yield orthanc.dicom_port


@contextmanager
def _ours(folder: Path, _: int) -> Iterator[int]:
    with node_in(folder, close_after_s=30) as node:
        node.start()
        yield node.port


@contextmanager
def _ours_alone(folder: Path, _: int) -> Iterator[int]:
    port = find_free_port()
    settings = Settings(data_folder=folder, dicom=DicomSettings(port=port))
    with ReceivingProcess(settings, accepted_contexts(proved_syntaxes())) as receiver:
        receiver.listen(lambda _: None)
        yield port


def embedding(backlog: int) -> Receiver:
    """Our node while its worker embeds ``backlog`` radiographs of 8 MB that came before."""

    @contextmanager
    def start(folder: Path, _: int) -> Iterator[int]:
        with node_in(folder, close_after_s=NEVER_S) as node:
            node.start()
            _start_embedding(node, backlog)
            yield node.port
            if not node.status()["studies"].get("queued"):
                raise BacklogError(
                    f"the worker had embedded all {backlog} studies before the last image was "
                    "sent; set a larger --backlog"
                )

    what = f"the same, its worker embedding {backlog} radiographs of 8 MB meanwhile"
    return Receiver(OURS_EMBEDDING, "LIKENESS", start, what)


def _start_embedding(node: Node, backlog: int) -> None:
    """Send the backlog, have all of it taken in, then close all of its studies at once."""
    settings = load_settings(node.settings)
    sender = StoreSender(settings.dicom, calling_ae=INDEXED_CALLER)
    (image,) = next(asked_studies(RADIOGRAPH))
    uids = [generate_uid() for _ in range(backlog)]
    with sender.association() as association:
        for uid in uids:
            image.StudyInstanceUID, image.SeriesInstanceUID = uid, generate_uid()
            image.SOPInstanceUID = generate_uid()
            association.send([image])
    with open_database(settings) as engine:

        def all_are_in() -> bool:
            with engine.connect() as connection:
                return all(studies.state_of(connection, uid) for uid in uids)

        wait_until(all_are_in, "the backlog to be taken in", 300)
        with engine.begin() as connection:
            for uid in uids:
                studies.close_now(connection, uid)
    wait_until(lambda: node.status()["studies"].get("indexed"), "the worker to embed", 60)


PLAIN = (
    Receiver(OURS, "LIKENESS", _ours, "`likeness serve` whole; fsync of file and folder"),
    Receiver(OURS_ALONE, "LIKENESS", _ours_alone, "its receiving process only; fsync as above"),
    Receiver(
        ORTHANC,
        "ORTHANC",
        _orthanc,
        "Debian's defaults: SQLite, no compression, `SyncStorageArea` (fdatasync of each file)",
    ),
    Receiver(
        STORESCP, "STORESCP", _storescp, "`-od FOLDER`, `--fork` for 4 associations; no fsync"
    ),
    Receiver(
        BARE, "BARE", _bare, "a handler that writes the encoded data set; no fsync, TCP_NODELAY set"
    ),
)
