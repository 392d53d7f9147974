"""``likeness demo``: a node with a synthetic archive, asked once, and left running to be asked.

Everything goes the way that a hospital's images would: by C-STORE over a socket into
``likeness serve`` in a process of its own, and the report comes back by C-STORE.
"""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Comprehensive3DSRStorage, SecondaryCaptureImageStorage
from tqdm import tqdm

from dicom_node import console, questions
from dicom_node.child_process import StartError
from dicom_node.database import open_database
from dicom_node.report.documents import encoded
from dicom_node.report_facts import as_png
from dicom_node.scp import PortTakenError
from dicom_node.settings import Settings
from dicom_node.settings_file import load_settings
from dicom_node.status import status_of
from dicom_node.store_sender import StoreSender
from evaluation.synthetic.archive import SyntheticStudy, archive, make_study, write_labels
from storage import labels, studies
from storage.search import Wish

ARCHIVE_AE, ASKING_AE = "SYNTH_ARCHIVE", "SYNTH_ASKER"
START_S, WORK_S, ANSWER_S = 180.0, 900.0, 60.0
LOOK_S = 0.2

SETTINGS = Template(
    """# Written by `likeness demo`; yours to change. likeness.sample.toml explains the keys.
data_folder = "."

[dicom]
ae_title = "LIKENESS"
port = $node_port

[http]
port = $http_port
loopback_without_token = true   # the page below opens in a browser of this machine

[study]
close_after_s = 2

[[peers]]                 # the synthetic archive: indexed, not answered
name = "archive"
ae_title = "$archive_ae"

[[peers]]                 # what this one sends is answered to itself
name = "asker"
ae_title = "$asking_ae"
host = "127.0.0.1"
port = $asker_port
reports_to = "asker"

[[peers]]                 # DCMTK's storescu, by its default AE title: answered to "viewer"
name = "storescu"
ae_title = "STORESCU"
reports_to = "viewer"

[[peers]]                 # a storescp of yours
name = "viewer"
ae_title = "STORESCP"
host = "127.0.0.1"
port = $viewer_port
"""
)

