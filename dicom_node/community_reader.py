"""The communities of an index for who asks by them, and what is told of them."""

import threading
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from dicom_node.settings import Settings
from storage import embeddings
from storage.answer import SpaceSummary
from storage.communities import kept
from storage.communities.kept import Kept
from storage.communities.partition import LackingError, Method, must_be_installed
from storage.communities.searching import CommunityIndex
from storage.index import SnapshotError, snapshot_path
from storage.search import WishError


class CommunityReader:
    """Reads what the worker made, and again when that changed; any number of threads may ask."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._alone = threading.Lock()
        self._read: tuple[tuple[str, int, int], Kept] | None = None

    def of(self, connection: Connection, space: SpaceSummary) -> CommunityIndex:
        """The communities of a space, which may be of an earlier day.

        Raises:
            WishError: there are none; the message says why, and what to do.
        """
        if self._settings.index.communities == "off":
            raise WishError(
                'there are no communities here: set communities = "louvain" in [index] of the '
                'settings, with engine "exact", "hnsw" or "ivf", and start the node again'
            )
        try:
            with self._alone:
                found = self._kept(_path(self._settings, space), space.id)
        except FileNotFoundError as fault:
            raise WishError(f"there are no communities yet: {_why_none(self._settings)}") from fault
        except SnapshotError as fault:
            raise WishError(
                f"the communities cannot be used ({fault}): they are made anew when the node is "
                "started again"
            ) from fault
        if found.watermark > embeddings.last_change(connection):
            raise WishError(
                "the communities are of a state that the database has lost: they are made anew "
                "beside the work of the node"
            )
        return found.index

    def _kept(self, path: Path, space_id: str) -> Kept:
        stat = path.stat()
        version = space_id, stat.st_mtime_ns, stat.st_ino
        if self._read is None or self._read[0] != version:
            self._read = None  # never two of them in memory
            self._read = version, kept.load(path, space_id)
        return self._read[1]


def communities_told(settings: Settings, space: SpaceSummary) -> dict[str, Any] | None:
    """What `status` tells of the communities of a space; None where the settings want none."""
    if settings.index.communities == "off":
        return None
    lacking = _lacking(settings)
    try:
        about = kept.about(_path(settings, space), space.id)
    except FileNotFoundError:
        return {"vectors": 0, "communities": 0, "text": _why_none(settings)}
    except SnapshotError as fault:
        return {"vectors": 0, "communities": 0, "text": f"they cannot be used: {fault}"}
    text = f"{about.communities} of {about.vectors} vectors ({about.method}, {about.degree:g})"
    return {
        "vectors": about.vectors,
        "communities": about.communities,
        "text": text if lacking is None else f"{text}; {lacking}",
    }


def _why_none(settings: Settings) -> str:
    return _lacking(settings) or (
        "the node makes them beside its work, once the index holds more than "
        f"{settings.index.communities_degree:g} vectors"
    )


def _lacking(settings: Settings) -> str | None:
    """What is to be installed before communities can be made."""
    try:
        must_be_installed(Method(settings.index.communities))
    except LackingError as fault:
        return str(fault)
    return None


def _path(settings: Settings, space: SpaceSummary) -> Path:
    return kept.path_beside(snapshot_path(settings.index_folder, space.id))
