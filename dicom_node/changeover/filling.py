"""The wanted space, filled batch by batch: read ahead, embed, write; behind everybody else.

Only the writing, which others wait for, is done at the process' own priority.
"""

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Engine

from dicom_node.changeover.originals import LONGEST_PICTURE_SIDE, Originals
from dicom_node.changeover.progress import ChangeoverProgress, Reasons
from dicom_node.changeover.sources import Found, LackingError, Sources, WindowRules
from dicom_node.faults import fault_of, together
from dicom_node.making import (
    declaration_of,
    differences,
    image_key,
    make_again,
    named,
    summary_of,
)
from dicom_node.settings import Settings
from dicom_node.version import SOFTWARE_VERSION
from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration
from encoders.encoder import EncoderError, Prepared
from encoders.picture import to_png
from storage import changeover, spaces
from storage.answer import SpaceSummary
from storage.changeover import Filled, MissingImage
from storage.spaces import Maker

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
NICENESS = 10
MOST_BREAKS = 2
"""So often an image may end the reading process; after that the others go on without it."""

Done = TypeVar("Done")


@dataclass(frozen=True)
class Task:
    """A space to be filled from the one in use, and how its encoder, and that one's, are made."""

    in_use: SpaceSummary
    wanted: SpaceSummary
    maker: Maker
    maker_in_use: Maker


@dataclass(frozen=True)
class _Ready:
    """An image as its network takes it, and what will stand beside its vector."""

    image: MissingImage
    prepared: Prepared
    filled: dict[str, Any]


@dataclass
class _Batch:
    """Images on their way, and why others are not."""

    ready: list[_Ready] = field(default_factory=list)
    lacking: list[tuple[str, str, bool]] = field(default_factory=list)

    def lack(self, fault: Exception, image: MissingImage) -> None:
        """Notes why an image has no vector; what nobody foresaw is logged, too."""
        reason, passing = str(fault), not isinstance(fault, EncoderError)
        if isinstance(fault, LackingError):
            passing = fault.passing
        elif passing:
            reason = f"{type(fault).__name__}: {fault}"
            log.error("image %s failed", image.image.sop_instance_uid, exc_info=fault)
        self.lacking.append((reason, image.image.sop_instance_uid, passing))


