"""``likeness serve``: receiver, worker and delivery, started together and kept alive."""

import fcntl
import logging
import multiprocessing
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path

from pydicom.uid import UID
from sqlalchemy import Engine

from dicom_node import worker_process
from dicom_node.database import open_database
from dicom_node.delivery import Delivery
from dicom_node.identity import device_uid
from dicom_node.intake import Intake
from dicom_node.scp import start_scp
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from encoders.self_test import SAMPLES, Sample, run_self_test

log = logging.getLogger(__name__)

WORKER_START_S = 120.0
WORKER_STOP_S = 30.0
LOOK_S = 1.0


class StartError(Exception):
    """The node cannot start; the message says why and what to do."""


def serve(settings: Settings) -> None:
    """Runs the node until SIGINT or SIGTERM.

    Raises:
        StartError: another node uses the data folder, or the encoder cannot be loaded.
        PortTakenError, DatabaseError: as their messages say.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        stack.enter_context(_only_node_on(settings.data_folder))
        engine = stack.enter_context(open_database(settings))
        roles = stack.enter_context(_running_roles(settings, engine, stop))
        dicom = settings.dicom
        log.info("%s listens on %s:%d", dicom.ae_title, dicom.bind, dicom.port)
        while not stop.wait(LOOK_S):
            roles.look()
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
class _Roles:
    worker: "WorkerProcess"
    threads: Sequence[threading.Thread]

    def look(self) -> None:
        """Starts a dead worker again; a dead thread is a fault of ours and ends the node."""
        self.worker.restart_if_dead()
        for thread in self.threads:
            if not thread.is_alive():
                raise StartError(
                    f"{thread.name} ended unexpectedly (its traceback is above). Nothing that was "
                    "acknowledged is lost: start the node again, and report the traceback"
                )


@contextmanager
def _running_roles(settings: Settings, engine: Engine, stop: threading.Event) -> Iterator[_Roles]:
    node = device_uid(settings.data_folder)
    spool = Spool(settings.data_folder)
    spool.sweep()
    intake = Intake(engine, spool, node=node, close_after_s=settings.study.close_after_s)
    delivery = Delivery(engine, settings, node=node)
    with ExitStack() as stack:
        scp = start_scp(settings.dicom, settings.peers, spool, intake, proved_syntaxes())
        stack.callback(scp.shutdown)
        worker = stack.enter_context(WorkerProcess(settings, engine))
        threads = [
            threading.Thread(target=intake.run, args=(stop,), name="intake"),
            threading.Thread(target=delivery.run, args=(stop,), name="delivery"),
        ]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        yield _Roles(worker, threads)


class WorkerProcess:
    """The worker's process, spawned (never forked) and started again if it dies."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._spawn = multiprocessing.get_context("spawn")
        self._settings = settings
        self._url = engine.url.render_as_string(hide_password=False)
        self._stop = self._spawn.Event()
        self._process: SpawnProcess | None = None

    def __enter__(self) -> "WorkerProcess":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._process is not None:
            self._process.join(WORKER_STOP_S)
            if self._process.is_alive():
                log.warning("the worker did not stop within %d s and is killed", WORKER_STOP_S)
                self._process.kill()
                self._process.join()

    def _start(self) -> None:
        """Spawns the worker and waits for its word that it is ready."""
        ours, theirs = self._spawn.Pipe(duplex=False)
        self._process = self._spawn.Process(
            target=worker_process.main,
            args=(self._settings, self._url, theirs, self._stop),
            name="likeness-worker",
        )
        self._process.start()
        theirs.close()
        try:
            fault = ours.recv() if ours.poll(WORKER_START_S) else "the worker did not get ready"
        except EOFError:
            fault = "the worker died while starting; its last words are above"
        finally:
            ours.close()
        if fault:
            raise StartError(fault)

    def restart_if_dead(self) -> None:
        """What the dead worker had claimed is released when the new one starts."""
        if self._process is not None and not self._process.is_alive():
            log.error("the worker died (exit code %s); starting another", self._process.exitcode)
            try:
                self._start()
            except StartError as fault:  # perhaps the database is away: look again soon
                log.error("the worker did not start: %s", fault)
