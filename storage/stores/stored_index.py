"""The vectors of one space, in a store and in memory: what a search sees is both together.

In memory is what changed after the store's watermark. An embedding id never gets another vector,
so two states of an index differ only in which ids are there: what came hides the same id in the
store, and so does what left, whoever has moved the store's watermark meanwhile.
"""

import copy
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.answer import SpaceSummary
from storage.outages import StoreError
from storage.stores.store import ALL_THERE_IS, NO_IDS, Shortlisted, Store
from storage.stores.writer_lock import writing_alone
from storage.vectors.choice import Choice
from storage.vectors.engine import UNKNOWN
from storage.vectors.metric import Metric, VectorError, Vectors
from storage.vectors.numpy_engine import NumpyEngine
from storage.vectors.segment import MARGIN, Candidates, Ids, Neighbour, Segment
from storage.vectors.vector_set import VectorSet

log = logging.getLogger(__name__)

_BLOCK = 8192
_NONE = Candidates(NO_IDS, np.empty(0))


class StoredIndex:
    """The vectors of one space up to a change, as ``storage.searchable.Searchable``.

    Distances are those of the vectors themselves: the store only shortlists. Any number of threads
    may search, and one at a time catch up. Whatever needs the store raises StoreError where it
    cannot be used.

    Attributes:
        space_id: the space whose vectors these are.
        dimension: length of a vector.
        metric: of the distance.
        watermark: the last change of the space that the index holds.
    """

    def __init__(self, store: Store, space: SpaceSummary) -> None:
        self.space_id = space.id
        self.watermark = self._stands = store.mark().watermark
        self._store = store
        self.dimension = space.dimension
        self.metric = Metric(space.metric)
        self._tail = VectorSet(space.dimension, self.metric)
        self._left = NO_IDS
        self._since: dict[int, int] = {}
        self._changing = threading.Lock()
        self._exactly = False
        self._is_frozen = False
        self._seen: dict[int, Vectors] = {}

    def frozen(self) -> Self:
        """The index for one question; what it shortlists it need not ask for again.

        What leaves the store while the question is answered it does not find any more.
        """
        with self._changing:
            made = copy.copy(self)
            made._tail = self._tail.frozen()
        made._changing = threading.Lock()
        made._is_frozen, made._seen = True, {}
        return made

    def exactly(self) -> Self:
        """The index as it now is, with every vector looked at, however the store searches."""
        made = self.frozen()
        made._exactly = True
        return made

    @property
    def choice(self) -> Choice:
        """How the store searches."""
        return self._store.choice

    @property
    def changed(self) -> int:
        """How many vectors came or left since the store's watermark."""
        return len(self._since)

    @property
    def count(self) -> int:
        """How many vectors the index holds."""
        tail, hidden = self._now()
        return self._store.count() - len(self._store.standing(hidden)) + tail.count

    def ids(self) -> Ids:
        """The embedding ids held, ascending."""
        tail, hidden = self._now()
        stored = np.setdiff1d(self._store.ids(), hidden, assume_unique=True)
        return np.sort(np.concatenate([stored, tail.ids()]))

    def vectors(self, ids: Sequence[int] | Ids) -> Vectors:
        """The vectors of ``ids``, shape (len(ids), dimension); KeyError for an id not held."""
        wanted = np.asarray(ids, np.int64)
        keys, rows = self.held(wanted)
        lacking = np.setdiff1d(wanted, keys)
        if len(lacking):
            raise KeyError(f"embedding {lacking[0]} is not in the index")
        return rows[np.searchsorted(keys, wanted)]

    def held(self, ids: Sequence[int] | Ids) -> tuple[Ids, Vectors]:
        """Those of some ids that it holds, ascending, and their vectors.

        What has left the store since it was found is missing.
        """
        wanted = np.unique(np.asarray(ids, np.int64))
        tail, hidden = self._now()
        mine = np.intersect1d(wanted, tail.ids())
        known = dict(zip(mine.tolist(), tail.vectors(mine), strict=True))
        known.update({key: self._seen[key] for key in wanted.tolist() if key in self._seen})
        others = np.setdiff1d(wanted, np.union1d(hidden, np.array(list(known), np.int64)))
        if len(others):
            known.update(zip(*self._in_store(others), strict=True))
        keys = np.array(sorted(known), np.int64)
        rows = np.empty((len(keys), self.metric.width(self.dimension)), self.metric.dtype)
        for number, key in enumerate(keys.tolist()):
            rows[number] = known[key]
        return keys, rows

    def _in_store(self, ids: Ids) -> tuple[list[int], Vectors]:
        keys, rows = self._store.vectors(ids)
        return keys.tolist(), rows

    def catch_up(self, connection: Connection) -> int:
        """Takes in the space's changes since the watermark; returns how many there were.

        The store is not asked.
        """
        taken = 0
        for batch in embeddings.changes(connection, space_id=self.space_id, after=self.watermark):
            self._apply(batch)
            taken += len(batch)
        return taken

    def _apply(self, batch: Sequence[embeddings.Change]) -> None:
        left = np.array([entry.id for entry in batch if entry.vector is None], np.int64)
        came = {entry.id: entry.vector for entry in batch if entry.vector is not None}
        vectors = np.array(list(came.values()), np.float32).reshape(len(came), self.dimension)
        with self._changing:
            self._tail.change(left=left, ids=np.array(list(came), np.int64), vectors=vectors)
            self._left = np.union1d(self._left, left)
            self._since.update((entry.id, entry.change) for entry in batch)
            self.watermark = batch[-1].change

    def save(self, engine: Engine) -> bool:
        """Puts what came since into the store; False where that is not to be now.

        Somebody else may be writing to it, or have emptied it. One that has lost vectors is
        emptied here, for with a new mark nobody would notice any more.

        Searches go on meanwhile, and so may the catching up of one other thread.
        """
        with self._changing:
            tail, left, watermark = self._tail.frozen(), self._left, self.watermark
        with writing_alone(engine, self.space_id) as alone:
            if not alone:
                return False
            stands = self._store.mark().watermark
            if stands < self._stands:
                return False  # it is to be filled anew
            if stands < watermark and not self._store.is_whole():
                log.error(
                    "the store of space %s has lost vectors; it is filled anew", self.space_id
                )
                self._store.empty()
                return False
            if stands < watermark:
                ids = tail.ids()
                self._store.change(
                    left=left, ids=ids, vectors=tail.vectors(ids), watermark=watermark
                )
                stands = watermark
        self._stands_at(stands)
        return True

    def follow(self) -> bool:
        """Forgets what somebody has put into the store since.

        False where the store has fallen behind what was in it: it is filled anew, or was restored,
        and this index is none until another is made.
        """
        stands = self._store.mark().watermark
        if stands < self._stands:
            return False
        if stands > self._stands:
            self._stands_at(stands)
        return True

    def _stands_at(self, watermark: int) -> None:
        with self._changing:
            self._since = {key: at for key, at in self._since.items() if at > watermark}
            kept = np.array(list(self._since), np.int64)
            ids = np.intersect1d(kept, self._tail.ids())
            tail = VectorSet(self.dimension, self.metric)
            tail.change(left=NO_IDS, ids=ids, vectors=self._tail.vectors(ids))
            self._tail, self._left = tail, np.intersect1d(kept, self._left)
            self._stands = watermark
            self.watermark = max(self.watermark, watermark)

    def _now(self) -> tuple[VectorSet, Ids]:
        """What is in memory, and the ids that are not to be looked for in the store."""
        with self._changing:
            tail, left = self._tail.frozen(), self._left
        return tail, np.union1d(left, tail.ids())

    def search(self, vector: Vectors, k: int, *, among: Ids | None = None) -> list[Neighbour]:
        """``search_each`` with one vector, shape (dimension,)."""
        return self.search_each(vector[np.newaxis], k, among=among)[0]

    def search_each(
        self, vectors: Vectors, k: int, *, among: Ids | None = None
    ) -> list[list[Neighbour]]:
        """The ``k`` nearest to each of several vectors, or all where there are fewer; ties by id.

        See ``Searchable``.

        Raises:
            VectorError: the vectors have another shape, are not finite or not of unit length, or
                k is below 1.
            StoreError: the store cannot be used, or was emptied meanwhile.
        """
        if k < 1:
            raise VectorError(f"k is {k}; ask for at least one neighbour")
        asked = self.metric.checked(vectors, self.dimension)
        stands = self._stands  # first: the store may move on meanwhile, and never back
        tail, hidden = self._now()
        only = None if among is None else np.setdiff1d(among, hidden)
        new = tail.search(asked, k, among)
        stored = [_NONE for _ in asked]
        if only is None or len(only):
            stored = self._nearest(asked, k, only, hidden)
            if self._store.mark().watermark < stands:
                raise StoreError("the store of vectors is being filled anew; ask again")
        return [_merged(*pair, k) for pair in zip(new, stored, strict=True)]

    def _nearest(self, queries: Vectors, k: int, only: Ids | None, hidden: Ids) -> list[Candidates]:
        """The k nearest in the store, of those that memory does not hide.

        Where a store searches some ids less well than all, these are fetched and measured here.
        """
        found = [_NONE for _ in queries]
        open_, wanted = np.arange(len(queries)), k + MARGIN
        asks = not self._exactly and (only is None or self._store.filters)
        while len(open_) and wanted <= self._store.most and asks:
            left = []
            shortlists = self._store.nearest(queries[open_], wanted, only)
            for number, short in zip(open_, shortlists, strict=True):
                near = self._measured(queries[number], short, hidden)
                found[number] = near
                enough = short.bound == UNKNOWN and len(near.keys) >= k
                if not (enough or near.settles(k, short.bound) or short.bound == ALL_THERE_IS):
                    left.append(number)
            open_, wanted = np.array(left, np.intp), 4 * wanted
        if len(open_):
            for number, near in zip(
                open_, self._every(queries[open_], k, only, hidden), strict=True
            ):
                found[number] = near
        return found

    def _measured(self, query: Vectors, short: Shortlisted, hidden: Ids) -> Candidates:
        kept = ~np.isin(short.ids, hidden)
        ids, vectors = short.ids[kept], short.vectors[kept]
        if self._is_frozen:
            self._seen.update(zip(ids.tolist(), vectors, strict=True))
        return Candidates(ids, self.metric.distances(query, vectors))

    def _every(
        self, queries: Vectors, k: int, only: Ids | None, hidden: Ids
    ) -> Iterator[Candidates]:
        """By definition: all vectors are fetched, block after block."""
        ids = np.setdiff1d(self._store.ids() if only is None else only, hidden)
        best = [_NONE for _ in queries]
        for at in range(0, len(ids), _BLOCK):
            keys, rows = self._store.vectors(ids[at : at + _BLOCK])
            block = Segment(keys, rows, self.metric, NumpyEngine(rows, self.metric))
            more = block.nearest(queries, k, None)
            best = [one.joined(two).first(k) for one, two in zip(best, more, strict=True)]
        yield from best


def _merged(new: Sequence[Neighbour], stored: Candidates, k: int) -> list[Neighbour]:
    keys = np.array([entry.key for entry in new], np.int64)
    distances = np.array([entry.distance for entry in new], np.float64)
    return stored.joined(Candidates(keys, distances)).first(k).neighbours()
