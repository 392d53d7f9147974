"""The verbs of the node itself: run it, look at it, prove its index."""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from dicom_node.changeover.telling import space_text
from dicom_node.database import open_database
from dicom_node.settings import Settings
from dicom_node.status import status_of, status_text
from dicom_node.verbs.bars import bar, onto
from dicom_node.verbs.parsing import positive, verb
from dicom_node.verbs.speech import could_not, put, put_json
from storage import spaces
from storage.answer import SpaceSummary
from storage.index import snapshot_path
from storage.index_rebuild import rebuild
from storage.vectors.choice import Choice

if TYPE_CHECKING:
    from dicom_node.verification import Verified

MOST_TOLD = 20
"""Differences of a space that are told one by one."""


def run_serve(_: argparse.Namespace, settings: Settings) -> int:
    """Receiver, worker and delivery, until interrupted."""
    from dicom_node.serve import serve  # noqa: PLC0415  (here and below: only this verb pays for it)

    serve(settings)
    return 0


def run_demo(chosen: argparse.Namespace, _: Settings) -> int:
    """A node with a synthetic archive, ready to be asked."""
    from dicom_node.demo import run_demo as demo  # noqa: PLC0415

    return demo(chosen.folder, chosen.count, once=chosen.once, say=put)


def run_status(chosen: argparse.Namespace, settings: Settings) -> int:
    """Where the node stands."""
    with open_database(settings) as engine, engine.connect() as connection:
        found = status_of(connection, settings)
    if chosen.json:
        put_json(found)
    else:
        put(status_text(found))
    return 0


def run_echo(chosen: argparse.Namespace, settings: Settings) -> int:
    """C-ECHO to a peer of the settings."""
    from dicom_node import scu  # noqa: PLC0415

    peer = settings.peer_named(chosen.peer)
    if peer is None:
        known = ", ".join(entry.name for entry in settings.peers) or "none"
        return could_not(f"the settings name no peer {chosen.peer!r}; known: {known}")
    scu.echo(peer, calling_ae=settings.dicom.ae_title, tls=settings.tls)
    put(f"{peer.name} ({peer.ae_title} at {peer.host}:{peer.port}) answers")
    return 0


def run_verify(chosen: argparse.Namespace, settings: Settings) -> int:
    """Proves that index and database hold the same vectors, in each space that has an index."""
    from dicom_node.verification import verify  # noqa: PLC0415

    with open_database(settings) as engine:
        found = verify(engine, settings, sample=chosen.sample)
    if chosen.json:
        put_json([_as_json(verified) for verified in found])
    else:
        for verified in found:
            about = "" if verified.is_in_use else f"{space_text(verified.space)}: "
            for line in _told(verified):
                put(about + line)
    faults = sum(len(verified.checked.faults) for verified in found)
    if faults:
        return could_not(f"{faults} differences; `likeness reindex` rebuilds the index")
    if any(verified.unproved for verified in found):
        return could_not("nothing is proved of an index that is not there; ask again later")
    return 0


def _told(verified: "Verified") -> Iterator[str]:
    checked = verified.checked
    if verified.unproved:
        yield verified.unproved
        return
    yield from checked.faults[:MOST_TOLD]
    if len(checked.faults) > MOST_TOLD:
        yield f"and {len(checked.faults) - MOST_TOLD} differences more"
    if not checked.faults:
        yield f"index and database agree: {verified.count} vectors"
        if checked.compared < verified.count:
            yield (
                f"compared were all ids, and {checked.compared} of the vectors, chosen at random: "
                f"with 95 % confidence fewer than {at_most(verified.most_that_differ)} differ"
            )
    if checked.recall is not None:
        yield (
            f"engine {verified.engine} finds {checked.recall:.2%} of the ten nearest that exact "
            "search finds, measured with vectors of the index"
        )


def at_most(share: float) -> str:
    """A share as a percentage of two digits that is not below it."""
    percent = 100 * share
    digits = max(0, 1 - math.floor(math.log10(percent)))
    return f"{math.ceil(percent * 10**digits) / 10**digits:.{digits}f} %"


def _as_json(verified: "Verified") -> dict[str, object]:
    return {
        "space": verified.space.id,
        "in_use": verified.is_in_use,
        "vectors": verified.count,
        "engine": verified.engine,
        "compared": verified.checked.compared,
        "most_that_differ": verified.most_that_differ,
        "recall": verified.checked.recall,
        "faults": verified.checked.faults,
        **({"unproved": verified.unproved} if verified.unproved else {}),
    }


def run_reindex(_: argparse.Namespace, settings: Settings) -> int:
    """Builds the index anew from the database: of the space in use, and of others that have one."""
    from dicom_node import asking  # noqa: PLC0415

    with open_database(settings) as engine, engine.connect() as connection:
        used = asking.space_in_use(connection)
        for entry in spaces.known(connection):
            space = entry.summary
            path = snapshot_path(settings.index_folder, space.id)
            if settings.index.is_store and (space == used or entry.wanted_since is not None):
                count = _fill(engine, settings, space)
                put(f"store of space {space.id} filled: {count} vectors")
            elif not settings.index.is_store and (space == used or path.exists()):
                count = _rebuild(engine, path, space, settings.index.choice)
                put(f"index of space {space.id} rebuilt: {count} vectors")
    return 0


def _fill(engine: Engine, settings: Settings, space: SpaceSummary) -> int:
    from dicom_node.store_index import fill_store  # noqa: PLC0415  (most sites have none)

    with bar("filling", "vector") as filling:
        return fill_store(engine, settings.index, space, onto(filling))


def _rebuild(engine: Engine, path: Path, space: SpaceSummary, choice: Choice) -> int:
    with bar("reading", "vector") as reading, bar("building", "vector") as building:
        return rebuild(engine, path, space, choice, reading=onto(reading), building=onto(building))


def add_verbs(verbs: Any) -> None:
    """Tells the parser of them."""
    verb(verbs, "serve", run_serve)
    demo = verb(verbs, "demo", run_demo)
    demo.add_argument("--folder", type=Path, default=Path("run"), help="where it all lies")
    demo.add_argument("--count", type=positive, default=200, help="how many studies to make")
    demo.add_argument("--once", action="store_true", help="stop after the first answer")
    status = verb(verbs, "status", run_status)
    status.add_argument("--json", action="store_true")
    verb(verbs, "echo", run_echo).add_argument("peer", help="a peer's name in the settings")
    proof = verb(verbs, "verify", run_verify)
    proof.add_argument(
        "--sample",
        type=positive,
        metavar="N",
        help="of the vectors compare N, chosen at random",
    )
    proof.add_argument("--json", action="store_true")
    verb(verbs, "reindex", run_reindex)
