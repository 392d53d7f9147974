"""One file of the hub on our disk: aside, gone on with where it was cut off, checked, renamed."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from encoders import extras
from encoders.declaration import Hub
from encoders.durable import sync_folder
from encoders.encoder import EncoderError
from encoders.fetched import sha256_of
from encoders.lock import file_path

if TYPE_CHECKING:
    from encoders.hub import Asked, Published

HUB_PACKAGE, HUB_WANTED = "huggingface_hub", "huggingface_hub>=1.31,<3"

_PART = ".part"
"""Ending of a file that is not yet whole, or not yet checked."""


@dataclass(frozen=True)
class Brought:
    """A file as the hub has it.

    Attributes:
        path: where it lies.
        commit: it is of.
        sha256: of its bytes.
        downloaded: False where it was here already.
    """

    path: Path
    commit: str
    sha256: str
    downloaded: bool


def bring(source: Hub, revision: str, folder: Path, token_file: Path | None) -> Brought:
    """Have a file of the hub in the folder of weights, as it is at a revision now.

    Raises:
        EncoderError: it could not be had; what came of it is kept for the next try.
        OSError: the folder cannot be written.
    """
    extras.imported(HUB_PACKAGE, HUB_WANTED)
    from encoders import hub  # noqa: PLC0415 (needs the optional package)

    account = hub.account(token_file)
    found = hub.published(hub.Asked(source.repository, source.file, revision), account)
    path = file_path(folder, source.repository, found.commit, source.file)
    path.parent.mkdir(exist_ok=True)
    if found.sha256 is not None and path.is_file() and sha256_of(path) == found.sha256:
        return Brought(path, found.commit, found.sha256, downloaded=False)
    part = path.with_name(path.name + _PART)
    asked = hub.Asked(source.repository, source.file, found.commit)
    with _disk_full_explained(part):
        _complete(part, found, lambda file: hub.download(asked, account, file, found.size))
    digest = _checked(part, found, asked)
    part.replace(path)
    for changed in (path.parent, *path.parent.parents):
        sync_folder(changed)
        if changed == folder:
            break
    _forget_parts(path.parent.parent, path.name)
    return Brought(path, found.commit, digest, downloaded=True)


def _complete(part: Path, found: "Published", download: Callable[[BinaryIO], None]) -> None:
    """Download what a part lacks; whatever ends this, what came stays in it."""
    with part.open("ab") as file:
        if found.size is None or file.tell() > found.size:  # nothing that could be gone on with
            file.seek(0)
            file.truncate()
        _must_have_room(part, (found.size or 0) - file.tell())
        download(file)
        file.flush()
        os.fsync(file.fileno())


def _must_have_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise EncoderError(
            f"{part.parent} needs {needed / 1e9:.1f} GB more, {free / 1e9:.1f} GB are free"
        )


@contextmanager
def _disk_full_explained(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise EncoderError(
                f"the disk of {part.parent} is full; what was fetched so far is kept, and the same "
                "command goes on from there"
            ) from error
        if error.errno is None:  # the library's word for a length that is not the one announced
            raise EncoderError(f"{part.name} came in another length than announced") from error
        raise


def _checked(part: Path, found: "Published", asked: "Asked") -> str:
    digest = sha256_of(part)
    if found.sha256 not in (None, digest):
        part.unlink()
        raise EncoderError(
            f"{asked.file} of {asked.repository} was altered on its way: its SHA-256 is {digest}, "
            f"the hub says {found.sha256}. It was thrown away; fetch it again, and ask who runs "
            "proxy or mirror if it comes altered again"
        )
    return digest


def _forget_parts(repository: Path, file: str) -> None:
    """Remove what tries at other commits left; nobody will go on with them."""
    for commit in repository.iterdir():
        (commit / f"{file}{_PART}").unlink(missing_ok=True)
        with suppress(OSError):  # not empty: other weights
            commit.rmdir()
