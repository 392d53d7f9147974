"""The spool emptied by the site's rule: the node is no archive.

What an answer needs later is kept with the vector in the database. Only files of studies that
were worked, or failed long ago, are removed. The pictures of reports go the same way.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.rounds import run_rounds
from dicom_node.settings import SpoolSettings
from dicom_node.spool import Spool
from dicom_node.surplus_files import remove_surplus_files
from storage import reports, surplus

log = logging.getLogger(__name__)

SWEEP_S = 60.0

Release = Callable[[Connection], int]


class Retention:
    """Removes files whose time is over, about once a minute.

    Args:
        engine, spool: what is kept, and where it lies.
        settings: for how long.
        pictures_days: how long the pictures of reports stay in the database, where no send
            needs them longer.
        node: this node's device UID; files at other nodes are theirs to remove.
    """

    def __init__(
        self,
        engine: Engine,
        spool: Spool,
        settings: SpoolSettings,
        *,
        node: str,
        pictures_days: float = 7,
    ) -> None:
        self._engine = engine
        self._spool = spool
        self._settings = settings
        self._node = node
        self._pictures = timedelta(pictures_days)

    def run(self, stop: threading.Event) -> None:
        """Sweeps until told to stop."""

        def round_() -> None:
            self.sweep_once()
            stop.wait(SWEEP_S)

        run_rounds("retention", [], round_, stop)

    def sweep_once(self) -> int:
        """Removes what is due now; returns how many files.

        Raises:
            OSError: the disk cannot be written.
        """
        remove_surplus_files(self._engine, self._spool, node=self._node)
        removed = sum(self._removed_by(release) for release in self._rules())
        self._remove_empty_days()
        with self._engine.begin() as connection:
            reports.drop_pictures(connection, older_than=self._pictures)
        if removed:
            log.info("%d files removed from the spool: their time was over", removed)
        return removed

    def _rules(self) -> list[Release]:
        node, kept = self._node, self._settings
        days, failed_days = timedelta(kept.keep_days), timedelta(kept.keep_failed_days)
        rules: list[Release] = [
            lambda connection: surplus.release_settled(connection, node=node, older_than=days),
            lambda connection: surplus.release_failed(
                connection, node=node, older_than=failed_days
            ),
        ]
        if kept.keep_gb is not None:
            keep_bytes = int(kept.keep_gb * 1e9)
            rules.append(
                lambda connection: surplus.release_beyond(
                    connection, node=node, keep_bytes=keep_bytes
                )
            )
        return rules

    def _removed_by(self, release: Release) -> int:
        """What one rule releases, some thousand files at a time."""
        removed = 0
        while True:
            with self._engine.begin() as connection:
                released = release(connection)
            if not released:
                return removed
            remove_surplus_files(self._engine, self._spool, node=self._node)
            removed += released

    def _remove_empty_days(self) -> None:
        """Folders of past days with nothing in them; never today's, which is being written to."""
        today = f"{datetime.now(UTC):%Y%m%d}"
        for folder in self._spool.folder.glob("[0-9]" * 8):
            if folder.name != today:
                with suppress(OSError):  # not empty, or just removed
                    folder.rmdir()
