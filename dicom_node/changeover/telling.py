"""Spaces and their changeover, for people and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from dicom_node.changeover.left_behind import way_out
from dicom_node.changeover.progress import ChangeoverProgress, Lack, in_words
from storage import embeddings, spaces
from storage.spaces import KnownSpace


def spaces_json(connection: Connection) -> list[dict[str, Any]]:
    """All spaces, the one that answers first."""
    used = spaces.in_use(connection)
    return [
        {
            "space": entry.id,
            "encoder": entry.summary.encoder,
            "weights": entry.maker.weights,
            "dimension": entry.summary.dimension,
            "vectors": embeddings.live_count(connection, space_id=entry.id),
            "in_use": used is not None and used.id == entry.id,
            "used_since": _iso(entry.used_since),
            "wanted_since": _iso(entry.wanted_since),
            "waiting": dict(entry.progress.get("waiting", {})),
            "changeover": progress_json(ChangeoverProgress.of(entry)),
            "way_out": way_out(entry) if entry.wanted_since is not None else None,
        }
        for entry in spaces.known(connection)
    ]


def progress_json(progress: ChangeoverProgress) -> dict[str, Any] | None:
    """How far a space is, or was, filled; None for one that never had to be."""
    if progress.images is None and not progress.nodes:
        return None
    return {
        "images": progress.images,
        "missing": progress.missing,
        "per_s": progress.per_s,
        "switch": progress.switch,
        "overlap": None if progress.overlap is None else asdict(progress.overlap),
        "lacking": [asdict(lack) for lack in progress.lacking],
        "faults": progress.faults,
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def spaces_text(connection: Connection) -> str:
    """The same for people."""
    used, told = spaces.in_use(connection), spaces.known(connection)
    lines: list[str] = []
    for entry in told:
        count = embeddings.live_count(connection, space_id=entry.id)
        is_used = used is not None and used.id == entry.id
        mark = "*" if is_used else " "
        state = _state(entry, is_used=is_used)
        lines.append(f"{mark} {entry.id} {entry.summary.encoder}: {count} vectors, {state}")
        lines += [f"    {line}" for line in _more(entry)]
    return "\n".join(lines) or "there is no space yet: start the node with `likeness serve`"


def space_text(space: KnownSpace) -> str:
    """A space that is not in use, by its name."""
    kind = "being filled" if space.wanted_since is not None else "not in use"
    return f"space {space.id} ({space.summary.encoder}, {kind})"


def _state(entry: KnownSpace, *, is_used: bool) -> str:
    if is_used and entry.used_since is not None:
        return f"in use since {_minute(entry.used_since)}"
    if entry.wanted_since is not None:
        return f"being filled since {_minute(entry.wanted_since)}"
    if entry.used_since is not None:
        return f"last taken into use {_minute(entry.used_since)}"
    return "never in use"


def _minute(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _more(entry: KnownSpace) -> Iterator[str]:
    for reason in entry.progress.get("waiting", {}).values():
        yield f"the worker waits: {reason}"
    progress = ChangeoverProgress.of(entry)
    if entry.wanted_since is not None:
        yield progress_text(progress)
        yield from lacking_text(progress)
        if (way := way_out(entry)) is not None:
            yield way
    if progress.overlap is not None:
        yield f"compared with the space before it: {in_words(progress.overlap)}"


def progress_text(progress: ChangeoverProgress) -> str:
    """How far a space is filled, in one line."""
    if progress.images is None:
        return "no node has begun yet: it is done by `likeness serve`"
    share = progress.done / max(1, progress.images)
    parts = [f"{progress.done} of {progress.images} images ({share:.0%})"]
    if progress.per_s:
        left = timedelta(seconds=round(progress.missing / progress.per_s))
        parts.append(f"{progress.per_s:.1f} a second, {left} left")
    if progress.is_complete and not progress.switch:
        parts.append("complete: `likeness encoders use` takes it into use")
    return ", ".join(parts)


def lacking_text(progress: ChangeoverProgress) -> Sequence[str]:
    """What could not be embedded and why, a line for each reason."""
    faults = [f"node {uid}: {fault}" for uid, fault in progress.faults.items()]
    return [*faults, *map(_lack_text, progress.lacking)]


def _lack_text(lack: Lack) -> str:
    return f"{lack.count} not embedded: {lack.reason} (such as {lack.example})"
