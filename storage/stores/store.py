"""What a store is, and what can be wrong with one."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from storage.outages import StoreError
from storage.vectors.choice import Choice
from storage.vectors.metric import UNIT_SLACK, Metric, Vectors
from storage.vectors.segment import Ids

NO_IDS: Ids = np.empty(0, np.int64)
ALL_THERE_IS = np.inf
"""The bound of a shortlist that left nothing out."""
FLOAT32_ROUNDOFF = 2.0**-24
NOBODY = 0


@dataclass(frozen=True)
class Measured:
    """What a store's graph was found to find.

    Attributes:
        breadth: of its search; 0 before it was measured.
        recall: recall@10 with that breadth.
        count: how many vectors it held then; 0 while it is being measured.
    """

    breadth: int = 0
    recall: float = 0.0
    count: int = 0


@dataclass(frozen=True)
class Mark:
    """How far a store is.

    Attributes:
        watermark: the last change of the space that it holds; 0 while it is being filled.
        longest: no vector in it is longer.
        measured: how widely its graph is searched.
        held: how many vectors were in it when the mark was written.
        unsure: so many more or fewer it may be: a change is under way, or was cut off. Always 0
            where vectors and mark change in one transaction.
        owner: the database that writes to it, ``NOBODY`` where none has yet, or none other could.
    """

    watermark: int = 0
    longest: float = 0.0
    measured: Measured = Measured()
    held: int = 0
    unsure: int = 0
    owner: int = NOBODY


ANOTHERS = Mark(watermark=-1)
"""Of a store that another database writes to: it is behind whatever anybody has seen of ours."""


@dataclass(frozen=True)
class Shortlisted:
    """Vectors that are probably nearest to a query.

    Attributes:
        ids: of them, shape (n,).
        vectors: their vectors, shape (n, dimension).
        bound: the least distance that a vector may have that is not in the list;
            ``ALL_THERE_IS``, or ``engine.UNKNOWN`` where nearer ones may have been missed.
    """

    ids: Ids
    vectors: Vectors
    bound: float


class Store(Protocol):
    """The vectors of one space, up to a watermark; any number of threads may use it.

    All of its methods raise StoreError where the store cannot be used, and those that write where
    another database's vectors are in it.
    """

    @property
    def choice(self) -> Choice:
        """How it searches."""

    @property
    def most(self) -> int:
        """The longest shortlist that it gives."""

    @property
    def breadths(self) -> tuple[int, int]:
        """How widely its graph is searched before it was measured, and at most."""

    @property
    def filters(self) -> bool:
        """Whether a search among some ids finds the nearest of them, as an exact one does."""

    def mark(self) -> Mark:
        """How far it is; ``ANOTHERS`` where its vectors are another database's."""

    def is_whole(self) -> bool:
        """Whether it holds as many vectors as its mark says, and they are ours.

        Where somebody changes it meanwhile, that is taken for so.
        """

    def keep_measured(self, measured: Measured) -> None:
        """Puts into the mark what was measured; who calls it is the store's only writer."""

    def count(self) -> int:
        """How many vectors it holds."""

    def ids(self) -> Ids:
        """The embedding ids that it holds, ascending."""

    def standing(self, ids: Ids) -> Ids:
        """Those of some ids that it holds, ascending."""

    def vectors(self, ids: Ids) -> tuple[Ids, Vectors]:
        """Those of some ids that it holds, ascending, and their vectors."""

    def change(self, *, left: Ids, ids: Ids, vectors: Vectors, watermark: int) -> None:
        """Takes vectors out and puts others in, then moves the watermark there.

        The same changes may be made twice: who is killed meanwhile makes them again.
        """

    def nearest(self, queries: Vectors, k: int, among: Ids | None) -> list[Shortlisted]:
        """A shortlist of ``k`` vectors for each query.

        Args:
            queries: as ``Metric.checked`` gives them.
            k: at least 1, at most ``most``.
            among: the ids of those that may be found; None for all.
        """

    def empty(self) -> None:
        """Takes all vectors out; the watermark is 0 before the first of them goes."""

    def build(self) -> None:
        """Builds what ``choice`` asks for, where it is not built yet; that may take hours."""

    def drop(self) -> None:
        """Removes it, with all that is in it."""

    def close(self) -> None:
        """Gives its connections up."""


def name_of(space_id: str, archive: str = "") -> str:
    """A name for a space's table or collection: letters and digits, whatever the space's id has."""
    digest = hashlib.sha256(f"{archive}\0{space_id}".encode()).hexdigest()
    return f"likeness_{digest[:24]}"


def must_not_be_codes(metric: Metric) -> None:
    """Raises StoreError where the vectors are codes, which no store of ours holds."""
    if metric is Metric.HAMMING:
        raise StoreError("codes with Hamming distance lie in no store; set index.engine = 'exact'")


def longest_of(vectors: Vectors) -> float:
    """The length of the longest of some vectors, 0 where there is none."""
    lengths: NDArray[np.float64] = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return float(lengths.max(initial=0.0))


def least_left_out(metric: Metric, query: Vectors, longest: float, farthest: float) -> float:
    """The least distance that a vector can have which a store in single precision put last.

    However a store sums, its sum of n products is wrong by n roundings at most (Higham, Accuracy
    and Stability of Numerical Algorithms, 3.1).

    Args:
        metric: of the distance, not Hamming.
        query: shape (n,).
        longest: as ``Mark`` has it.
        farthest: the distance of the last in the list, as the store computed it.
    """
    share = (len(query) + 4) * FLOAT32_ROUNDOFF
    length = float(np.linalg.norm(query.astype(np.float64)))
    if metric is Metric.L2:
        return float(np.sqrt(max(0.0, farthest**2 - 2 * share * (length + longest) ** 2)))
    if metric is Metric.COSINE:
        longest = 1.0 + UNIT_SLACK
    return farthest - 2 * share * length * longest
