"""The worker's stages: reading, the network and writing, each in threads of its own.

An image goes on as soon as it is read, so that a forward pass takes images of several studies; a
study is written as soon as each of its images has a vector, or a reason why it has none. One thread
alone writes: it owns the index. What a study ends with is for ``dicom_node.worker_loop`` to say.
"""

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic

from dicom_node.faults import fault_of, together
from dicom_node.in_hand import ReadImage, StudyInHand
from dicom_node.lines import Line
from dicom_node.network_faults import NetworkFaults
from dicom_node.worker import Worker
from encoders.pixel_reader import PixelReader

log = logging.getLogger(__name__)

IDLE_S = 1.0
"""After so long without anything to write, the writing thread may do something else."""
MOST_WRITTEN = 64
"""Studies in one transaction, which holds up those who write beside us."""
LOOK_S = 0.2
"""How often a wait looks whether the node is to stop."""


@dataclass(frozen=True)
class _Image:
    """One of a study's files to be read, by its number; what was read of it, once it was."""

    study: StudyInHand
    number: int
    read: ReadImage | None = None


class Stages:
    """Threads from ``__enter__`` to ``__exit__``, through which studies go.

    Args:
        worker: does the work.
        readers: how many threads read, each with a process that decodes for it.
        oldest_s: while a study is in flight for longer than this, there is no room for others.
        end: ends the work on studies. Called in the thread that writes.
        idle: called in that thread while no study is in flight, again at once if it says True.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        readers: int,
        oldest_s: float,
        end: Callable[[Sequence[StudyInHand]], None],
        idle: Callable[[], bool],
    ) -> None:
        self._worker = worker
        self._readers = readers
        self._oldest_s = oldest_s
        self._end = end
        self._idle = idle
        at_once = worker.encoder.batch * worker.encoder.lanes
        self._to_read: Line[_Image] = Line()
        self._to_infer: Line[_Image] = Line(at_once)
        self._to_write: Line[StudyInHand] = Line()
        self._most = 2 * at_once + 2 * readers  # in the network, before it, and being read
        self._in_flight: dict[int, StudyInHand] = {}
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._fault: Exception | None = None
        self._ended: Exception | None = None
        self._faults = NetworkFaults()
        self._opened = ExitStack()

    def __enter__(self) -> "Stages":
        with ExitStack() as opening:
            for _ in range(self._readers):
                reader = opening.enter_context(PixelReader())
                opening.enter_context(self._running("read", partial(self._read_images, reader)))
            for _ in range(self._worker.encoder.lanes):
                opening.enter_context(self._running("network", self._infer_images))
            opening.enter_context(self._running("write", self._write_studies))
            self._opened = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @contextmanager
    def _running(self, name: str, work: Callable[[], None]) -> Iterator[None]:
        thread = threading.Thread(target=self._guarded, args=(work,), name=f"worker-{name}")
        thread.start()
        try:
            yield
        finally:
            for line in (self._to_read, self._to_infer, self._to_write):
                line.close()
            thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        """A stage that ended by a fault of ours would hold up everything, without a word."""
        fault = fault_of(work)
        if fault is not None:
            log.error("a stage of the worker ended", exc_info=fault)
            self._ended = fault
            self._stop_writing(fault)

    # What the loop that claims jobs asks for

    def start(self, studies: Sequence[StudyInHand]) -> None:
        """Sends studies on their way."""
        for study in studies:
            count = study.unfinished = study.chosen.count
            with self._changed:
                self._in_flight[study.row] = study
            self._to_infer.expect(count)
            for number in range(count):
                self._to_read.put(_Image(study, number))
            if not count:
                self._to_write.put(study)

    def in_flight(self) -> list[int]:
        """The rows of the studies that are on their way: nobody may work on them meanwhile."""
        with self._changed:
            return list(self._in_flight)

    def wait_for_room(self, timeout_s: float) -> int:
        """How many studies more may come; waits until one may, so many seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._fault is not None or self._room(), timeout_s)
            return self._room()

    def _room(self) -> int:
        """Whoever was claimed long ago comes first, or its lease might run out in the queue."""
        oldest = next(iter(self._in_flight.values()), None)
        if oldest is not None and monotonic() - oldest.since > self._oldest_s:
            return 0
        slices = sum(len(study.chosen.slices) for study in self._in_flight.values())
        return max(0, self._most - len(self._in_flight) - slices)

    def wait_until_empty(
        self, stop: threading.Event | None = None, timeout_s: float = float("inf")
    ) -> bool:
        """Whether no study is in flight before the time is up, ``stop`` is set or writing stops."""
        until = monotonic() + timeout_s
        with self._changed:
            while self._in_flight and self._fault is None:
                if monotonic() > until or (stop is not None and stop.is_set()):
                    return False
                self._changed.wait(LOOK_S)
            return self._fault is None

    def raise_fault(self) -> None:
        """Raises what stopped the writing, if anything did."""
        if self._fault is not None:
            raise self._fault

    def give_back(self) -> None:
        """Of no study in flight is anything written from now on; new ones may come.

        Not where a stage has ended: then ``raise_fault`` goes on raising what it ended by.
        """
        with self._writing, self._changed:
            for study in self._in_flight.values():
                study.given_back = True
            self._fault = self._ended

    def between_writes(self, work: Callable[[], None]) -> None:
        """Does something with the index while no study is written."""
        with self._writing:
            work()

    # The stages

    def _read_images(self, reader: PixelReader) -> None:
        while not self._to_read.is_closed:
            for image in self._to_read.take():
                self._read_one(image, reader)

    def _read_one(self, image: _Image, reader: PixelReader) -> None:
        read = None if image.study.is_over else self._read(image, reader)
        if read is not None:
            self._to_infer.put(dataclasses.replace(image, read=read))
        else:
            self._to_infer.forgo()
            self._finish(image.study)

    def _read(self, image: _Image, reader: PixelReader) -> ReadImage | None:
        file = image.study.chosen.to_read(image.number)
        found: list[ReadImage] = []
        fault = fault_of(lambda: found.append(self._worker.read(file, reader)))
        if fault is not None:
            image.study.blame(fault, image.number)
        return found[0] if found else None

    def _infer_images(self) -> None:
        most = self._worker.encoder.batch
        for_more_s = self._worker.settings.encoder.batch_wait_ms / 1000
        while not self._to_infer.is_closed:
            self._infer(self._to_infer.take(most, for_more_s=for_more_s))

    def _infer(self, images: Sequence[_Image]) -> None:
        wanted = [image for image in images if not image.study.is_over]
        faults: list[tuple[_Image, Exception]] = []
        together(self._infer_together, wanted, lambda fault, of: faults.append((of, fault)))
        if wanted:
            self._faults.note(len(wanted), [(image.study.row, fault) for image, fault in faults])
        for image, fault in faults:
            image.study.blame(fault, image.number)
        for image in images:
            self._finish(image.study)

    def _infer_together(self, images: Sequence[_Image]) -> None:
        made = self._worker.infer([image.read for image in images if image.read is not None])
        for image, vector in zip(images, made, strict=True):
            image.study.new[image.number] = vector

    def _finish(self, study: StudyInHand) -> None:
        with self._changed:
            study.unfinished -= 1
            is_last = not study.unfinished
        if is_last:
            self._to_write.put(study)

    def _write_studies(self) -> None:
        wait_s = IDLE_S
        while not self._to_write.is_closed:
            studies = self._to_write.take(MOST_WRITTEN, first_s=wait_s)
            wait_s = IDLE_S
            if studies:
                self._write(studies)
            elif not self._in_flight and self._fault is None and self._do_idly():
                wait_s = 0.0

    def _do_idly(self) -> bool:
        has_more: list[bool] = []
        with self._writing:
            self._stop_writing(fault_of(lambda: has_more.append(self._idle())))
        return has_more == [True]

    def _write(self, studies: Sequence[StudyInHand]) -> None:
        with self._writing:
            ours = [study for study in studies if not study.given_back]
            if ours and self._fault is None:
                self._stop_writing(fault_of(partial(self._end, ours)))
        with self._changed:
            for study in studies:
                del self._in_flight[study.row]
            self._changed.notify_all()

    def _stop_writing(self, fault: Exception | None) -> None:
        if fault is not None:
            with self._changed:
                self._fault = fault
                self._changed.notify_all()
