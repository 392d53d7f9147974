"""The worker's loop: claims jobs, sends them through the stages, ends each one way or the other.

Nothing here decides what is done with a study; that is ``dicom_node.worker``.
"""

import logging
import os
import threading
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from dicom_node.faults import fault_of, together
from dicom_node.in_hand import StudyInHand, UnworkableStudyError
from dicom_node.network_faults import NetworkLostError
from dicom_node.queue_rounds import LONGEST_WAIT_S, QueueRounds
from dicom_node.sketch_keeper import SketchKeeper
from dicom_node.stages import Stages
from dicom_node.worker import SpaceChangedError, Worker
from storage import embeddings, study_work
from storage.database import is_outage
from storage.outages import OUTAGES
from storage.queue import JOBS, SUSPECT, RetryRule

__all__ = ["SpaceChangedError", "WorkerLoop"]

log = logging.getLogger(__name__)

DEATHS = 10
"""A study is set aside after so many: of a killed worker or a power cut it may not be the cause."""
DRAIN_S = 20.0
"""How long what is in flight may take to its end when the node is told to stop. A part of
``child_process.STOP_S``, after which the process is killed: the rest is given back in time."""
MOST_READERS = 8
MOST_TAKEN = 16
"""Jobs claimed at once; their headers are read by the thread that claims."""


