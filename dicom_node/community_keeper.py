"""Divides an index into communities beside the work, and again when enough has changed.

It is done anew after as many changes as a tenth of the vectors that were divided: more often in a
young archive, where it takes no time, for what came since is not found. Changes are counted over
all spaces, as for snapshots. So it is after another method or degree was set, and after the
database was restored.
"""

import logging
import threading
from pathlib import Path

from dicom_node.community_division import Division, DivisionError, Wanted
from dicom_node.settings import IndexSettings
from storage.answer import SpaceSummary
from storage.communities import kept
from storage.communities.kept import About
from storage.communities.partition import LackingError, Method, must_be_installed
from storage.index import SnapshotError, VectorIndex
from storage.vectors.metric import Metric

log = logging.getLogger(__name__)

END_S = 10.0
"""What is being made is not waited for longer; it is broken off then."""


def community_keeper(
    snapshot: Path, settings: IndexSettings, space: SpaceSummary
) -> "CommunityKeeper | None":
    """The keeper that the settings ask for; None where they ask for none, or the space has none."""
    if settings.communities == "off":
        return None
    if space.metric != Metric.COSINE:
        log.warning("space %s goes by %s, and communities by cosines", space.id, space.metric)
        return None
    method = Method(settings.communities)
    return CommunityKeeper(snapshot, space.id, method, settings.communities_degree)


def redo_after(vectors: int) -> int:
    """After how many changes communities of so many vectors are made anew."""
    return max(1, vectors // 10)


class CommunityKeeper:
    """Keeps the communities of an index near what it holds; one thread at a time makes them.

    Args:
        snapshot: the path of the index's snapshot, beside which they are saved.
        space_id: whose index it is.
        method: that is wanted.
        degree: that is wanted; an index of no more vectors than this is not divided yet.
    """

    def __init__(self, snapshot: Path, space_id: str, method: Method, degree: float) -> None:
        self._path = kept.path_beside(snapshot)
        self._space_id = space_id
        self._method = method
        self._degree = degree
        self._lacks = False
        self._making: threading.Thread | None = None
        self._division: Division | None = None
        self._made = self._found()

    def _found(self) -> tuple[int, int] | None:
        """Watermark and count of what is there, if it is what is wanted."""
        try:
            about: About = kept.about(self._path, self._space_id)
        except FileNotFoundError:
            return None
        except (OSError, SnapshotError) as fault:
            log.warning("communities are made anew: %s", fault)
            return None
        is_wanted = (about.method, about.degree) == (self._method, self._degree)
        return (about.watermark, about.vectors) if is_wanted else None

    def look(self, index: VectorIndex) -> None:
        """Begins to make them if it is time, and returns at once."""
        if self._lacks or (self._making is not None and self._making.is_alive()):
            return
        if index.count > self._degree and self._is_due(index):
            self._made = index.watermark, index.count  # what fails is tried after as many changes
            self._making = threading.Thread(
                target=self._make, args=(index.frozen(),), name="communities", daemon=True
            )
            self._making.start()

    def _is_due(self, index: VectorIndex) -> bool:
        if self._made is None:
            return True
        watermark, vectors = self._made
        was_restored = index.watermark < watermark
        return was_restored or index.watermark - watermark >= redo_after(vectors)

    def end(self) -> None:
        """Waits a while for what is being made, then breaks it off."""
        if self._making is None:
            return
        self._making.join(END_S)
        if self._making.is_alive() and self._division is not None:
            self._division.end()
            self._making.join()

    def _make(self, index: VectorIndex) -> None:
        watermark, ids = index.watermark, index.ids()
        wanted = Wanted(self._path, self._space_id, watermark, self._method, self._degree)
        try:
            must_be_installed(self._method)
            self._division = Division(wanted)
            count = self._division.made(index.vectors(ids), ids)
        except LackingError as fault:
            self._lacks = True
            log.error("the index is not divided into communities: %s", fault)
        except (OSError, DivisionError) as fault:
            log.warning("communities were not made, searches go on with the old ones: %s", fault)
        else:
            log.info("space %s has %d communities of %d vectors", self._space_id, count, len(ids))
