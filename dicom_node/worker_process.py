"""The worker's process: spawned, it loads torch once and takes studies off the queue.

Nothing here decides what is done with a study; that is ``dicom_node.worker``.
"""

import dataclasses
import logging
import signal
import threading
from typing import Any

from sqlalchemy import Engine, Row

from dicom_node.answering import this_device
from dicom_node.asking import encoder_options
from dicom_node.child_process import Tether, die_with_parent
from dicom_node.identity import device_uid
from dicom_node.logs import configure_logging
from dicom_node.precedence import step_back
from dicom_node.queue_rounds import QueueRounds
from dicom_node.reading import UnworkableStudyError
from dicom_node.rounds import StoppedWaitingError, when_reached
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from dicom_node.warm_up import warm_up
from dicom_node.worker import Worker
from encoders.encoder import Encoder, EncoderError
from encoders.pixel_reader import PixelReader
from encoders.registry import create
from encoders.space import Space
from storage import embeddings, study_work
from storage.answer import SpaceSummary
from storage.database import connect, is_outage
from storage.index import open_index, snapshot_path
from storage.queue import JOBS, RetryRule

log = logging.getLogger(__name__)

DEATHS = 10
"""A study is set aside after so many: of a killed worker or a power cut it may not be the cause."""
SNAPSHOT_CHANGES = 100
"""An idle worker writes a new snapshot after this many changes, or one in a hundred vectors."""


def main(tether: Tether, settings: Settings, database_url: str) -> None:
    """Entry of the spawned process; it is ready with its encoder, and waits for its database."""
    configure_logging()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides when to stop
    die_with_parent()
    if settings.work.receiving_first:
        step_back()
    try:
        encoder = create(settings.encoder.name, encoder_options(settings))
    except (EncoderError, ValueError) as fault:
        tether.ready.send(str(fault))
        return
    tether.ready.send("")
    try:
        worker = when_reached(
            "worker", lambda: start_worker(connect(database_url), settings, encoder), tether.stop
        )
    except StoppedWaitingError:
        return
    with worker.reader:
        WorkerLoop(worker).run(tether.stop)


def start_worker(engine: Engine, settings: Settings, encoder: Encoder | None = None) -> Worker:
    """Opens the index of the encoder's space, caught up with the database, and warms up.

    The encoder of the settings is loaded where none is given.

    Raises:
        EncoderError: the encoder cannot be made here; the message says what is missing.
    """
    encoder = encoder or create(settings.encoder.name, encoder_options(settings))
    space = summary_of(encoder.space)
    with engine.begin() as connection:
        embeddings.use_space(connection, space)
        index = open_index(connection, settings.index_folder, space)
    log.info("encoder %s, space %s, %d vectors", space.encoder, space.id, index.count)
    node = device_uid(settings.data_folder)
    warm_up(encoder, space, this_device(node, settings), settings.report)
    return Worker(
        engine=engine,
        spool=Spool(settings.data_folder),
        reader=PixelReader(),
        encoder=encoder,
        space=space,
        index=index,
        settings=settings,
        node=node,
    )


def summary_of(space: Space) -> SpaceSummary:
    """The encoder's space as storage and reports know it."""
    return SpaceSummary(id=space.id, **dataclasses.asdict(space))


class WorkerLoop:
    """Claims jobs and works them one by one, until told to stop."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._engine = worker.engine
        self._settings = worker.settings
        self._rule = RetryRule(self._settings.work.attempts, self._settings.work.first_wait_s)
        self._saved = worker.index.watermark

    def run(self, stop: threading.Event) -> None:
        """Works until told to stop."""
        rounds = QueueRounds(
            self._engine,
            JOBS,
            node=self._worker.node,
            work_next=self.work_next,
            idle=self._save_if_worth_it,
        )
        rounds.run("worker", stop)
        self._save()

    def work_next(self) -> bool:
        """Claims one job and works it; False if none was due."""
        with self._engine.begin() as connection:
            job = JOBS.claim(
                connection,
                node=self._worker.node,
                lease_s=self._settings.work.lease_s,
            )
        if job is None:
            return False
        self.work_claimed(job)
        return True

    def work_claimed(self, job: Row[*tuple[Any, ...]]) -> None:
        """Works a job to its end, whatever that is.

        Raises:
            DBAPIError, DatabaseError: the database does not answer; the job is to be done again.
        """
        if job.attempts > max(self._rule.attempts, DEATHS):
            self._give_up(job, f"the worker died {job.attempts - 1} times working on it")
            return
        try:
            self._worker.work(job.id, job.study_id)
        except UnworkableStudyError as fault:
            self._set_aside(job, str(fault))
        except Exception as fault:  # boundary: one poisonous study never stops the others
            if is_outage(fault):
                raise
            log.exception("study row %d failed", job.study_id)
            self._try_again(job, f"{type(fault).__name__}: {fault}")

    def _set_aside(self, job: Row[*tuple[Any, ...]], reason: str) -> None:
        """No image can stand for the study, so none that did before may go on doing so."""
        space_id = self._worker.space.id
        with self._engine.begin() as connection:
            if study_work.is_superseded(connection, job.study_id, job_id=job.id):
                JOBS.done(connection, job.id)
                return
            embeddings.retire_study(connection, space_id=space_id, study_id=job.study_id)
        self._give_up(job, reason)

    def _give_up(self, job: Row[*tuple[Any, ...]], reason: str) -> None:
        with self._engine.begin() as connection:
            JOBS.failed(connection, job.id, reason)
            study_work.mark_failed(connection, job.study_id, reason, job_id=job.id)
        log.warning("study row %d failed: %s", job.study_id, reason)

    def _try_again(self, job: Row[*tuple[Any, ...]], reason: str) -> None:
        with self._engine.begin() as connection:
            if not JOBS.again(connection, job, reason, self._rule):
                study_work.mark_failed(connection, job.study_id, reason, job_id=job.id)

    def _save_if_worth_it(self) -> None:
        index = self._worker.index
        if index.watermark - self._saved >= max(SNAPSHOT_CHANGES, index.count // 100):
            self._save()

    def _save(self) -> None:
        index = self._worker.index
        if index.watermark != self._saved:
            index.save(snapshot_path(self._settings.index_folder, index.space_id))
            self._saved = index.watermark
