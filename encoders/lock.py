"""The lock of fetched weights: which bytes each encoder's file must have, and where it lies.

``lock.json`` and the files beside it are all that an encoder needs: the folder can be carried to a
machine without network as it is.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from encoders.durable import write_durably
from encoders.encoder import EncoderError

_LONGEST_NAME = 200
"""Bytes; what a file system takes is 255, and names get endings here."""


class Locked(BaseModel):
    """One fetched file.

    Attributes:
        repository: of the hub, ``owner/name``.
        revision: what was asked for, a branch, tag or commit.
        commit: what that was on the day, the hub's own 40 hexadecimal digits.
        file: its path in the repository.
        size: bytes.
        sha256: of the whole file, hexadecimal.
        fetched_at: date and time with time zone, ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    repository: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    file: str = Field(min_length=1)
    size: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    fetched_at: str


class Lock(BaseModel):
    """The whole lock.

    Attributes:
        version: changes when an older Likeness could not read it.
        encoders: what is loaded, by the encoder's name.
        earlier: what was loaded before, the newest first; older spaces are made of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    encoders: Mapping[str, Locked] = {}
    earlier: Mapping[str, tuple[Locked, ...]] = {}

    def all_of(self, name: str) -> tuple[Locked, ...]:
        """What was ever fetched for an encoder, the newest first."""
        newest = (self.encoders[name],) if name in self.encoders else ()
        return newest + self.earlier.get(name, ())

    def taking(self, name: str, locked: Locked) -> "Lock":
        """A lock in which the encoder is made of this file from now on."""
        before = [entry for entry in self.all_of(name) if entry.sha256 != locked.sha256]
        earlier = {**self.earlier, name: tuple(before)}
        return Lock(
            encoders={**self.encoders, name: locked},
            earlier={name: entries for name, entries in earlier.items() if entries},
        )


def lock_path(folder: Path) -> Path:
    """Where the lock of a folder of weights lies."""
    return folder / "lock.json"


def read_lock(folder: Path) -> Lock:
    """What was fetched into the folder; nothing where there is no lock.

    Raises:
        EncoderError: the lock cannot be read or is none; the message says what to do.
    """
    path = lock_path(folder)
    try:
        return Lock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise EncoderError(f"lock of weights {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EncoderError(
            f"lock of weights {path} is broken ({where + ': ' if where else ''}{first['msg']}): "
            "put a good copy in its place, or remove it and fetch each encoder again (files that "
            "are here are not downloaded anew)"
        ) from error


def write_locked(folder: Path, name: str, locked: Locked) -> None:
    """Write what an encoder is made of; another process may do so for another at once.

    Raises:
        EncoderError: the lock that is there cannot be read; it is left as it is.
        OSError: it cannot be written.
    """
    with alone(folder):
        text = read_lock(folder).taking(name, locked).model_dump_json(indent=2)
        write_durably(lock_path(folder), f"{text}\n".encode())


def locked_path(folder: Path, locked: Locked) -> Path:
    """Where an entry's file lies."""
    return file_path(folder, locked.repository, locked.commit, locked.file)


def file_path(folder: Path, repository: str, commit: str, file: str) -> Path:
    """Where a file of the hub lies; inside ``folder``, whatever the names are.

    Encoders that take the same file share it. The commit is part of the path, so that new weights
    never stand in the place of those that a running node, or an older space, was made with.

    Args:
        folder: of all weights.
        repository: ``owner/name``.
        commit: 40 hexadecimal digits.
        file: its path in the repository.

    Raises:
        EncoderError: a name is too long.
    """
    return repository_path(folder, repository) / commit / safe_name(file)


def repository_path(folder: Path, repository: str) -> Path:
    """Where the files of a repository lie.

    Raises:
        EncoderError: its name is too long, or none.
    """
    return folder.joinpath(*(safe_name(part) for part in repository.split("/")))


def safe_name(text: str) -> str:
    """A file name that stands for a text: what is no letter, digit or ``_.-~`` is written as %XX.

    Raises:
        EncoderError: the text is too long for a file name, or empty.
    """
    quoted = quote(text, safe="")
    if quoted.startswith("."):  # hidden, or the folder above
        quoted = "%2E" + quoted[1:]
    if not 1 <= len(quoted) <= _LONGEST_NAME:
        raise EncoderError(f"{text[:60]!r} is too long, or too short, to name a file")
    return quoted


@contextmanager
def alone(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder against other processes of ours while the block lasts.

    Raises:
        EncoderError: somebody else holds it and ``wait`` is False.
        OSError: it cannot be opened.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    except BlockingIOError as error:
        raise EncoderError(f"another process is fetching into {folder}; wait for it") from error
    finally:
        os.close(held)
