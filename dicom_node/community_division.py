"""Vectors divided into communities, in a process of its own.

The libraries that find communities hold the interpreter's lock for seconds: within the worker
nothing else of it would go on meanwhile. Nor can they be broken off; a process can.
"""

import os
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dicom_node.child_process import SPAWN, die_with_parent
from storage.communities import kept
from storage.communities.graph import GraphError
from storage.communities.kept import Kept
from storage.communities.partition import Method
from storage.communities.searching import CommunityIndex
from storage.vectors.metric import VectorError

NICENESS = 10


class DivisionError(Exception):
    """There are no new communities; the message says why."""


@dataclass(frozen=True)
class Wanted:
    """What is to be made.

    Attributes:
        path: of the file that it is kept in.
        space_id: the space whose vectors these are.
        watermark: the last change of the space that they hold.
        method: by which communities are found.
        degree: the mean degree of the graph.
    """

    path: Path
    space_id: str
    watermark: int
    method: Method
    degree: float


class Division:
    """A process that divides vectors, and writes the file of their communities."""

    def __init__(self, wanted: Wanted) -> None:
        self._ours, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(
            target=divide, args=(theirs, wanted), name="likeness-communities", daemon=True
        )
        self._process.start()
        theirs.close()

    def made(self, vectors: NDArray[np.float32], ids: NDArray[np.int64]) -> int:
        """Wait for it; how many communities there are.

        Args:
            vectors: shape (vectors, dimension), of unit length.
            ids: one for each.

        Raises:
            DivisionError: it cannot be done or kept, or the process died.
        """
        try:
            with self._ours:
                self._ours.send(vectors.shape)
                self._ours.send_bytes(np.ascontiguousarray(vectors, np.float32).data.cast("B"))
                self._ours.send_bytes(np.ascontiguousarray(ids, np.int64).data.cast("B"))
                found: int | str = self._ours.recv()
        except (EOFError, OSError) as fault:
            self._process.join()
            code = self._process.exitcode
            raise DivisionError(f"the process that makes them died (exit code {code})") from fault
        self._process.join()
        if isinstance(found, str):
            raise DivisionError(found)
        return found

    def end(self) -> None:
        """Break it off; what was kept before stays."""
        self._process.kill()


def divide(said: Pipe, wanted: Wanted) -> None:
    """The process: takes vectors and ids, keeps communities, and says how many, or why not."""
    die_with_parent()
    os.nice(NICENESS)
    with said:
        shape = said.recv()
        vectors = np.frombuffer(said.recv_bytes(), np.float32).reshape(shape)
        ids = np.frombuffer(said.recv_bytes(), np.int64)
        try:
            index = CommunityIndex.build(vectors, ids, wanted.degree, wanted.method)
            made = Kept(index, wanted.space_id, wanted.watermark, wanted.degree)
            kept.save(wanted.path, made)
        except (OSError, GraphError, VectorError) as fault:
            said.send(str(fault))
        else:
            said.send(index.partition.count)
