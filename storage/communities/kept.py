"""The file of a community index: a graph and its communities are not made anew at each start.

It goes by the same rules as a snapshot of the vector index: written aside, checked when it is read,
and of one space up to a change.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.communities.graph import ImageGraph
from storage.communities.growing import Communities
from storage.communities.partition import Method, Partition
from storage.communities.searching import DEGREE, CommunityIndex
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
        degree: the mean degree that was asked for.
    """

    index: CommunityIndex
    space_id: str
    watermark: int
    degree: float = DEGREE


@dataclass(frozen=True)
class About:
    """What a file says of itself.

    Attributes:
        watermark: as in ``Kept``.
        method: by which the communities were found.
        degree: the mean degree that was asked for.
        vectors: how many it holds.
        communities: how many there are, each vector without an edge being one.
    """

    watermark: int
    method: Method
    degree: float
    vectors: int
    communities: int


def path_beside(snapshot: Path) -> Path:
    """Where the communities of an index lie: by their name they go with it when it is removed."""
    return snapshot.with_name(f"{snapshot.name}-communities")


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
        "degree": kept.degree,
        "vectors": index.count,
        "communities": partition.count,
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
    with _read(path, space_id) as (about, parts):
        degree = float(about["degree"])
        return Kept(_index(about, parts), space_id, int(about["watermark"]), degree)


def about(path: Path, space_id: str) -> About:
    """What a file says of itself, without making an index of it.

    Raises:
        SnapshotError, FileNotFoundError: as ``load``.
    """
    with _read(path, space_id) as (said, _):
        return About(
            int(said["watermark"]),
            Method(said["method"]),
            float(said["degree"]),
            int(said["vectors"]),
            int(said["communities"]),
        )


@contextmanager
def _read(path: Path, space_id: str) -> Iterator[tuple[dict[str, Any], dict[str, Bytes]]]:
    """A file's head and sections; whatever is wrong with them is a SnapshotError."""
    try:
        said, parts = sections.read(path)
        if said.get("format") != FORMAT:
            raise ValueError(f"its format is {said.get('format')!r}, this version reads {FORMAT}")
        if said["space_id"] != space_id:
            raise ValueError(f"it holds space {said['space_id']}, asked was {space_id}")
        yield said, parts
    except KeyError as fault:
        raise SnapshotError(f"its head lacks {fault}") from fault
    except (SectionsError, ValueError, TypeError) as fault:
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
