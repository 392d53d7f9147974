"""The worker's loop: claims jobs and works them, and ends each one way or the other.

Nothing here decides what is done with a study; that is ``dicom_node.worker``.
"""

import logging
import threading
from typing import Any

from sqlalchemy import Row

from dicom_node.queue_rounds import QueueRounds
from dicom_node.reading import UnworkableStudyError
from dicom_node.worker import Worker
from storage import embeddings, study_work
from storage.database import is_outage
from storage.index import snapshot_path
from storage.queue import JOBS, RetryRule

log = logging.getLogger(__name__)

DEATHS = 10
"""A study is set aside after so many: of a killed worker or a power cut it may not be the cause."""
SNAPSHOT_CHANGES = 100
"""An idle worker writes a new snapshot after this many changes, or one in a hundred vectors."""


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
