"""``likeness serve``: receiver, worker, delivery and the rest, started together and kept alive."""

import fcntl
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID

from dicom_node import worker_process
from dicom_node.changeover.watch import ChangeoverWatch
from dicom_node.child_process import ChildProcess, StartError
from dicom_node.commitment import StorageCommitment
from dicom_node.database import NodeDatabase, node_database
from dicom_node.delivery import Delivery
from dicom_node.http.app import make_app
from dicom_node.http.door import finder
from dicom_node.http.routes import archive_routes
from dicom_node.http.service import HttpService
from dicom_node.identity import device_uid
from dicom_node.intake import Intake
from dicom_node.metrics import Metrics, metrics_of
from dicom_node.precedence import behind
from dicom_node.queue_watch import QueueWatch
from dicom_node.receiver import Receiver
from dicom_node.retention import Retention
from dicom_node.rounds import StoppedWaitingError
from dicom_node.settings import Settings
from dicom_node.shared_index import SharedIndex
from dicom_node.sop_classes import accepted_contexts
from dicom_node.spool import Spool
from encoders.self_test import SAMPLES, Sample, run_self_test
from storage import figures
from storage.database import beside

log = logging.getLogger(__name__)

LOOK_S = 1.0
HTTP_CONNECTIONS = 24
"""To the database; the HTTP service has 23 threads that ask it."""


def serve(settings: Settings) -> None:
    """Runs the node until SIGINT or SIGTERM.

    It receives as soon as it can write to its spool; a database that is away makes the rest wait.

    Raises:
        StartError: another node uses the data folder, a port is taken, the files of the TLS
            settings are faulty, or the encoder cannot be loaded.
        DatabaseError: somebody must set something right; the message says what.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        stack.enter_context(_only_node_on(settings.data_folder))
        node = device_uid(settings.data_folder)
        receiver = stack.enter_context(Receiver(settings, accepted_contexts(proved_syntaxes())))
        log.info("%s receives on %s", settings.dicom.ae_title, _doors(settings))
        try:
            database = stack.enter_context(node_database(settings, stop))
        except StoppedWaitingError:
            return
        parts = stack.enter_context(_running_parts(settings, database, receiver, node, stop))
        log.info("the node is ready")
        while not stop.wait(LOOK_S):
            parts.look(stop)
        log.info("stopping")


@contextmanager
def _only_node_on(folder: Path) -> Iterator[None]:
    """Holds the data folder; the kernel lets it go however the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "node.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise StartError(
                f"another node works in {folder}; stop it, or set data_folder to another"
            ) from fault
        yield


def _doors(settings: Settings) -> str:
    doors = {"": settings.dicom.port, " (TLS)": settings.tls.port}
    bind = settings.dicom.bind
    return ", ".join(f"{bind}:{port}{kind}" for kind, port in doors.items() if port is not None)


def proved_syntaxes(samples: Sequence[Sample] = SAMPLES) -> tuple[UID, ...]:
    """The transfer syntaxes that a self-test proves decodable; the others are logged.

    Raises:
        StartError: none is.
    """
    tested = run_self_test(samples)
    log.info("%d of %d transfer syntaxes are decodable here", len(tested.proved), len(samples))
    for failed in tested.unproved:
        syntax = failed.transfer_syntax
        log.warning(
            "%s (%s) is not accepted: %s. Remedy: %s",
            syntax.name,
            syntax,
            failed.reason,
            failed.remedy,
        )
    if not tested.proved:
        raise StartError("no transfer syntax can be decoded here; install likeness-node again")
    return tested.proved


@dataclass(frozen=True)
class _Parts:
    database: NodeDatabase
    receiver: Receiver
    worker: ChildProcess
    intake: Intake
    metrics: Metrics
    changeover: ChangeoverWatch
    threads: Sequence[threading.Thread]

    def look(self, stop: threading.Event) -> None:
        """Starts again what died beside us; a dead thread is a fault of ours and ends the node.

        To start a worker takes seconds, in which the node may have been told to stop.
        """
        self.database.revive_if_dead()
        if self.receiver.restart_if_dead():
            self.intake.adopt_again()
        self.worker.restart_if_dead()
        for thread in self.threads:
            if not thread.is_alive() and not stop.is_set():
                raise StartError(
                    f"{thread.name} ended unexpectedly (its traceback is above). Nothing that was "
                    "acknowledged is lost: start the node again, and report the traceback"
                )

    def dead(self) -> Mapping[str, str]:
        """What does not run now; it is started again within seconds, or the node ends."""
        alive = {"receiver": self.receiver.is_alive, "worker": self.worker.is_alive} | {
            thread.name: thread.is_alive() for thread in self.threads
        }
        return {name: "it does not run" for name, runs in alive.items() if not runs}

    def waiting(self) -> Mapping[str, str]:
        """What runs and cannot do its work now; it will by itself."""
        return {} if self.changeover.waiting is None else {"worker": self.changeover.waiting}


@contextmanager
def _running_parts(
    settings: Settings,
    database: NodeDatabase,
    receiver: Receiver,
    node: str,
    stop: threading.Event,
) -> Iterator[_Parts]:
    engine, spool = database.engine, Spool(settings.data_folder)
    intake = Intake(engine, spool, node=node, close_after_s=settings.study.close_after_s)
    metrics = metrics_of(engine, spool, node=node)
    commitment = StorageCommitment(engine, settings, node=node)
    changeover = ChangeoverWatch(engine, settings, database.url, node=node)
    runs: dict[str, Callable[[threading.Event], None]] = {
        "intake": behind(intake.run) if settings.work.receiving_first else intake.run,
        "delivery": Delivery(engine, settings, node=node).run,
        "storage commitment": commitment.run,
        "changeover": changeover.run,
        "retention": Retention(
            engine,
            spool,
            settings.spool,
            node=node,
            pictures_days=settings.report.keep_pictures_days,
        ).run,
        "queue watch": QueueWatch(
            engine, receiver.queue_is_full, node=node, most=settings.pressure.max_queued
        ).run,
    }
    with ExitStack() as stack:
        events = receiver.listen(metrics.receiver.take, intake.take, commitment.take)
        worker = stack.enter_context(
            ChildProcess("worker", worker_process.main, lambda: (settings, database.url))
        )
        threads = [
            threading.Thread(target=run, args=(stop,), name=name) for name, run in runs.items()
        ]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        threads.append(events)
        parts = _Parts(database, receiver, worker, intake, metrics, changeover, threads)
        if settings.http.port is not None:
            threads.append(stack.enter_context(_http(settings, parts)).thread)
        yield parts


@contextmanager
def _http(settings: Settings, parts: _Parts) -> Iterator[HttpService]:
    looking = figures.looking_engine(parts.database.engine)

    def missing() -> Mapping[str, str]:
        away = {} if figures.answers(looking) else {"database": "it does not answer"}
        return {**parts.waiting(), **parts.dead(), **away}

    node = device_uid(settings.data_folder)
    # readers come in any number: who waits for a connection among them keeps no image waiting
    engine = beside(parts.database.engine, connections=HTTP_CONNECTIONS)
    index = SharedIndex(settings)
    app = make_app(
        alive=parts.dead,
        ready=missing,
        scrape=parts.metrics.text,
        find_token=finder(engine),
        loopback_without_token=settings.http.loopback_without_token,
        more=archive_routes(engine, settings, node=node, index=index),
    )
    try:
        with index.following(engine), HttpService(settings.http, app) as service:
            yield service
    finally:
        engine.dispose()
