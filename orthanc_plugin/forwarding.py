# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends studies to the node: each once, a few at a time, as long as it takes.

All of it happens in one thread of the plug-in's own. What Orthanc's callbacks call only puts
something down and wakes that thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any, NamedTuple

from orthanc_plugin.archive import AbsentError, Archive, ArchiveError, Modality, changed_at
from orthanc_plugin.configuration import Configuration
from orthanc_plugin.deliveries import Delivery
from orthanc_plugin.images import fingerprint, images_of
from orthanc_plugin.inbox import Inbox
from orthanc_plugin.journal import Journal
from orthanc_plugin.marks import NOTHING, SENDING, SENT, Mark, read_mark, settled_time
from orthanc_plugin.pauses import Pause, answers, retry_wait
from orthanc_plugin.refusals import Refusals, is_of_the_image
from orthanc_plugin.sweep import Sweep
from orthanc_plugin.tasks import WAITING, Task, Tasks

STORE_TIMEOUT_S = 30
"""How long the node may take over one C-STORE response, in seconds."""
_LOOK_S = 1.0
"""Between two looks at a job; Orthanc also tells when one ends."""
_SWEEP_REST_S = 0.02
_AFTER_FAULT_S = 60.0
_FAULT = "a fault of the plug-in: see the log"
_ENDED_KEPT = 1000


class Standing(NamedTuple):
    """How a study stands here.

    Attributes:
        state: its task's, or "" without one.
        said: why it does not get on.
        mark: what stands in its metadata.
        changed: whether Orthanc may have touched it since the mark was set.
    """

    state: str
    said: str
    mark: Mark | None
    changed: bool = True