class Filling:
    """One node's work on one task; use it as a context manager.

    Args:
        engine, settings, task, node: what is done, and whose part.
        stop: set when the node is to end.
        breaks: how often the reading process failed at an image, by the id of its vector; kept by
            whoever begins anew after that.

    Attributes:
        task: what is done.
        embedded: how many vectors were written.
        lacking: why others were not.

    Raises:
        EncoderError: the encoder cannot be made here, or is of another space.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        task: Task,
        *,
        node: str,
        stop: threading.Event | None = None,
        breaks: Counter[int] | None = None,
    ) -> None:
        self.task = task
        self._stop = stop
        self._breaks: Counter[int] = Counter() if breaks is None else breaks
        self.embedded = 0
        self.lacking = Reasons()
        self._engine = engine
        self._after = 0
        self._ahead: Future[_Batch] | None = None
        self._reading = ThreadPoolExecutor(1, "changeover-read")
        self._embedding = ThreadPoolExecutor(1, "changeover-embed")
        self._settings = settings
        self._node = node
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(self._embedding.shutdown)
        self._stack.callback(self._reading.shutdown)
        with self._stack:
            before = _threads()
            self._reading.submit(_threads).result()  # it starts with its first work
            self._encoder = self._embedding.submit(_make, self._settings, self.task).result()
            _step_aside(_threads() - before, idle_only=self._settings.work.receiving_first)
            declaration = declaration_of(self.task.wanted, self.task.maker)
            shown = declaration_of(self.task.in_use, self.task.maker_in_use)
            rules = WindowRules(self.task.in_use.window_rule, self.task.wanted.window_rule)
            self._sources = sources = Sources(
                self._settings,
                declaration,
                node=self._node,
                rules=rules,
                originals=Originals(self._engine, shown.ct_window),
                stop=self._stop,
            )
            self._reading.submit(sources.__enter__).result()
            self._stack.callback(
                lambda: self._reading.submit(sources.__exit__, None, None, None).result()
            )
            self._reader = _Reader(self._encoder, declaration, sources, self.task, self._breaks)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def again(self) -> None:
        """From now on the images that were lacking are tried once more."""
        self._after = 0
        self.lacking.clear()

    def advance(self) -> bool:
        """One batch further; False where nothing is left to try.

        Raises:
            NotInUseError: there is nothing to be filled any more.
            ChildProcessError: the reading process failed for a reason that is not a file's.
        """
        batch = self._ahead or self._read_ahead()
        if batch is None:
            return False
        read = batch.result()
        self._ahead = self._read_ahead()
        filled = self._embedding.submit(_embed, self._encoder, read).result()
        with self._engine.begin() as connection:
            self.embedded += changeover.fill(
                connection, in_use=self.task.in_use.id, wanted=self.task.wanted, filled=filled
            )
        for reason, uid, passing in read.lacking:
            self.lacking.add(reason, uid, passing=passing)
        return True

    def behind(self, work: Callable[[], Done]) -> Done:
        """Does some other work behind everybody else."""
        return self._embedding.submit(work).result()

    def _read_ahead(self) -> "Future[_Batch] | None":
        with self._engine.connect() as connection:
            wanted = spaces.wanted(connection)
            images = changeover.missing(
                connection,
                in_use=self.task.in_use.id,
                wanted=self.task.wanted.id,
                after=self._after,
                limit=min(self._encoder.batch, MOST_AT_ONCE),
            )
        if not images:
            return None
        if wanted is not None:
            progress = ChangeoverProgress.of(wanted)
            self._sources.busy = progress.busy(besides=self._node)
            self._sources.running = progress.running(besides=self._node)
        self._after = images[-1].change
        return self._reading.submit(self._reader.read, images)


def _threads() -> set[int]:
    """The threads of this process, those of torch among them."""
    return {int(path.name) for path in Path("/proc/self/task").iterdir()}


def _step_aside(threads: Collection[int], *, idle_only: bool) -> None:
    """Puts threads, and what they start, behind all others.

    They get a tenth of a core that others want as well: with less it would never end on a node
    that is never idle. ``idle_only`` gives them none of it (``dicom_node.precedence``).
    """
    for thread in threads:
        try:
            if idle_only:
                os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
            else:
                os.setpriority(os.PRIO_PROCESS, thread, NICENESS)
        except ProcessLookupError:
            continue  # it ended meanwhile
        except OSError as fault:
            log.warning("the changeover does not step aside: %s", fault.strerror)


def _make(settings: Settings, task: Task) -> CheckedEncoder:
    encoder = make_again(settings, task.maker, task.wanted)
    made = summary_of(encoder.space)
    if made != task.wanted:
        raise EncoderError(
            f"encoder {task.maker.name}, made at this node, is of space {made.id} and not of "
            f"{task.wanted.id}: {differences(task.wanted, made)}"
        )
    return encoder


@dataclass(frozen=True)
class _Reader:
    """Reads and prepares a batch, in the reading thread."""

    encoder: CheckedEncoder
    declaration: Declaration
    sources: Sources
    task: Task
    breaks: Counter[int]

    def read(self, images: Sequence[MissingImage]) -> _Batch:
        batch = _Batch()
        for image in images:
            fault = fault_of(partial(self._read, image, batch))
            if isinstance(fault, OSError) and not self._is_given_up(image, fault):
                raise fault  # the disk, or the process that reads
            if fault is not None:
                batch.lack(fault, image)
        return batch

    def _is_given_up(self, image: MissingImage, fault: OSError) -> bool:
        """Whether the process that reads fails at this image each time: storage that hangs."""
        if not isinstance(fault, ChildProcessError):
            return False
        self.breaks[image.id] += 1
        return self.breaks[image.id] >= MOST_BREAKS

    def _read(self, image: MissingImage, batch: _Batch) -> None:
        found = self.sources.find(image)
        key = image_key(image.image.sop_instance_uid, image.image.frame_number)
        prepared = self.encoder.prepare(named(found.pixels, key, image.image))
        batch.ready.append(_Ready(image, prepared, self._beside(image, found)))

    def _beside(self, image: MissingImage, found: Found) -> dict[str, Any]:
        made: dict[str, Any] = {
            "software": SOFTWARE_VERSION,
            "encoder": self.declaration.name,
            "pixels": found.source,
        }
        if image.sha256 is not None:
            made["sha256"] = image.sha256
        if found.fetched_sha256 is not None:
            made["fetched_sha256"] = found.fetched_sha256
        if warning := self.declaration.warning_for(image.image.modality):
            made["warning"] = warning
        beside: dict[str, Any] = {"id": image.id, "produced_by": made}
        if found.is_seen and self.task.in_use.window_rule != self.task.wanted.window_rule:
            beside["picture"] = to_png(found.pixels, LONGEST_PICTURE_SIDE)
            told = {**image.image.pixel_rules, "kept_by": self.task.wanted.window_rule}
            beside["pixel_rules"] = dict(found.pixels.rules) if found.has_rules else told
        return beside


def _embed(encoder: CheckedEncoder, batch: _Batch) -> list[Filled]:
    """The vectors of a batch; one that fails is tried image by image, to tell whose fault it is.

    Raises:
        Exception: every image fails by an unexpected fault, so that none of them is to blame: a
            lost GPU comes back to another process.
    """
    filled: list[Filled] = []
    unexpected: list[Exception] = []

    def infer(ready: Sequence[_Ready]) -> None:
        vectors = encoder.infer([one.prepared for one in ready])
        filled.extend(Filled(vector=v, **one.filled) for one, v in zip(ready, vectors, strict=True))

    def blame(fault: Exception, one: _Ready) -> None:
        batch.lack(fault, one.image)
        if not isinstance(fault, EncoderError):
            unexpected.append(fault)

    together(infer, batch.ready, blame)
    if len(unexpected) == len(batch.ready) > 1:
        raise unexpected[0]
    return filled
