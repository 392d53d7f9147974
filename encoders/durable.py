"""Small files that are whole or not there, and outlive a loss of power."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have the names in a folder outlive a loss of power.

    Raises:
        OSError: the disk refuses.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file of which nobody ever sees half under its name, and which outlives the power.

    Raises:
        OSError: the disk refuses.
    """
    held, aside = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".new")
    try:
        with os.fdopen(held, "wb") as file:
            os.fchmod(file.fileno(), 0o644)  # mkstemp's 0600 would shut out a node of another user
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
        sync_folder(path.parent)
    finally:
        with suppress(FileNotFoundError):
            Path(aside).unlink()
