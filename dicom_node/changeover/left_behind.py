"""Images that cannot be embedded again: the way on without them, and when it is taken unasked.

Nobody goes on without images but who is told to: with the one exception that the encoder of the
space in use can be had at no node, so that without them nothing could be worked any more.
"""

from datetime import UTC, datetime

from dicom_node.changeover.progress import ChangeoverProgress
from storage.spaces import KnownSpace

MOST_TOLD = 3
"""Reasons in one sentence."""


def way_out(wanted: KnownSpace | None) -> str | None:
    """What can be done about images that no node can embed; None while there are none."""
    if wanted is None:
        return None
    progress = ChangeoverProgress.of(wanted)
    if not (progress.missing and progress.lacking and progress.is_stuck):
        return None
    lacking = sorted(progress.lacking, key=lambda lack: -lack.count)
    reasons = list(dict.fromkeys(lack.reason for lack in lacking))
    more = ["and others"] if len(reasons) > MOST_TOLD else []
    what = "have no pixels any more, or none that can be embedded"
    if any(lack.passing for lack in lacking):
        what = "cannot be embedded at present"
    return (
        f"{progress.missing} of {progress.images} images {what} "
        f"({'; '.join([*reasons[:MOST_TOLD], *more])}): `likeness encoders use {wanted.id} "
        "--incomplete` goes on without them; sent again they are embedded"
    )


def with_way_out(reason: str, wanted: KnownSpace | None) -> str:
    """Why a worker waits, and what can be done about it as far as that is known."""
    way = way_out(wanted)
    return reason if way is None else f"{reason}; {way}"


def may_be_left_behind(used: KnownSpace, wanted: KnownSpace) -> bool:
    """Whether the changeover may go on by itself without what it lacks.

    Nobody asked for it, no running node can work as it is, each has tried all images, and what is
    left would fail again: nothing waits for an archive, or a node, that is merely away.
    """
    progress, now = ChangeoverProgress.of(wanted), datetime.now(UTC)
    running = {uid: said for uid, said in progress.nodes.items() if said.is_recent(now)}
    return (
        progress.needed
        and progress.is_stuck
        and not any(said.fault for said in running.values())
        and running.keys() <= used.progress.get("waiting", {}).keys()
        and not any(lack.passing for said in running.values() for lack in said.lacking)
    )
