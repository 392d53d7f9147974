"""Published weights, fetched once, and locked."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from encoders.declaration import Declaration, Hub, OwnFile
from encoders.encoder import EncoderError
from encoders.fetched import difference, locked_of, sha256_of
from encoders.hub_download import bring
from encoders.lock import (
    Lock,
    Locked,
    alone,
    locked_path,
    read_lock,
    repository_path,
    write_locked,
)


@dataclass(frozen=True)
class Request:
    """How to fetch.

    Attributes:
        revision: branch, tag or commit; None takes the declaration's.
        token_file: holds a token of the hub; None takes what the hub's library knows.
        again: whether to ask the hub although the weights are here.
    """

    revision: str | None = None
    token_file: Path | None = None
    again: bool = False


@dataclass(frozen=True)
class Fetched:
    """What a fetch led to.

    Attributes:
        path: of the file.
        locked: what the lock says now.
        before: what it said before; None where nothing had been fetched.
        downloaded: False where the bytes were here already.
        fault: how the file differed from the lock, and was mended; None where it did not.
    """

    path: Path
    locked: Locked
    before: Locked | None
    downloaded: bool
    fault: str | None = None


def fetch(declaration: Declaration, folder: Path, request: Request) -> Fetched:
    """Have an encoder's published weights in the folder, and in its lock.

    Weights that are here and whole are left as they are, without a look at the network. A file that
    is gone or altered is brought anew at the commit of the lock, for other weights would make
    another space. What an interrupted fetch brought is used, and so is what was fetched for another
    encoder that takes the same file.

    Raises:
        EncoderError: there is nothing to fetch, or it could not be had; the message says why.
        OSError: the folder cannot be written.
    """
    source = published_source(declaration)
    own = repository_path(folder, source.repository)
    own.mkdir(parents=True, exist_ok=True)
    with alone(own, wait=False):
        lock = read_lock(folder)
        before = lock.encoders.get(declaration.name)
        if request.again:
            return _fetched_new(declaration, source, folder, request, before)
        if before is None:
            shared = _shared(lock, source, folder, request)
            if shared is None:
                return _fetched_new(declaration, source, folder, request, before)
            write_locked(folder, declaration.name, shared)
            return Fetched(locked_path(folder, shared), shared, None, downloaded=False)
        return _as_locked(declaration, source, folder, request, before)


def published_source(declaration: Declaration) -> Hub:
    """Where the hub has an encoder's weights.

    Raises:
        EncoderError: it needs none, or only the site's own.
    """
    if isinstance(declaration.source, Hub):
        return declaration.source
    if not isinstance(declaration.source, OwnFile):
        raise EncoderError(f"{declaration.name} needs no weights from elsewhere")
    raise EncoderError(
        f"the weights of {declaration.name} are your own: give `likeness encoders add "
        f"{declaration.name} --weights PATH` {declaration.source.remedy}"
    )


def _shared(lock: Lock, source: Hub, folder: Path, request: Request) -> Locked | None:
    """What was fetched for another encoder that takes the same file."""
    wanted = request.revision or source.revision
    for locked in lock.encoders.values():
        same = (locked.repository, locked.file) == (source.repository, source.file)
        if same and wanted in (locked.revision, locked.commit):
            return None if _fault(locked_path(folder, locked), locked) else locked
    return None


def _as_locked(
    declaration: Declaration, source: Hub, folder: Path, request: Request, before: Locked
) -> Fetched:
    """What the lock says, mended where it is not so any more."""
    locked_of(declaration, folder)
    if request.revision not in (None, before.revision, before.commit):
        raise EncoderError(
            f"{declaration.name} was fetched at commit {before.commit} (revision "
            f"{before.revision!r}); with --again {request.revision!r} is fetched in its stead"
        )
    path = locked_path(folder, before)
    fault = _fault(path, before)
    if fault is None:
        return Fetched(path, before, before, downloaded=False)
    brought = bring(source, before.commit, folder, request.token_file)
    if brought.sha256 != before.sha256:
        raise EncoderError(
            f"the hub has another {source.file} than the lock for commit {before.commit} of "
            f"{source.repository}; --again takes it"
        )
    return Fetched(brought.path, before, before, brought.downloaded, fault)


def _fault(path: Path, locked: Locked) -> str | None:
    try:
        return None if sha256_of(path) == locked.sha256 else difference(path, locked)
    except FileNotFoundError:
        return "gone"


def _fetched_new(
    declaration: Declaration, source: Hub, folder: Path, request: Request, before: Locked | None
) -> Fetched:
    revision = request.revision or source.revision
    brought = bring(source, revision, folder, request.token_file)
    locked = Locked(
        repository=source.repository,
        revision=revision,
        commit=brought.commit,
        file=source.file,
        size=brought.path.stat().st_size,
        sha256=brought.sha256,
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_locked(folder, declaration.name, locked)
    return Fetched(brought.path, locked, before, brought.downloaded)
