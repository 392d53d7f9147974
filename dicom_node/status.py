"""Where the node stands, in numbers."""

import shutil
from dataclasses import asdict
from typing import Any

from sqlalchemy.engine import Connection

from dicom_node.changeover.left_behind import way_out
from dicom_node.changeover.progress import ChangeoverProgress
from dicom_node.changeover.telling import progress_text
from dicom_node.community_reader import communities_told
from dicom_node.index_progress import rebuilding
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from dicom_node.spool_usage import SpoolUsage
from storage import embeddings, reports, spaces, studies
from storage.queue import JOBS, SENDS
from storage.spaces import KnownSpace


def status_of(connection: Connection, settings: Settings) -> dict[str, Any]:
    """Studies and queues by state, vectors of the space in use, reports, spool and quarantine.

    ``changeover`` tells how far the archive is embedded into another space, ``waiting`` why
    studies are not worked meanwhile, ``index`` how far nodes are that rebuild theirs,
    ``communities`` what the node has of them, or why none; they are None where there is nothing to
    tell.
    """
    known, wanted = spaces.known_in_use(connection), spaces.wanted(connection)
    space = None if known is None else known.summary
    spool = Spool(settings.data_folder)
    usage = SpoolUsage(spool.folder).look()
    vectors = 0 if space is None else embeddings.live_count(connection, space_id=space.id)
    return {
        "studies": studies.count_by_state(connection),
        "jobs": JOBS.count_by_state(connection),
        "sends": SENDS.count_by_state(connection),
        "space": None if space is None else space.id,
        "encoder": None if space is None else space.encoder,
        "vectors": vectors,
        "changeover": None if wanted is None else _changeover(wanted),
        "waiting": "; ".join(known.progress.get("waiting", {}).values()) or None if known else None,
        "index": _index(known),
        "communities": None if space is None else communities_told(settings, space),
        "reports": reports.count(connection),
        "quarantined": sum(1 for _ in spool.quarantined()),
        "spool_files": usage.files,
        "spool_mb": round(usage.size_bytes / 1e6, 1),
        "free_gb": round(shutil.disk_usage(spool.folder).free / 1e9, 1),
    }


def _changeover(wanted: KnownSpace) -> dict[str, Any]:
    progress = ChangeoverProgress.of(wanted)
    return {
        "space": wanted.id,
        "encoder": wanted.summary.encoder,
        "images": progress.images,
        "missing": progress.missing,
        "text": "; ".join(filter(None, [progress_text(progress), way_out(wanted)])),
    }


def _index(known: KnownSpace | None) -> dict[str, Any] | None:
    told = {} if known is None else rebuilding(known)
    if not told:
        return None
    return {
        "nodes": {node: asdict(said) for node, said in told.items()},
        "text": "; ".join(said.in_words() for said in told.values()),
    }


def status_text(status: dict[str, Any]) -> str:
    """The same for people."""
    return "\n".join(f"{key}: {_in_words(value)}" for key, value in status.items())


def _in_words(value: object) -> str:
    if isinstance(value, dict) and "encoder" not in value and "text" in value:
        return str(value["text"])
    if isinstance(value, dict) and "text" in value:
        return f"to {value['encoder']}, space {value['space']}: {value['text']}"
    if isinstance(value, dict):
        value = ", ".join(f"{count} {state}" for state, count in sorted(value.items()))
    return "none" if value in (None, "") else str(value)
