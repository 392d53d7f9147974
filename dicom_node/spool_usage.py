"""How many files the spool holds, and how many bytes they take."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SHARE = 0.01
"""Measuring may take this share of the time: 100,000 files in one folder take 0.16 s."""

_SETTLED_NS = 1_000_000_000


class Usage(NamedTuple):
    """Files, and the bytes in them."""

    files: int
    size_bytes: int


class _Day(NamedTuple):
    changed_ns: int
    settled: bool
    usage: Usage


class SpoolUsage:
    """Measures the spool's day folders, each again only when something came or went.

    Files are renamed into a day's folder and removed from it, never changed in it, so the
    folder's modification time tells. The database would know the sizes too, but not of files that
    it has not recorded yet, and not while it is away: just when a disk fills up.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._days: dict[str, _Day] = {}
        self._next = 0.0
        self._usage = Usage(0, 0)

    def look(self) -> Usage:
        """What the spool holds, or held when it was last measured.

        Raises:
            OSError: the spool cannot be read.
        """
        began = time.monotonic()
        if began >= self._next:
            self._measure()
            ended = time.monotonic()
            self._next = ended + (ended - began) / SHARE
        return self._usage

    def _measure(self) -> None:
        with os.scandir(self._folder) as entries:
            folders = [entry for entry in entries if entry.name.isdecimal()]
        days = {}
        for entry in folders:
            with suppress(FileNotFoundError):  # emptied and removed just now
                days[entry.name] = self._day(entry)
        self._days = days
        files = sum(day.usage.files for day in days.values())
        self._usage = Usage(files, sum(day.usage.size_bytes for day in days.values()))

    def _day(self, entry: os.DirEntry[str]) -> _Day:
        changed_ns = Path(entry.path).stat().st_mtime_ns
        known = self._days.get(entry.name)
        if known is not None and known.settled and known.changed_ns == changed_ns:
            return known
        # Times of files go by ticks: what comes within the same tick changes nothing to be seen.
        settled = time.time_ns() - changed_ns > _SETTLED_NS
        sizes = list(_sizes(entry.path))
        return _Day(changed_ns, settled, Usage(len(sizes), sum(sizes)))


def _sizes(folder: str) -> Iterator[int]:
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # removed just now
                yield entry.stat(follow_symlinks=False).st_size
