"""The end of a changeover: the two spaces compared, the new index on disk, and the switch."""

import logging
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from dicom_node import asking
from dicom_node.changeover.filling import Filling, Task
from dicom_node.changeover.progress import ChangeoverProgress, tell_overlap
from dicom_node.settings import Settings
from storage import changeover, embeddings, overlap, spaces
from storage.index import open_index, snapshot_path
from storage.overlap import Overlap
from storage.spaces import KnownSpace

log = logging.getLogger(__name__)


class Finisher:
    """What is left to do once nothing is missing; for one node, and one task."""

    def __init__(self, engine: Engine, settings: Settings, filling: Filling) -> None:
        self._engine = engine
        self._settings = settings
        self._filling = filling
        self._task = filling.task
        self._saved = -1
        self._compared = False
        self._hindered = ""

    def finish(self) -> bool:
        """Saves the new index, compares, and switches if that is wanted; whether it switched.

        One node at a time compares and switches.
        """
        self._filling.behind(self._save_snapshot)
        with self._engine.begin() as turn:
            if not _is_our_turn(turn):
                return False
            with self._engine.connect() as connection:
                wanted = spaces.wanted(connection)
            if wanted is None or wanted.id != self._task.wanted.id:
                return False
            told = ChangeoverProgress.of(wanted)
            if told.overlap is None and not self._compared:
                self._compared = True  # where too few studies are compared, nothing is told
                self._filling.behind(partial(compare, self._engine, self._settings, self._task))
            return (
                told.switch and self._nobody_is_hindered(told) and switch(self._engine, self._task)
            )

    def _save_snapshot(self) -> None:
        """The wanted space's index on disk, so that the first question after is quick."""
        space = self._task.wanted
        with self._engine.connect() as connection:
            newest = embeddings.newest_change(connection, space_id=space.id)
        if newest <= self._saved:
            return
        with self._engine.connect() as connection:
            index = open_index(connection, self._settings.index_folder, space)
        index.save(snapshot_path(self._settings.index_folder, space.id))
        self._saved = index.watermark

    def _nobody_is_hindered(self, told: ChangeoverProgress) -> bool:
        """Whether every running node can make the encoder: one that cannot would work no more."""
        now = datetime.now(UTC)
        faults = [said.fault for said in told.nodes.values() if said.fault and said.is_recent(now)]
        hindered = faults[0] if faults else ""
        if hindered and hindered != self._hindered:
            log.warning("there is no changing over while a node cannot: %s", hindered)
        self._hindered = hindered
        return not hindered


def forget_stale_snapshot(settings: Settings, space: KnownSpace) -> None:
    """Removes a snapshot that is older than its space: one that was removed and made again."""
    path = snapshot_path(settings.index_folder, space.id)
    with suppress(FileNotFoundError):
        if path.stat().st_mtime < space.created_at.timestamp():
            path.unlink()


def _is_our_turn(connection: Connection) -> bool:
    """Whether no other node is at it; none will be until the transaction ends."""
    return bool(
        connection.execute(
            text("SELECT pg_try_advisory_xact_lock(hashtext('changeover'))")
        ).scalar_one()
    )


def compare(engine: Engine, settings: Settings, task: Task) -> Overlap | None:
    """Tells how much the neighbours in the two spaces have in common."""
    with engine.connect() as connection:
        images = overlap.sample(connection, task.in_use.id, task.wanted.id)
        # one index in memory after the other
        index = asking.read_only_index(connection, settings, task.in_use)
        first = overlap.nearest(connection, index, images)
        index = asking.read_only_index(connection, settings, task.wanted)
        second = overlap.nearest(connection, index, images, second=True)
        found = overlap.compare(connection, images, first, second)
    if found is not None:
        tell_overlap(engine, task.wanted.id, found)
        log.info("the new space compared with the old: %s", in_words(found))
    return found


def in_words(found: Overlap) -> str:
    """An overlap for people."""
    return (
        f"of the {found.k} nearest studies {found.mean:.0%} are the same, mean of {found.images} "
        f"images ({found.chance:.0%} would be by chance)"
    )


def switch(engine: Engine, task: Task) -> bool:
    """Takes the wanted space into use if it lacks nothing; False if it does, or is not wanted."""
    with engine.begin() as connection:
        spaces.alone(connection)
        wanted, before = spaces.wanted(connection), spaces.in_use(connection)
        if wanted is None or (wanted.summary, before) != (task.wanted, task.in_use):
            return False
        if changeover.switch(connection, task.wanted).missing:
            return False
        count = embeddings.live_count(connection, space_id=task.wanted.id)
    log.info(
        "changed over from %s to %s: space %s answers, %d vectors",
        *(task.in_use.encoder, task.wanted.encoder, task.wanted.id, count),
    )
    return True
