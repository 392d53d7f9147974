"""Sets of slice vectors: written with a vector, gone with it, read some at a time.

They are kept in half precision, two bytes for each number of a vector instead of four. The
greatest change of the likeness of two sets that was measured is 0.000015 (docs/volume-search.md).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlalchemy import (
    ColumnElement,
    bindparam,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection

from storage.tables import Embedding, SliceVectors

SLICES_DTYPE = np.dtype("<f2")
SETS_AT_ONCE = 32
"""Sets that are in memory together."""
UNIT_LENGTH_TOLERANCE = 1e-3
_COUNT = SliceVectors.count.label("slices")  # a row of the result has a method named count


class SliceSetError(ValueError):
    """A set that must not enter a space: of another dimension, not finite, not of unit length."""


@dataclass(frozen=True)
class SliceImage:
    """A slice; ``frame_number`` counts from 1 (PS3.3 C.7.6.16), None in a single-frame instance."""

    sop_instance_uid: str
    frame_number: int | None = None


@dataclass(frozen=True)
class SliceLeftOut:
    """A slice that was to be in a set and is not, and why."""

    image: SliceImage
    reason: str


@dataclass(frozen=True)
class NewSlices:
    """A set on its way into the database.

    ``vectors`` is float32 of shape (slices, dimension), each row of unit length, in the order of
    ``images``. ``produced_by`` are the versions that made it.
    """

    vectors: NDArray[np.float32]
    images: Sequence[SliceImage]
    left_out: Sequence[SliceLeftOut] = ()
    produced_by: Mapping[str, Any] = field(default_factory=dict)


def keep(
    connection: Connection,
    sets: Mapping[tuple[str, int], NewSlices],
    *,
    space_id: str,
    dimension: int,
) -> None:
    """Writes sets beside live vectors that have none, by SOP Instance UID and frame (0: the only).

    Raises:
        SliceSetError: a set is empty or of another dimension, or a vector not of unit length.
    """
    rows = [
        {
            "at_uid": uid,
            "at_frame": frame,
            "new_count": len(new.vectors),
            "new_vectors": _packed(new, dimension),
            "new_images": [asdict(image) for image in new.images],
            "new_left_out": [
                {**asdict(entry.image), "reason": entry.reason} for entry in new.left_out
            ],
            "new_produced_by": dict(new.produced_by),
        }
        for (uid, frame), new in sets.items()
    ]
    if rows:
        connection.execute(_insert_beside(space_id), rows)


def _insert_beside(space_id: str) -> Any:
    columns: dict[str, Any] = {
        "embedding_id": Embedding.id,
        "count": bindparam("new_count", type_=SliceVectors.count.type),
        "vectors": bindparam("new_vectors", type_=SliceVectors.vectors.type),
        "images": bindparam("new_images", type_=JSONB()),
        "left_out": bindparam("new_left_out", type_=JSONB()),
        "produced_by": bindparam("new_produced_by", type_=JSONB()),
    }
    of_image = (
        Embedding.sop_instance_uid == bindparam("at_uid"),
        Embedding.frame == bindparam("at_frame"),
    )
    one = select(*columns.values()).where(*_live(space_id), *of_image)
    return insert(SliceVectors).from_select(list(columns), one)


def _live(space_id: str) -> tuple[ColumnElement[bool], ...]:
    return Embedding.space_id == space_id, Embedding.retired_at.is_(None)


def _packed(new: NewSlices, dimension: int) -> bytes:
    shape = new.vectors.shape
    if shape != (len(new.images), dimension) or not len(new.images):
        raise SliceSetError(
            f"a set of shape {shape} for {len(new.images)} slices cannot enter a space of "
            f"{dimension}"
        )
    lengths = np.linalg.norm(new.vectors.astype(np.float64), axis=1)
    if not (np.abs(lengths - 1.0) <= UNIT_LENGTH_TOLERANCE).all():  # NaN is no length, either
        raise SliceSetError("a set with a vector that is not of unit length cannot enter a space")
    return new.vectors.astype(SLICES_DTYPE).tobytes()


def forget(connection: Connection, embedding_ids: Collection[int]) -> None:
    """Removes the sets of vectors that are retired."""
    if embedding_ids:
        of_these = SliceVectors.embedding_id == func.any(list(embedding_ids))
        connection.execute(delete(SliceVectors).where(of_these))


def of_studies(
    connection: Connection, study_ids: Collection[int], *, space_id: str, modality_group: str
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The sets of studies, each with its study's row: study by study, a set for each series.

    A set is float64 of shape (slices, dimension), of unit length again after half precision. Only
    some are in memory at once: a study may have any number of series.
    """
    found = connection.execute(
        select(Embedding.study_id, Embedding.id)
        .join(SliceVectors, SliceVectors.embedding_id == Embedding.id)
        .where(*_live(space_id), Embedding.study_id == func.any(list(study_ids)))
        .where(Embedding.modality_group == modality_group)
        .order_by(Embedding.study_id, Embedding.id)
    ).all()
    for at in range(0, len(found), SETS_AT_ONCE):
        some = found[at : at + SETS_AT_ONCE]
        rows = connection.execute(
            select(SliceVectors.embedding_id, SliceVectors.vectors, _COUNT).where(
                SliceVectors.embedding_id == func.any([row.id for row in some])
            )
        )
        sets = {row.embedding_id: unpacked(row.vectors, row.slices) for row in rows}
        yield from ((row.study_id, sets[row.id]) for row in some if row.id in sets)


def unpacked(stored: bytes, count: int) -> NDArray[np.float64]:
    """The vectors of a set as it is stored: float64, shape (count, dimension), of unit length."""
    return as_unit(np.frombuffer(stored, SLICES_DTYPE).reshape(count, -1))


def as_kept(new: NewSlices) -> NDArray[np.float64]:
    """The vectors of a set as they would be read again: float64, shape (slices, dimension)."""
    return unpacked(new.vectors.astype(SLICES_DTYPE).tobytes(), len(new.vectors))


def as_unit(vectors: ArrayLike) -> NDArray[np.float64]:
    """Rows brought to unit length in double precision: two equal sets then score 1."""
    wide = np.asarray(vectors, np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))


def faults(connection: Connection, *, space_id: str, dimension: int) -> list[str]:
    """Sets of a space that do not fit what they stand beside, in words."""
    size = literal(dimension * SLICES_DTYPE.itemsize)
    fits = (
        (func.octet_length(SliceVectors.vectors) == SliceVectors.count * size)
        & (func.jsonb_array_length(SliceVectors.images) == SliceVectors.count)
        & Embedding.retired_at.is_(None)
    )
    rows = connection.execute(
        select(SliceVectors.embedding_id)
        .join(Embedding, Embedding.id == SliceVectors.embedding_id)
        .where(Embedding.space_id == space_id, ~fits)
        .order_by(literal_column("1"))
    )
    return [f"the slice vectors of embedding {key} do not fit it" for key in rows.scalars()]
