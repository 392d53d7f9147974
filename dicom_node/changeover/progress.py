"""What is told of a changeover, in the database: how far it is, and what holds it up.

``storage.spaces.KnownSpace.progress`` of the wanted space holds: ``switch`` (whether it is taken
into use by itself), ``needed`` (whether nobody asked for it), ``images`` and ``missing`` as last
counted, ``overlap``, and under ``nodes``, by device UID, what each node says of its part. That of
a space in use holds under ``waiting`` why the worker of a node waits.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sqlalchemy import Engine

from storage import spaces
from storage.overlap import Overlap
from storage.spaces import KnownSpace, Progress

MOST_REASONS = 20
OTHER_REASONS = "for other reasons"
SILENT = timedelta(minutes=5)
"""A node that works tells something at least so often."""


@dataclass(frozen=True)
class Lack:
    """A reason why images cannot be embedded, how many, and the SOP Instance UID of one.

    ``passing`` of them may yet be: an archive, a node or a disk does not give them at present.
    """

    reason: str
    count: int
    example: str
    passing: int = 0


@dataclass(frozen=True)
class NodeProgress:
    """What a node says of its part.

    Attributes:
        at: when it said so, ISO 8601.
        embedded: images since it began.
        per_s: images a second, lately.
        lacking: what it cannot embed.
        fault: why it can embed nothing; empty if it can.
        at_end: whether it has tried all images.
    """

    at: str
    embedded: int = 0
    per_s: float = 0.0
    lacking: tuple[Lack, ...] = ()
    fault: str = ""
    at_end: bool = False

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> Self:
        """From the database."""
        lacking = tuple(Lack(**lack) for lack in told.get("lacking", ()))
        return cls(**{**told, "lacking": lacking})

    def is_recent(self, now: datetime) -> bool:
        """Whether the node can be taken to run."""
        return now - datetime.fromisoformat(self.at) < SILENT


@dataclass(frozen=True)
class ChangeoverProgress:
    """How far a space is filled.

    Attributes:
        images: of the space in use, as last counted; None before the first count.
        missing: how many of them it lacks.
        switch: whether it is taken into use by itself.
        needed: whether nobody asked for it, but the space in use cannot be worked in any more.
        overlap: with the space in use, once nothing was missing.
        nodes: what each node says, by device UID.
    """

    images: int | None = None
    missing: int = 0
    switch: bool = True
    needed: bool = False
    overlap: Overlap | None = None
    nodes: Mapping[str, NodeProgress] = field(default_factory=dict)

    @classmethod
    def of(cls, space: KnownSpace) -> Self:
        """That of a wanted space."""
        told = space.progress
        overlap = told.get("overlap")
        nodes = told.get("nodes", {})
        return cls(
            images=told.get("images"),
            missing=told.get("missing", 0),
            switch=told.get("switch", True),
            needed=told.get("needed", False),
            overlap=None if overlap is None else Overlap(**overlap),
            nodes={uid: NodeProgress.parse(said) for uid, said in nodes.items()},
        )

    @property
    def is_complete(self) -> bool:
        """Whether it lacks nothing, as last counted, and was compared."""
        return self.images is not None and not self.missing and self.is_stuck

    @property
    def done(self) -> int:
        """How many images it has."""
        return (self.images or 0) - self.missing

    @property
    def per_s(self) -> float:
        """Images a second, of all nodes that run."""
        now = datetime.now(UTC)
        return sum(node.per_s for node in self.nodes.values() if node.is_recent(now))

    @property
    def lacking(self) -> list[Lack]:
        """What nodes cannot embed."""
        return [lack for node in self.nodes.values() for lack in node.lacking]

    @property
    def faults(self) -> dict[str, str]:
        """Why nodes can embed nothing, by device UID."""
        return {uid: node.fault for uid, node in self.nodes.items() if node.fault}

    def busy(self, *, besides: str) -> frozenset[str]:
        """The nodes that are still at it."""
        running = self.running(besides=besides)
        return frozenset(
            uid for uid in running if not (self.nodes[uid].at_end or self.nodes[uid].fault)
        )

    def running(self, *, besides: str) -> frozenset[str]:
        """The nodes that can be taken to run."""
        now = datetime.now(UTC)
        return frozenset(
            uid for uid, node in self.nodes.items() if uid != besides and node.is_recent(now)
        )

    @property
    def is_stuck(self) -> bool:
        """Whether no running node can do more: each has tried all images, or can embed none."""
        now = datetime.now(UTC)
        running = [node for node in self.nodes.values() if node.is_recent(now)]
        return bool(running) and all(node.at_end or node.fault for node in running)


class Reasons:
    """Why images cannot be embedded, counted: there may be a million, and few reasons."""

    def __init__(self) -> None:
        self._lacks: dict[str, Lack] = {}

    def add(self, reason: str, sop_instance_uid: str, *, passing: bool = False) -> None:
        """One more image; whether it may yet be embedded, ``Lack`` says."""
        is_one_too_many = len(self._lacks) >= MOST_REASONS and reason not in self._lacks
        told = OTHER_REASONS if is_one_too_many else reason
        before = self._lacks.get(told, Lack(told, 0, sop_instance_uid))
        self._lacks[told] = replace(
            before, count=before.count + 1, passing=before.passing + passing
        )

    def clear(self) -> None:
        """Forgets them all."""
        self._lacks.clear()

    def told(self) -> tuple[Lack, ...]:
        """The commonest first."""
        return tuple(sorted(self._lacks.values(), key=lambda lack: (-lack.count, lack.reason)))


def tell_node(engine: Engine, space_id: str, node: str, said: NodeProgress) -> None:
    """Writes down what a node says of its part."""

    def change(progress: Progress) -> None:
        progress.setdefault("nodes", {})[node] = asdict(said)

    with engine.begin() as connection:
        spaces.tell(connection, space_id, change)


def tell_counts(engine: Engine, space_id: str, *, images: int, missing: int) -> None:
    """Writes down how far a space is filled."""
    with engine.begin() as connection:
        spaces.tell(connection, space_id, lambda p: p.update(images=images, missing=missing))


def tell_overlap(engine: Engine, space_id: str, overlap: Overlap) -> None:
    """Writes down how much a space's neighbours are those of the space in use."""
    with engine.begin() as connection:
        spaces.tell(connection, space_id, lambda p: p.update(overlap=asdict(overlap)))


def tell_waiting(engine: Engine, space_id: str, node: str, reason: str | None) -> None:
    """Writes down why the worker of a node waits; None if it does not."""

    def change(progress: Progress) -> None:
        waiting = progress.setdefault("waiting", {})
        waiting.pop(node, None)
        if reason is not None:
            waiting[node] = reason

    with engine.begin() as connection:
        spaces.tell(connection, space_id, change)


def waiting_reason(space: KnownSpace | None, node: str) -> str | None:
    """Why the worker of a node waits; None if it does not."""
    told: str | None = None if space is None else space.progress.get("waiting", {}).get(node)
    return told


def in_words(found: Overlap) -> str:
    """An overlap for people."""
    return (
        f"of the {found.k} nearest studies {found.mean:.0%} are the same, mean of {found.images} "
        f"images ({found.chance:.0%} would be by chance)"
    )
