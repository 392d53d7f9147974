"""The end of a changeover: the two spaces compared, the new index on disk, and the switch."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection

from dicom_node import asking
from dicom_node.changeover.filling import Filling, Task
from dicom_node.changeover.left_behind import may_be_left_behind, way_out
from dicom_node.changeover.progress import ChangeoverProgress, in_words, tell_overlap
from dicom_node.settings import Settings
from dicom_node.store_index import StoreReader, fill_store
from storage import changeover, embeddings, overlap, spaces
from storage.changeover import Looked, Switch
from storage.communities.kept import path_beside
from storage.index import INLINE_MOST, SnapshotError, open_index, snapshot_path
from storage.index_rebuild import rebuild
from storage.outages import StoreError
from storage.overlap import Overlap
from storage.spaces import KnownSpace
from storage.vectors.approximate import quietly

log = logging.getLogger(__name__)

MOST_TRIES = 20
"""To switch, while studies keep coming; after that the archive is looked through again."""


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
        self._told_way_out = False

    def finish(self, missing: int, fill: Callable[[], bool]) -> bool:
        """Saves the new index, compares, and switches if that is wanted; whether it switched.

        One node at a time compares and switches.

        Args:
            missing: images that no node can embed now.
            fill: embeds some of what came meanwhile; False where nothing is left to try.
        """
        if missing and not self._may_go_on_without():
            return False
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
            if not (told.switch and self._nobody_is_hindered(told)):
                return False
            return switch_without(self._engine, self._task) if missing else self._switch(fill)

    def _switch(self, fill: Callable[[], bool]) -> bool:
        """Switches; what came while the archive was looked through is embedded first."""
        looked: Looked | None = None
        for _ in range(MOST_TRIES):
            before = self._filling.embedded
            while fill():
                pass
            if looked is not None and self._filling.embedded == before:
                return False  # what came cannot be embedded
            outcome = switch(self._engine, self._task, looked)
            if outcome.is_done or not outcome.gap.missing:
                return outcome.is_done
            looked = outcome.looked
        return False

    def _may_go_on_without(self) -> bool:
        """Whether it may be switched without what is missing; if not, says once who may."""
        with self._engine.connect() as connection:
            used, wanted = spaces.known_in_use(connection), spaces.wanted(connection)
        if used is None or wanted is None:
            return False
        if may_be_left_behind(used, wanted):
            return True
        way = way_out(wanted)
        if way is not None and not self._told_way_out:
            self._told_way_out = True
            log.error("space %s is not taken into use: %s", wanted.id, way)
        return False

    def _save_snapshot(self) -> None:
        """The wanted space's index on disk, so that the first question after is quick."""
        space = self._task.wanted
        with self._engine.connect() as connection:
            newest = embeddings.newest_change(connection, space_id=space.id)
        if newest <= self._saved:
            return
        if self._settings.index.is_store:
            self._fill_store(newest)
            return
        with self._engine.connect() as connection:
            index = open_index(connection, self._settings.index_folder, space, most=INLINE_MOST)
        self._saved = newest if index is None else index.watermark
        path = snapshot_path(self._settings.index_folder, space.id)
        try:
            if index is None:
                rebuild(self._engine, path, space)
            else:
                index.save(path)
        except (OSError, SnapshotError) as fault:
            log.warning("no snapshot of space %s was written: %s", space.id, fault)

    def _fill_store(self, newest: int) -> None:
        """What the store lacks is put in; all of it only where it lacks too much."""
        space = self._task.wanted
        reader = StoreReader(self._settings.index, space)
        try:
            with self._engine.connect() as connection:
                reader.look(connection)
            if reader.index is None:
                fill_store(self._engine, self._settings.index, space, quietly)
            else:
                reader.index.save(self._engine)
        except StoreError as fault:
            log.warning("the store of space %s was not filled: %s", space.id, fault)
        else:
            self._saved = newest
        finally:
            reader.close()

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
    """Removes a snapshot that is older than its space, and communities: it was made again since."""
    snapshot = snapshot_path(settings.index_folder, space.id)
    for path in (snapshot, path_beside(snapshot)):
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
        with asking.read_only_index(connection, settings, task.in_use) as index:
            first = overlap.nearest(connection, index, images)
        with asking.read_only_index(connection, settings, task.wanted) as index:
            second = overlap.nearest(connection, index, images, second=True)
        found = overlap.compare(connection, images, first, second)
    if found is not None:
        tell_overlap(engine, task.wanted.id, found)
        log.info("the new space compared with the old: %s", in_words(found))
    return found


def switch(engine: Engine, task: Task, looked: Looked | None = None) -> Switch:
    """Takes the wanted space into use if it lacks nothing, and is still wanted."""
    with engine.begin() as connection:
        outcome = changeover.switch(connection, task.wanted, only_if_wanted=True, looked=looked)
        if not outcome.is_done:
            return outcome
        count = embeddings.live_count(connection, space_id=task.wanted.id)
    log.info(
        "changed over from %s to %s: space %s answers, %d vectors",
        *(task.in_use.encoder, task.wanted.encoder, task.wanted.id, count),
    )
    return outcome


def switch_without(engine: Engine, task: Task) -> bool:
    """Takes the wanted space into use without what nobody can embed; False if that may not be."""
    with engine.begin() as connection:
        spaces.alone(connection)  # nobody begins to work in the space in use meanwhile
        used, wanted = spaces.known_in_use(connection), spaces.wanted(connection)
        if used is None or wanted is None or wanted.id != task.wanted.id:
            return False
        if not may_be_left_behind(used, wanted):
            return False
        outcome = changeover.switch(connection, task.wanted, incomplete=True, only_if_wanted=True)
        studies = changeover.left_behind(connection, task.wanted.id)
    if outcome.is_done:
        log.warning(
            "space %s could not be worked in any more, so space %s answers now without %d of %d "
            "images, which have no pixels any more, or none that can be embedded; %d studies of "
            "which it has none are set aside: `likeness failed` lists them, and who sends them "
            "again has them worked",
            *(used.id, wanted.id, outcome.gap.missing, outcome.gap.images, studies),
        )
    return outcome.is_done
