"""Where an encoder's weights lie: a file of the site's, or what was fetched once.

Nothing here, and nothing that loads an encoder, ever touches the network.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from encoders.declaration import Declaration, Hub, InFolder, OwnFile
from encoders.encoder import EncoderError, EncoderOptions
from encoders.lock import Locked, lock_path, locked_path, read_lock

PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".th"})
"""Endings under which weights are published as pickles."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights that is what it should be.

    Attributes:
        path: of the file.
        sha256: of its bytes, read once for lock and space alike; 64 hexadecimal digits.
        pickle_allowed: whether the site has pickles opened.
        stamp: what tells whether it is still the file of the digest; None where nobody looks.
    """

    path: Path
    sha256: str
    pickle_allowed: bool = False
    stamp: "Stamp | None" = None

    def must_be_unchanged(self) -> None:
        """To be called once all that is needed of the file was read or copied.

        Raises:
            EncoderError: what was read may be of another file than the digest.
        """
        if self.stamp is None:
            return
        try:
            now = _stamp(self.path.stat())
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if now != self.stamp:
            raise EncoderError(
                f"weights file {self.path}: it was changed while it was read; try again once it "
                "is whole"
            )


Stamp = tuple[int, int, int, int, int]
"""Device, inode, bytes, and when content and inode were last changed, in ns: stat(2)."""


def _stamp(status: os.stat_result) -> Stamp:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def lack_of_weights(declaration: Declaration, options: EncoderOptions) -> str | None:
    """What is missing, and how to get it; None where the weights are here or none are needed.

    Quick: a file's content is looked at only when it is loaded.
    """
    source = declaration.source
    if source is None:
        return None
    if isinstance(source, InFolder):
        return _lack_in_folder(source, options)
    if options.weights is not None:
        here = options.weights.is_file()
        return (
            None if here else f"weights file {options.weights} (put it there or correct the path)"
        )
    if isinstance(source, OwnFile):
        return f"weights (set the path of {source.remedy})"
    if is_pickle(source) and not options.allow_pickle:
        return _lack_of_fetched(declaration, source, options, "; set encoder.allow_pickle = true")
    return _lack_of_fetched(declaration, source, options, "")


def _lack_in_folder(source: InFolder, options: EncoderOptions) -> str | None:
    if options.weights is not None:
        return (
            f"leave for other weights than its folder's (remove encoder.weights, {options.weights})"
        )
    return None if source.path.is_file() else f"weights file {source.path} (copy the whole folder)"


def is_pickle(source: Hub) -> bool:
    """Whether the authors offer no safetensors."""
    return PurePosixPath(source.file).suffix in PICKLES


def _lack_of_fetched(
    declaration: Declaration, source: Hub, options: EncoderOptions, also: str
) -> str | None:
    try:
        locked = locked_of(declaration, options.folder)
    except EncoderError as error:
        return f"good weights: {error}"
    how = f"likeness encoders fetch {declaration.name}"
    if locked is None or options.folder is None:
        terms = f", after accepting the terms of {source.repository}" if source.gated else ""
        return f"weights ({how}{terms}{also})"
    path = locked_path(options.folder, locked)
    if not path.is_file():
        return f"weights file {path}, which the lock names ({how}{also})"
    return f"leave to open pickles ({also.removeprefix('; ')})" if also else None


def locked_of(declaration: Declaration, folder: Path | None) -> Locked | None:
    """What was fetched for the encoder; None where nothing was.

    Raises:
        EncoderError: the lock is broken, or was made for another repository or file.
    """
    source = declaration.source
    locked = None if folder is None else read_lock(folder).encoders.get(declaration.name)
    if folder is None or locked is None or not isinstance(source, Hub):
        return None
    if (locked.repository, locked.file) != (source.repository, source.file):
        raise EncoderError(
            f"{lock_path(folder)} has {locked.file} of {locked.repository} for {declaration.name}, "
            f"which is made of {source.file} of {source.repository} "
            f"(likeness encoders fetch {declaration.name} --again)"
        )
    return locked


def located(declaration: Declaration, options: EncoderOptions) -> WeightsFile:
    """The weights file to load, read once from end to end: 1 GB takes a second.

    Raises:
        EncoderError: there is none, or it is not what was fetched; the message says what to do.
    """
    lack = lack_of_weights(declaration, options)
    if lack is not None:
        raise EncoderError(f"encoder {declaration.name} lacks {lack}")
    if isinstance(declaration.source, InFolder):
        return _in_folder(declaration.source)
    if options.weights is not None:
        digest, stamp = _digest(options.weights)
        return WeightsFile(options.weights, digest, options.allow_pickle, stamp)
    locked = locked_of(declaration, options.folder)
    if locked is None or options.folder is None:
        raise EncoderError(f"encoder {declaration.name} has no weights")
    path = locked_path(options.folder, locked)
    digest, stamp = _digest(path)
    if digest != locked.sha256:
        raise EncoderError(
            f"weights file {path} is {difference(path, locked)} "
            f"(likeness encoders fetch {declaration.name} mends it)"
        )
    return WeightsFile(path, digest, options.allow_pickle, stamp)


def _in_folder(source: InFolder) -> WeightsFile:
    digest, stamp = _digest(source.path)
    if digest != source.sha256:
        raise EncoderError(
            f"weights file {source.path} is not the one that its folder's declaration tells of: "
            "its SHA-256 differs; copy the whole folder again"
        )
    return WeightsFile(source.path, digest, stamp=stamp)


def kept_path(name: str, folder: Path, sha256: str) -> Path | None:
    """Where a file lies that was ever fetched for an encoder, by its SHA-256; None if it is gone.

    A space that was made before ``likeness encoders fetch --again`` can so be made again: give the
    path as ``EncoderOptions.weights``.

    Raises:
        EncoderError: the lock cannot be read.
    """
    for locked in read_lock(folder).all_of(name):
        path = locked_path(folder, locked)
        if locked.sha256 == sha256 and path.is_file():
            return path
    return None


def difference(path: Path, locked: Locked) -> str:
    """How a file that is not what was fetched differs from it.

    Raises:
        OSError: it cannot be looked at.
    """
    size = path.stat().st_size
    if size < locked.size:
        return f"cut short: {size} of {locked.size} bytes are there"
    if size > locked.size:
        return f"not what was fetched: it has {size} bytes, not {locked.size}"
    return "not what was fetched: its SHA-256 differs from the lock's"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(path: Path) -> tuple[str, Stamp]:
    """SHA-256, and what the file was before its first byte was read."""
    try:
        with path.open("rb") as file:
            stamp = _stamp(os.fstat(file.fileno()))
            return hashlib.file_digest(file, "sha256").hexdigest(), stamp
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> EncoderError:
    return EncoderError(f"weights file {path} cannot be read: {error.strerror}")
