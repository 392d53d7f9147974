"""Vectors by id that come and go, searched meanwhile: a base, what came since, and what left.

As in a log-structured merge tree the base never changes; what came since it was written is in the
tail, which is short and searched row by row; what left is marked. A search looks at one state of
all that, and so needs no lock while others add, delete and save.
"""

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from storage.vectors import base as bases
from storage.vectors.approximate import Progress, quietly
from storage.vectors.base import About, Base
from storage.vectors.choice import EXACT, Choice
from storage.vectors.engine import Engine
from storage.vectors.metric import Metric, VectorError, Vectors
from storage.vectors.numpy_engine import NumpyEngine
from storage.vectors.segment import Candidates, Ids, Neighbour, Segment

_BLOCK = 65536
_LEAST_ROOM = 256


@dataclass(frozen=True)
class _State:
    """What one search sees. The base is None before there is a ``file``."""

    base: Segment | None
    tail: Segment
    file: Base | None = None

    @property
    def segments(self) -> list[Segment]:
        return [self.tail] if self.base is None else [self.base, self.tail]


class VectorSet:
    """The vectors of one space, by id.

    Any number of threads may search; one at a time changes something, the others wait.
    """

    def __init__(self, dimension: int, metric: Metric = Metric.COSINE) -> None:
        self.dimension = dimension
        self.metric = metric
        self._room_ids: Ids = np.empty(0, np.int64)
        self._room_rows: Vectors = np.empty((0, metric.width(dimension)), metric.dtype)
        self._state = _State(None, self._tail(0))
        self._changing = threading.Lock()

    @classmethod
    def of(cls, base: Base) -> Self:
        """The vectors of a file."""
        made = cls(base.about.dimension, base.about.metric)
        segment = _whole(base)
        made._state = replace(made._state, base=segment, file=base)
        return made

    def frozen(self) -> Self:
        """The same vectors, which what changes here from now on does not reach."""
        made = copy.copy(self)
        made._changing = threading.Lock()
        tail = made._state.tail  # ours may have gone on meanwhile
        made._room_ids, made._room_rows = tail.ids, tail.rows  # full: whoever adds takes new room
        return made

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return sum(segment.count for segment in self._state.segments)

    @property
    def choice(self) -> Choice:
        """The engine of the file."""
        file = self._state.file
        return EXACT if file is None else file.about.choice

    def exactly(self) -> Self:
        """The same vectors, searched exactly, whatever engine the file has."""
        return self.searched_by(lambda file: file.exact)

    def searched_by(self, engine_of: Callable[[Base], Engine]) -> Self:
        """The same vectors, searched by another engine than the file's."""
        made = self.frozen()
        state = made._state
        if state.file is not None and state.base is not None:
            made._state = replace(state, base=replace(state.base, engine=engine_of(state.file)))
        return made

    @property
    def changed(self) -> int:
        """How many rows differ from the file's: came since, or left."""
        state = self._state
        left = 0 if state.base is None else len(state.base.ids) - state.base.count
        return len(state.tail.ids) + left

    def ids(self) -> Ids:
        """The ids of all vectors, ascending."""
        return np.sort(np.concatenate([entry.live_ids() for entry in self._state.segments]))

    def vectors(self, ids: Sequence[int] | Ids) -> Vectors:
        """The vectors of ``ids``, shape (len(ids), width); KeyError for an id that is not here."""
        return _gathered(self._state, np.asarray(ids, np.int64))

    def held(self, ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """Those of some ids that are here, ascending, and their vectors."""
        state, wanted = self._state, np.unique(np.asarray(ids, np.int64))
        stands = [segment.numbers_of(wanted)[1] for segment in state.segments]
        here = wanted[np.logical_or.reduce(stands)]
        return here, _gathered(state, here)

    def change(self, *, left: Ids, ids: Ids, vectors: Vectors) -> None:
        """Takes out the vectors of some ids, then puts others in; one of the same id is replaced.

        A search sees all of it or nothing.

        Raises:
            VectorError: as ``Metric.checked``, or an id comes twice; nothing was changed.
        """
        checked = self.metric.checked(vectors, self.dimension)
        if len(ids) != len(checked) or len(np.unique(ids)) != len(ids):
            raise VectorError(f"{len(checked)} vectors came with {len(np.unique(ids))} ids")
        order = np.argsort(ids)
        with self._changing:
            gone = np.union1d(left, ids)
            state = self._state
            base = None if state.base is None else state.base.without(gone)
            tail = self._longer(state.tail.without(gone), ids[order], checked[order])
            self._state = replace(state, base=base, tail=tail)

    def _longer(self, tail: Segment, ids: Ids, vectors: Vectors) -> Segment:
        if not len(ids):
            return tail
        had = len(tail.ids)
        if had and ids[0] <= tail.ids[-1]:  # out of turn: all anew, in order, without who left
            stays = np.ones(had, np.bool_) if tail.live is None else tail.live
            all_ids = np.concatenate([tail.ids[stays], ids])
            order = np.argsort(all_ids)
            self._room_ids = all_ids[order]
            self._room_rows = np.concatenate([tail.rows[stays], vectors])[order]
            return self._tail(len(all_ids))
        if had + len(ids) > len(self._room_ids):
            more = max(_LEAST_ROOM, had, len(ids))
            self._room_ids = np.concatenate([tail.ids, np.empty(more, np.int64)])
            empty = np.empty((more, *tail.rows.shape[1:]), tail.rows.dtype)
            self._room_rows = np.concatenate([tail.rows, empty])
        self._room_ids[had : had + len(ids)] = ids  # beyond what any search has in view
        self._room_rows[had : had + len(ids)] = vectors
        live = tail.live
        if live is not None:
            live = np.concatenate([live, np.ones(len(ids), np.bool_)])
        return replace(self._tail(had + len(ids)), live=live)

    def _tail(self, count: int) -> Segment:
        rows = self._room_rows[:count]
        return Segment(self._room_ids[:count], rows, self.metric, NumpyEngine(rows, self.metric))

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> list[list[Neighbour]]:
        """The ``k`` nearest vectors to each query, or all where there are fewer; ties by id.

        Args:
            queries: shape (n, width).
            k: at least 1.
            among: the ids of those that may be found, in any order; None for all. Ids that are
                not here are as if they were not there.

        Raises:
            VectorError: the queries are not as ``Metric.checked`` asks for, or k is below 1.
        """
        if k < 1:
            raise VectorError(f"k is {k}; ask for at least one neighbour")
        asked = self.metric.checked(queries, self.dimension)
        parts = [
            segment.nearest(asked, k, among) for segment in self._state.segments if segment.count
        ]
        if not parts:
            return [[] for _ in asked]
        return [_merged(found, k) for found in zip(*parts, strict=True)]

    def write(
        self,
        path: Path,
        *,
        space_id: str,
        watermark: int,
        choice: Choice = EXACT,
        progress: Progress = quietly,
    ) -> None:
        """Writes all vectors to a file, with an engine that is built for them.

        Searches and changes go on meanwhile; what changes is not in the file.

        Args:
            path: of the file.
            space_id: the space whose vectors these are.
            watermark: the last change of the space that the set holds now.
            choice: of the engine.
            progress: told how far it is built.

        Raises:
            OSError: as ``sections.write``; an older file stays as it was.
        """
        state = self._state
        ids = np.sort(np.concatenate([entry.live_ids() for entry in state.segments]))
        about = About(space_id, self.dimension, self.metric, len(ids), watermark, choice)
        bases.write(path, about, ids, _rows(state, ids), progress)

    def adopt(self, base: Base) -> None:
        """Goes on from a file that ``write`` wrote since this set began to use its present one.

        What changed while it was written is the tail again, and marked as left.
        """
        with self._changing:
            state = self._state
            whole = _whole(base)
            here = np.concatenate([entry.live_ids() for entry in state.segments])
            new = np.union1d(
                np.setdiff1d(here, base.ids, assume_unique=True), _replaced(state.tail, whole)
            )
            left = np.setdiff1d(base.ids, here, assume_unique=True)
            rows = _gathered(state, new)
            self._room_ids, self._room_rows = new, rows
            segment = whole.without(np.union1d(left, new))
            self._state = _State(segment, self._tail(len(new)), base)


def _replaced(tail: Segment, whole: Segment) -> Ids:
    """The ids of the tail that have another vector in the file."""
    ids = tail.live_ids()
    numbers, stands = whole.numbers_of(ids)
    both = ids[stands]
    mine, _ = tail.numbers_of(both)
    differs: NDArray[np.bool_] = (tail.rows[mine] != whole.rows[numbers[stands]]).any(axis=1)
    return both[differs]


def _whole(base: Base) -> Segment:
    return Segment(base.ids, base.rows, base.about.metric, base.engine, exact=base.exact)


def _merged(found: Sequence[Candidates], k: int) -> list[Neighbour]:
    every = found[0]
    for more in found[1:]:
        every = every.joined(more)
    return every.first(k).neighbours()


def _rows(state: _State, ids: Ids) -> Iterator[Vectors]:
    for at in range(0, len(ids), _BLOCK):
        yield _gathered(state, ids[at : at + _BLOCK])


def _gathered(state: _State, ids: Ids) -> Vectors:
    width, dtype = state.tail.rows.shape[1:], state.tail.rows.dtype
    found = np.empty((len(ids), *width), dtype)
    missing = np.ones(len(ids), np.bool_)
    for segment in state.segments:
        numbers, stands = segment.numbers_of(ids)
        found[stands] = segment.rows[numbers[stands]]
        missing &= ~stands
    if missing.any():
        raise KeyError(f"embedding {ids[missing][0]} is not in the index")
    return found