class Forwarder:
    """The work; ``step`` is called again and again by one thread, all else by any."""

    def __init__(
        self, archive: Archive, configuration: Configuration, inbox: Inbox, journal: Journal
    ) -> None:
        self._archive = archive
        self._set = configuration
        self._inbox = inbox
        self._journal = journal
        self._tasks = Tasks()
        self._deliveries: dict[str, Delivery] = {}
        self._ended: OrderedDict[str, bool] = OrderedDict()
        self._pause = Pause(configuration.retry_s)
        self._wake = threading.Event()
        self._refusals = Refusals()
        self._sweep = self._new_sweep()
        self._sweep_due = 0.0
        self._sent = 0

    def _new_sweep(self) -> Sweep | None:
        if not (self._set.forward and self._set.sweep_at_start):
            return None
        return Sweep(self._archive, self._set.metadata_name, self._journal, self._refusals)

    def study_is_stable(self, study: str) -> None:
        """A study has not changed for a while; by Orthanc's identifier."""
        if not self._set.forward:
            return
        try:
            self._inbox.put(study)
        except ArchiveError as fault:
            self._journal.trouble("inbox", f"a stable study is noted in memory only: {fault}")
            self._tasks.add(study)
        self._wake.set()

    def job_ended(self, job: str, *, succeeded: bool) -> None:
        """A job of Orthanc's ended, perhaps one of ours."""
        self._ended[job] = succeeded
        while len(self._ended) > _ENDED_KEPT:
            self._ended.popitem(last=False)
        self._wake.set()

    def send_again(self, study: str) -> None:
        """Sends a study even if it was sent before."""
        self._tasks.add(study, forced=True)
        self._wake.set()

    def standing(self, study: str) -> Standing:
        """How a study stands.

        Raises:
            AbsentError: Orthanc has no such study.
        """
        metadata = self._archive.metadata("studies", study)
        mark = read_mark(metadata.get(self._set.metadata_name))
        changed = mark is None or mark.changed != changed_at(metadata)
        task = self._tasks.find(study)
        if task is None:
            return Standing("", "", mark, changed)
        said = self._pause.reason if task.state == WAITING else task.said
        return Standing(task.state, said, mark, changed)

    def status(self) -> dict[str, Any]:
        """For people who look after it."""
        sweep = self._sweep
        return {
            "enabled": self._set.forward,
            **self._tasks.counts(),
            "sent": self._sent,
            "held": sum(delivery.paused for delivery in list(self._deliveries.values())),
            "refused": self._refusals.told(),
            "paused": self._pause.reason,
            "sweep": sweep and {"looked": sweep.looked, "total": sweep.total, "over": sweep.over},
        }

    def wake(self) -> None:
        """Ends ``wait``."""
        self._wake.set()

    def wait(self, seconds: float) -> None:
        """Waits until there may be something to do."""
        self._wake.wait(seconds)
        self._wake.clear()

    def step(self) -> float:
        """Does what there is to do now; returns after how many seconds to look again at latest."""
        self._read_notes()
        for job in list(self._deliveries):
            self._follow(job)
        self._start_some()
        return self._next_look()

    def _read_notes(self) -> None:
        try:
            while (note := self._inbox.take()) is not None:
                self._tasks.add(note.study, note=note)
        except ArchiveError as fault:
            self._journal.trouble("inbox", f"the notes of stable studies cannot be read: {fault}")
        else:
            self._journal.trouble("inbox", "")

    def _next_look(self) -> float:
        now = monotonic()
        waits = [60.0, _LOOK_S] if self._deliveries else [60.0]
        if self._may_start():
            due = self._tasks.due_in(now)
            sweeping = self._sweep is not None and not self._sweep.over
            pause = self._pause.until - now
            waits += [] if due is None else [max(due, pause)]
            waits += [max(_SWEEP_REST_S, pause, self._sweep_due - now)] if sweeping else []
        return max(0.0, min(waits))

    def _may_start(self) -> bool:
        """A job that someone has paused holds up no other study."""
        going = [delivery for delivery in self._deliveries.values() if not delivery.paused]
        return len(going) < self._set.jobs_at_once

    def _start_some(self) -> None:
        while self._may_start() and monotonic() >= self._pause.until:
            task = self._tasks.next(monotonic()) or self._swept()
            if task is None:
                return
            with self._never_stuck(task):
                self._start(task)

    @contextmanager
    def _never_stuck(self, task: Task) -> Iterator[None]:
        """Whatever goes wrong in the block, the task is tried again later."""
        with ExitStack() as net:
            net.callback(lambda: self._tasks.retry(task, monotonic() + _AFTER_FAULT_S, _FAULT))
            yield
            net.pop_all()

    def _swept(self) -> Task | None:
        if self._sweep is None or self._sweep.over or monotonic() < self._sweep_due:
            return None
        try:
            missed = self._sweep.missed_ones()
        except ArchiveError as fault:
            self._journal.trouble("sweep", f"the sweep waits for Orthanc's database: {fault}")
            self._sweep_due = monotonic() + self._set.retry_s
            return None
        self._journal.trouble("sweep", "")
        for study in missed:
            self._tasks.add(study, swept=True)
        return self._tasks.next(monotonic())

    def _start(self, task: Task) -> None:
        modality = self._modality_that_answers()
        if modality is None:
            self._tasks.put_back(task)
            return
        try:
            delivery = self._prepared(task, modality)
            if delivery is None:
                self._done(task)
            elif delivery.over:
                self._finish(delivery)
            elif delivery.job:  # of before Orthanc was started again
                self._deliveries[delivery.job] = delivery
            else:
                self._send(delivery)
        except AbsentError:
            self._drop_or_retry(task)
        except ArchiveError as fault:
            self._retry(task, str(fault))

    def _modality_that_answers(self) -> Modality | None:
        """The node; None while it is paused for, or not there. Asked only after a failure."""
        try:
            modality = self._archive.modality(self._set.modality)
        except ArchiveError:
            name = self._set.modality
            self._halt(f"Orthanc's DicomModalities has no entry \"{name}\": add the node's")
            return None
        if self._pause.reason and not answers(modality):
            self._halt(_silent(modality))
            return None
        return modality

    def _halt(self, reason: str) -> None:
        self._pause.longer(monotonic(), reason)
        self._journal.trouble("node", f"{reason}; studies wait, and are sent later")

    def _prepared(self, task: Task, modality: Modality) -> Delivery | None:
        """What is to be sent; None where there is nothing to do."""
        study = self._archive.study(task.study)
        if task.swept and not study.stable:
            return None  # images still come, and Orthanc will tell when no more do
        metadata = self._archive.metadata("studies", task.study)
        changed = settled_time(changed_at(metadata))
        mark = read_mark(metadata.get(self._set.metadata_name))
        images = images_of(self._archive, study, modality.ae_title)
        print_ = fingerprint(images)
        if not images:
            self._set_mark(task, Mark(NOTHING, print_, changed=changed), mark)
            return None
        delivery = Delivery(task, images, print_, changed)
        if mark is None or mark.fingerprint != print_ or task.forced:
            return delivery
        if mark.state == SENT:
            self._set_mark(task, mark._replace(changed=changed), mark)
            return None
        return self._taken_up(delivery, mark)

    def _taken_up(self, delivery: Delivery, mark: Mark) -> Delivery:
        """The delivery goes on with the job of before Orthanc was started again, if it is there."""
        try:
            job = self._archive.job(mark.job) if mark.state == SENDING and mark.job else None
        except AbsentError:
            return delivery
        if job and job.under_way:
            delivery.job = mark.job
        elif job and job.succeeded:
            delivery.taken()
        return delivery

    def _send(self, delivery: Delivery) -> None:
        name = self._set.modality
        delivery.job = self._archive.store(name, delivery.part(), STORE_TIMEOUT_S)
        self._set_mark(delivery.task, delivery.mark(), None)
        self._deliveries[delivery.job] = delivery  # not if the study was deleted: the mark tells

    def _follow(self, job: str) -> None:
        delivery = self._deliveries[job]
        try:
            found = self._archive.job(job)
        except AbsentError:  # Orthanc remembers only the last few jobs
            said = "Orthanc has forgotten its job"
            self._end(job, delivery, self._ended.pop(job, None), said)
            return
        if found.under_way:
            self._hold(delivery, found.paused)
        else:
            self._ended.pop(job, None)
            self._end(job, delivery, found.succeeded, found.said)

    def _hold(self, delivery: Delivery, paused: bool) -> None:
        task = delivery.task
        if paused and not delivery.paused:
            self._journal.warning(f"study {task.study}: job {delivery.job} is paused in Orthanc")
        delivery.paused = paused
        task.said = "its job is paused in Orthanc, and may be resumed there" if paused else ""

    def _end(self, job: str, delivery: Delivery, succeeded: bool | None, said: str) -> None:
        del self._deliveries[job]
        delivery.paused = False
        with self._never_stuck(delivery.task):
            self._ended_as(delivery, succeeded, said)

    def _ended_as(self, delivery: Delivery, succeeded: bool | None, said: str) -> None:
        try:
            if succeeded:
                delivery.taken()
                self._go_on(delivery)
            elif succeeded is None:
                self._retry(delivery.task, said)
            else:
                self._failed(delivery, said)
        except AbsentError:
            self._drop_or_retry(delivery.task)
        except ArchiveError as fault:
            self._retry(delivery.task, str(fault))

    def _go_on(self, delivery: Delivery) -> None:
        self._pause.end()
        self._journal.trouble("node", "")
        if delivery.over:
            self._finish(delivery)
        else:
            self._send(delivery)

    def _failed(self, delivery: Delivery, said: str) -> None:
        task = delivery.task
        modality = self._archive.modality(self._set.modality)
        if not answers(modality):
            self._tasks.put_back(task)
            self._halt(_silent(modality))
        elif not is_of_the_image(said) or not delivery.cut(said):
            self._retry(task, said)
        elif delivery.over:
            self._finish(delivery)
        else:
            self._send(delivery)

    def _finish(self, delivery: Delivery) -> None:
        mark = delivery.mark()
        self._set_mark(delivery.task, mark, None)
        self._sent += 1
        study = delivery.task.study
        self._refusals.note(study, mark.refused, mark.said)
        if mark.refused:
            self._journal.warning(
                f"study {study}: the node did not take {mark.refused} of its "
                f"{mark.images + mark.refused} images: {mark.said}"
            )
        self._done(delivery.task)

    def _retry(self, task: Task, said: str) -> None:
        now = monotonic()
        task.tries += 1
        wait = retry_wait(self._set.retry_s, task.tries)
        if not is_of_the_image(said):  # else the node is there, and takes other studies
            self._pause.failed(now, task.study, said)
        self._tasks.retry(task, now + wait, said)
        self._journal.warning(f"study {task.study} is tried again in {wait:.0f} s: {said}")

    def _drop_or_retry(self, task: Task) -> None:
        """The study was deleted meanwhile, or only a part of it."""
        try:
            self._archive.study(task.study)
        except AbsentError:
            task.again = False
            self._refusals.note(task.study, 0, "")
            self._done(task)
            self._journal.info(f"study {task.study} is no longer in Orthanc")
        else:
            self._tasks.retry(task, monotonic() + 1, "it changed while it was sent")

    def _done(self, task: Task) -> None:
        for note in self._tasks.done(task):
            try:
                self._inbox.done(note)
            except ArchiveError as fault:  # Orthanc gives the note out again
                self._journal.trouble("inbox", f"a note cannot be taken off: {fault}")

    def _set_mark(self, task: Task, mark: Mark, before: Mark | None) -> None:
        if mark == before:
            return
        try:
            self._archive.mark(task.study, self._set.metadata, mark.text())
        except AbsentError:
            raise
        except ArchiveError as fault:
            self._journal.trouble(
                "mark", f"studies cannot be marked as sent, and will be sent again: {fault}"
            )


def _silent(modality: Modality) -> str:
    return f"the node's DICOM port {modality.host}:{modality.port} does not answer"