class WorkerLoop:
    """Claims jobs and works several at a time, until told to stop. Use it as a context manager.

    How many are in flight is bounded by ``Stages``, so that none waits there for long. Should one
    outlive its lease nevertheless, nothing happens: a node has one worker, which never claims a
    study that it has in flight. The lease is for a worker that is no more.

    After a death nobody knows which of the jobs in flight it died of. They are given back without
    counting the try, but as suspects: each gets the worker for itself, and dies alone if it must.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._engine = worker.engine
        self._settings = worker.settings
        self._rule = RetryRule(self._settings.work.attempts, self._settings.work.first_wait_s)
        self._sketches = SketchKeeper(self._engine, worker.index)
        self._stop = threading.Event()
        self._stages = Stages(
            worker,
            readers=self._settings.encoder.readers or default_readers(),
            oldest_s=self._settings.work.lease_s / 2,
            end=self._end,
            idle=self._idle,
        )

    def __enter__(self) -> "WorkerLoop":
        self._stages.__enter__()
        self._worker.index.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.index.end()
        self._stages.__exit__()

    def run(self, stop: threading.Event) -> None:
        """Works until told to stop; what is then in flight is ended, or given back.

        Raises:
            SpaceChangedError: the archive answers by another space; all jobs were given back.
            NetworkLostError: another process may work; all jobs were given back as at a death.
        """
        self._stop = stop
        rounds = QueueRounds(
            self._engine,
            JOBS,
            node=self._worker.node,
            work_next=self._feed,
            giving_back=self._stages.give_back,
        )
        try:
            rounds.run("worker", stop)
            self._stages.wait_until_empty(timeout_s=DRAIN_S)
        except SpaceChangedError:
            self._give_back()
            raise
        except NetworkLostError:  # perhaps one of them did it: then it must meet its end alone
            self._give_back(died=True)
            raise
        self._give_back()
        self._stages.between_writes(self._worker.index.close)

    def in_flight(self) -> int:
        """How many studies are being worked."""
        return len(self._stages.in_flight())

    def work_next(self) -> bool:
        """Claims one job and works it to its end; False if none was due."""
        jobs = self._claim(1)
        for job in jobs:
            self.work_claimed(job)
        return bool(jobs)

    def work_claimed(self, job: Row[*tuple[Any, ...]]) -> None:
        """Works a job to its end, whatever that is.

        Raises:
            DBAPIError, DatabaseError: the database does not answer; the job is to be done again.
            SpaceChangedError: it is to be done with the encoder of another space.
        """
        self._start([job])
        self._stages.wait_until_empty()
        self._stages.raise_fault()

    def _feed(self) -> bool:
        """Starts the work on jobs that are due, if there are any; raises what happened meanwhile.

        The first goes ahead of the others, for mostly there are none.
        """
        room = self._stages.wait_for_room(LONGEST_WAIT_S)
        self._stages.raise_fault()
        if not room:
            return True
        first = self._claim(1)
        if first and first[0].reason == SUSPECT:
            self._work_alone(first)
        elif first:
            self._start(first)
            self._start(self._claim(min(room, MOST_TAKEN), suspects=False))
        return bool(first)

    def _claim(self, most: int, *, suspects: bool = True) -> Sequence[Row[*tuple[Any, ...]]]:
        with self._engine.begin() as connection:
            return study_work.claim(
                connection,
                node=self._worker.node,
                lease_s=self._settings.work.lease_s,
                most=most,
                besides=self._stages.in_flight(),
                suspects=suspects,
            )

    def _work_alone(self, jobs: Sequence[Row[*tuple[Any, ...]]]) -> None:
        if self._stages.wait_until_empty(self._stop):
            self._start(jobs)
            self._stages.wait_until_empty(self._stop)

    def _start(self, jobs: Sequence[Row[*tuple[Any, ...]]]) -> None:
        deadly = [job for job in jobs if job.attempts > max(self._rule.attempts, DEATHS)]
        for job in deadly:
            self._give_up(job, f"the worker died {job.attempts - 1} times working on it")
        others = [job for job in jobs if job not in deadly]
        together(self._take, others, self._end_by, stops=_stops)

    def _take(self, jobs: Sequence[Row[*tuple[Any, ...]]]) -> None:
        self._stages.start(self._worker.take(jobs))

    def _end(self, studies: Sequence[StudyInHand]) -> None:
        good = []
        for study in studies:
            fault = study.fault or fault_of(study.vectors)
            if fault is None:
                good.append(study)
            else:
                self._end_by(fault, study.job)
        together(self._write, good, self._blame, stops=_stops)

    def _write(self, studies: Sequence[StudyInHand]) -> None:
        for study in self._worker.write(studies):
            together(self._answer, [study], self._blame)

    def _answer(self, studies: Sequence[StudyInHand]) -> None:
        for study in studies:
            self._worker.answer(study)

    def _blame(self, fault: Exception, study: StudyInHand) -> None:
        self._end_by(fault, study.job)

    def _end_by(self, fault: Exception, job: Row[*tuple[Any, ...]]) -> None:
        if _stops(fault):
            raise fault
        if isinstance(fault, UnworkableStudyError):
            self._set_aside(job, str(fault))
            return
        log.error("study row %d failed", job.study_id, exc_info=fault)
        self._try_again(job, f"{type(fault).__name__}: {fault}")

    def _set_aside(self, job: Row[*tuple[Any, ...]], reason: str) -> None:
        """No image can stand for the study, so none that did before may go on doing so."""
        space_id = self._worker.space.id
        with self._worker.writing() as connection:
            if study_work.is_superseded(connection, job.study_id, job_id=job.id):
                JOBS.done(connection, job.id)
                return
            embeddings.retire_study(connection, space_id=space_id, study_id=job.study_id)
        self._give_up(job, reason)

    def _give_up(self, job: Row[*tuple[Any, ...]], reason: str) -> None:
        with self._worker.writing() as connection:
            JOBS.failed(connection, job.id, reason)
            study_work.mark_failed(connection, job.study_id, reason, job_id=job.id)
        log.warning("study row %d failed: %s", job.study_id, reason)

    def _try_again(self, job: Row[*tuple[Any, ...]], reason: str) -> None:
        with self._worker.writing() as connection:
            if not JOBS.again(connection, job, reason, self._rule):
                study_work.mark_failed(connection, job.study_id, reason, job_id=job.id)

    def _give_back(self, *, died: bool = False) -> None:
        """Where we end of our own accord, what is not done yet is as if it had not been begun."""
        self._stages.give_back()
        try:
            with self._engine.begin() as connection:
                JOBS.release(connection, node=self._worker.node, died=died)
        except OUTAGES as fault:  # the next worker finds them
            log.warning("jobs could not be given back: %s", fault)

    def _idle(self) -> bool:
        """What can wait; True if there is more of it."""
        self._worker.index.look()
        self._sketches.look()
        return self._worker.kept.pack_one()


def _stops(fault: Exception) -> bool:
    """Whether a fault is no study's, and each would meet it."""
    return isinstance(fault, SpaceChangedError) or is_outage(fault)


def default_readers() -> int:
    """Processes that decode: one core is left to receiving and the database."""
    return min(MOST_READERS, max(1, len(os.sched_getaffinity(0)) - 1))
