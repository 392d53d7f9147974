"""Encoders that are named by their folder: ``folder:PATH``."""

from pathlib import Path

from encoders.declaration import Declaration
from encoders.folders.told import declaration_of, read_told

PREFIX = "folder:"


def declare(name: str) -> Declaration:
    """The declaration of an encoder folder.

    Raises:
        EncoderError: the folder is none of an encoder.
    """
    folder = Path(name.removeprefix(PREFIX)).expanduser()
    return declaration_of(read_told(folder), folder)


def absolute(name: str, folder: Path | None = None) -> str:
    """The name as it means the same from wherever it is asked; other encoders' as they are.

    Args:
        name: of an encoder.
        folder: that a relative path begins at; the one of this process where None.
    """
    if not name.startswith(PREFIX):
        return name
    return PREFIX + str((folder or Path.cwd()) / Path(name.removeprefix(PREFIX)).expanduser())
