"""Small file systems of a test's own, which it may fill up or take away."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

SIZE = 32 << 20


class Tmpfs:
    """A tmpfs of 32 MiB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def leave_free(self, size: int) -> None:
        """Fills it until ``size`` bytes are free."""
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while (room := shutil.disk_usage(self.folder).free - size) > 0:
                ballast.write(bytes(min(room, 1 << 20)))

    def clear(self) -> None:
        """Takes the ballast away."""
        self._ballast.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Read-only for as long as the block lasts."""
        _mount("-o", "remount,ro", str(self.folder))
        try:
            yield
        finally:
            _mount("-o", "remount,rw", str(self.folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=30)


@contextmanager
def small_tmpfs(folder: Path) -> Iterator[Tmpfs]:
    """A tmpfs under ``folder``; the test is left out where none may be mounted."""
    where = folder / "small"
    where.mkdir()
    if os.geteuid() != 0:
        pytest.skip("left out: only root may mount a tmpfs")
    try:
        _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(where))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("left out: a tmpfs may not be mounted here")
    try:
        yield Tmpfs(where)
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True, timeout=30)
