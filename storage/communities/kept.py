"""The file of a community index: a graph and its communities are not made anew at each start.

It goes by the same rules as a snapshot of the vector index: written aside, checked when it is read,
and of one space up to a change.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.communities.graph import ImageGraph
from storage.communities.growing import Communities
from storage.communities.partition import Method, Partition
from storage.communities.searching import CommunityIndex
from storage.vectors import sections
from storage.vectors.base import SnapshotError
from storage.vectors.sections import Bytes, SectionsError

FORMAT = "likeness-communities-1"


@dataclass(frozen=True)
class Kept:
    """A community index and what it is of.

    Attributes:
        index: the communities.
        space_id: the space whose vectors these are.
        watermark: the last change of the space that it holds; what came since is not in it.
    """

    index: CommunityIndex
    space_id: str
    watermark: int


def save(path: Path, kept: Kept) -> None:
    """Writes it aside and renames it, so that a reader sees the old one or the new one.

    Raises:
        OSError: the disk is full, or fails, or another process writes it; the old one stays.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    index = kept.index
    graph, partition = index.graph, index.partition
    about = {
        "format": FORMAT,
        "space_id": kept.space_id,
        "watermark": kept.watermark,
        "dimension": index.vectors.shape[1],
        "threshold": graph.threshold,
        "method": str(partition.method),
        "resolution": partition.resolution,
        "seed": partition.seed,
        "least": partition.least,
    }
    columns: dict[str, NDArray[Any]] = {
        "keys": index.keys,
        "vectors": index.vectors,
        "first": graph.first,
        "second": graph.second,
        "weights": graph.weights,
        "labels": partition.labels,
    }
    sections.write(path, about, {name: [_bytes(column)] for name, column in columns.items()})


def load(path: Path, space_id: str) -> Kept:
    """What was saved.

    Raises:
        SnapshotError: the file is altered, cut short, of another format, or of another space.
        FileNotFoundError: there is none.
    """
    try:
        about, parts = sections.read(path)
        if about.get("format") != FORMAT:
            raise ValueError(f"its format is {about.get('format')!r}, this version reads {FORMAT}")
        if about["space_id"] != space_id:
            raise ValueError(f"it holds space {about['space_id']}, asked was {space_id}")
        return Kept(_index(about, parts), space_id, int(about["watermark"]))
    except (SectionsError, ValueError, TypeError, KeyError) as fault:
        raise SnapshotError(str(fault)) from fault


def _index(about: dict[str, Any], parts: dict[str, Bytes]) -> CommunityIndex:
    keys, first, second, labels = (
        parts[name].view(np.int64) for name in ("keys", "first", "second", "labels")
    )
    vectors = parts["vectors"].view(np.float32).reshape(len(keys), int(about["dimension"]))
    weights = parts["weights"].view(np.float64)
    graph = ImageGraph(len(keys), float(about["threshold"]), first, second, weights)
    partition = Partition(
        labels,
        Method(about["method"]),
        float(about["resolution"]),
        int(about["seed"]),
        int(about["least"]),
    )
    return CommunityIndex(keys, vectors, graph, partition, Communities.of(graph, labels))


def _bytes(column: NDArray[Any]) -> Bytes:
    return np.ascontiguousarray(column).reshape(-1).view(np.uint8)