NEXT_STEPS = Template(
    """
The node keeps running (Ctrl-C stops it). Everything lies in $folder: the settings in
likeness.toml, its log in node.log, the answer above in report.dcm (Structured Report) and
picture.png, which is the one to look at. The same as a page, with filters:
  $page

Ask with an image of your own:
  $command --settings $settings search YOUR_FILE.dcm

Or as a PACS does, with DCMTK; the report arrives in the folder answers:
  mkdir -p answers && /usr/bin/storescp -od answers $viewer_port &
  /usr/bin/storescu -aec LIKENESS 127.0.0.1 $node_port YOUR_FILE.dcm
  /usr/bin/dsrdump answers/*
"""
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Demo:
    folder: Path
    settings_path: Path
    settings: Settings

    @property
    def asker_port(self) -> int:
        peer = self.settings.peer_named("asker")
        if peer is None:
            raise StartError(f"{self.settings_path} names no peer 'asker'; remove it to start anew")
        return peer.port


def run_demo(folder: Path, count: int, *, once: bool, say: Say) -> int:
    """Starts a node in ``folder``, fills it with ``count`` synthetic studies, and asks one.

    Raises:
        StartError, PortTakenError: the node cannot start; the message says why.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop the node, too
    demo = _prepare(folder)
    with _running_node(demo):
        _fill(demo, count)
        question = make_study(_count_studies(demo), modality="DX")
        say(_ask(demo, question))
        say(_next_steps(demo, question))
        if not once:
            _until_interrupted()
    return 0


def _prepare(folder: Path) -> _Demo:
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "likeness.toml"
    if not path.exists():
        # The node's port may be set from outside; the others only need to be free.
        port = int(os.environ.get("LIKENESS_DICOM_PORT") or "11112")
        http = int(os.environ.get("LIKENESS_HTTP_PORT") or "11180")
        asker, viewer = _free_ports(2, besides={port, http})
        path.write_text(
            SETTINGS.substitute(
                node_port=port,
                http_port=http,
                asker_port=asker,
                viewer_port=viewer,
                archive_ae=ARCHIVE_AE,
                asking_ae=ASKING_AE,
            ),
            encoding="utf-8",
        )
    return _Demo(folder, path, load_settings(path))


def _free_ports(count: int, *, besides: set[int]) -> list[int]:
    first = min(besides)
    found: list[int] = []
    for port in range(first + 1, 65536):
        with socket.socket() as probe:
            if port not in besides and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise PortTakenError(f"no free ports above {first}")


@contextmanager
def _running_node(demo: _Demo) -> Iterator[None]:
    log_path = demo.folder / "node.log"
    command = [sys.executable, "-m", "dicom_node", "--settings", str(demo.settings_path), "serve"]
    with log_path.open("ab") as log:
        started_at = log.tell()
        node = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        _wait_until_ready(demo, node, log_path, started_at)
        yield
    finally:
        node.terminate()
        node.wait()


def _wait_until_ready(
    demo: _Demo, node: "subprocess.Popen[bytes]", log_path: Path, started_at: int
) -> None:
    sender = StoreSender(demo.settings.dicom, calling_ae=ARCHIVE_AE)
    give_up = time.monotonic() + START_S
    while not _said_ready(log_path, started_at):
        if node.poll() is not None or time.monotonic() > give_up:
            said = log_path.read_bytes()[started_at:].decode(errors="replace").strip()
            raise StartError(f"the node did not start; {log_path} says:\n{said}")
        time.sleep(LOOK_S)
    sender.echo()


def _said_ready(log_path: Path, started_at: int) -> bool:
    return b"the node is ready" in log_path.read_bytes()[started_at:]


def _fill(demo: _Demo, count: int) -> None:
    """Sends the archive by C-STORE, waits until it is searchable, and imports its labels."""
    sender = StoreSender(demo.settings.dicom, calling_ae=ARCHIVE_AE)
    truth: list[SyntheticStudy] = []
    bar = tqdm(total=count, unit="study", desc="sending", disable=None)
    with bar:
        for study in archive(count):
            with sender.association() as association:
                association.send(study.datasets)
            truth.append(_without_pixels(study))
            bar.update()
    _wait_until_worked(demo, [study.study_instance_uid for study in truth])
    labels_path = demo.folder / "labels.csv"
    write_labels(truth, labels_path)
    with open_database(demo.settings) as engine, engine.begin() as connection:
        labels.store(connection, labels.read_csv(labels_path), source="synthetic ground truth")


def _without_pixels(study: SyntheticStudy) -> SyntheticStudy:
    return SyntheticStudy(
        study.study_instance_uid, study.patient_id, study.modality, study.labels, ()
    )


def _wait_until_worked(demo: _Demo, uids: list[str]) -> None:
    give_up = time.monotonic() + WORK_S
    bar = tqdm(total=len(uids), unit="study", desc="indexing", disable=None)
    with bar, open_database(demo.settings) as engine:
        done = 0
        while done < len(uids):
            before = done
            with engine.connect() as connection:
                done = studies.count_done(connection, uids)
                states = status_of(connection, demo.settings)
            bar.update(done - before)
            if time.monotonic() > give_up:
                raise StartError(f"indexing takes too long: {json.dumps(states)}")
            time.sleep(LOOK_S)


def _count_studies(demo: _Demo) -> int:
    with open_database(demo.settings) as engine, engine.connect() as connection:
        return sum(studies.count_by_state(connection).values())


def _ask(demo: _Demo, question: SyntheticStudy) -> str:
    """Sends a new study as the asker, waits for its report, and returns the answer as text."""
    arrived: queue.SimpleQueue[Dataset] = queue.SimpleQueue()
    with _report_receiver(demo.asker_port, arrived):
        sender = StoreSender(demo.settings.dicom, calling_ae=ASKING_AE)
        with sender.association() as association:
            association.send(question.datasets)
        try:
            answers = {entry.Modality: entry for entry in _two_of(arrived)}
        except queue.Empty:
            raise StartError(f"no report came; {demo.folder / 'node.log'} says why") from None
    (demo.folder / "report.dcm").write_bytes(encoded(answers["SR"]))
    (demo.folder / "picture.png").write_bytes(as_png(encoded(answers["OT"])))
    with open_database(demo.settings) as engine:
        asked = [question.study_instance_uid]
        answer = questions.ask(engine, demo.settings, asked, wish=Wish(k=10), asked_by="demo")
    truth = ", ".join(name for name, value in question.labels.items() if value == 1) or "normal"
    head = f"Asked with a new synthetic radiograph (made with: {truth}). The report came back."
    return f"\n{head}\n\n{console.answer_text(answer)}"


def _two_of(arrived: "queue.SimpleQueue[Dataset]") -> Iterator[Dataset]:
    """The report and its picture."""
    return (arrived.get(timeout=ANSWER_S) for _ in range(2))


@contextmanager
def _report_receiver(port: int, arrived: "queue.SimpleQueue[Dataset]") -> Iterator[None]:
    def take(event: Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        arrived.put(dataset)
        return 0x0000

    ae = AE(ae_title=ASKING_AE)
    for sop_class in (Comprehensive3DSRStorage, SecondaryCaptureImageStorage):
        ae.add_supported_context(sop_class, [ExplicitVRLittleEndian])
    server = ae.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, take)]
    )
    try:
        yield
    finally:
        server.shutdown()


def _next_steps(demo: _Demo, question: SyntheticStudy) -> str:
    viewer = demo.settings.peer_named("viewer")
    http = demo.settings.http
    return NEXT_STEPS.substitute(
        folder=demo.folder,
        settings=demo.settings_path,
        command=Path(sys.argv[0]) if Path(sys.argv[0]).name == "likeness" else "likeness",
        node_port=demo.settings.dicom.port,
        page="(none: http.port is not set)"
        if http.port is None
        else f"http://{http.bind}:{http.port}/ui/studies/{question.study_instance_uid}",
        viewer_port=viewer.port if viewer else 11113,
    )


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
