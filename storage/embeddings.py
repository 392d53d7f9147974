"""Vectors with their provenance: written, retired, and read in the order of their changes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, insert, literal, select, text, update
from sqlalchemy.engine import Connection

from storage import listening, slices
from storage.answer import ImageReference, SpaceSummary
from storage.slices import NewSlices
from storage.tables import EMBEDDING_CHANGES, Embedding, Instance
from storage.vector_stream import NEWEST

VECTOR_DTYPE = np.dtype("<f4")
BATCH_ROWS = 10_000


class VectorError(ValueError):
    """A vector that must not enter a space: wrong dimension, not finite, not of unit length."""


@dataclass(frozen=True)
class NewEmbedding:
    """A vector on its way into the database.

    ``vector`` is float32 of shape (dimension,) and unit length, ``picture`` a PNG of the image
    as the encoder saw it, ``produced_by`` the versions that made the vector and, as ``sha256``,
    the digest of the data set that it was made of. ``slices`` are those of its series, if wanted.
    """

    image: ImageReference
    vector: NDArray[np.float32]
    picture: bytes
    produced_by: Mapping[str, Any]
    slices: NewSlices | None = None


@dataclass(frozen=True)
class StoredEmbedding:
    """A live vector of one study, as a query reads it."""

    id: int
    image: ImageReference
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class Change:
    """One step in a space's history; ``vector`` is None where a vector was retired."""

    id: int
    change: int
    vector: NDArray[np.float32] | None


def modality_group(modality: str) -> str:
    """Images compare only within a group: radiographs are one, the others stand alone."""
    return "radiograph" if modality in {"CR", "DX", "RG"} else modality


@dataclass(frozen=True)
class StudyVectors:
    """The vectors that a study is to have in a space: ``new`` ones, and rows that stand already."""

    study_id: int
    new: Sequence[NewEmbedding]
    keep: Collection[int] = ()


def replace(
    connection: Connection,
    *,
    space: SpaceSummary,
    study_id: int,
    new: Sequence[NewEmbedding],
    keep: Collection[int] = (),
) -> None:
    """Retires a study's vectors in a space, all but those in ``keep``, and writes ``new`` instead.

    A vector of one of the same images is retired too if another study has it: the image was sent
    again under another Study Instance UID.

    Raises:
        VectorError: a vector is not finite, of another dimension, or not of unit length.
        SliceSetError: the same of a set of slices.
    """
    replace_all(connection, space=space, studies=[StudyVectors(study_id, new, keep)])


def replace_all(
    connection: Connection, *, space: SpaceSummary, studies: Sequence[StudyVectors]
) -> None:
    """The same with several studies; of an image that is new in two, the later has it.

    Raises:
        VectorError, SliceSetError: as ``replace``.
    """
    new = {
        (entry.image.sop_instance_uid, entry.image.frame_number or 0): (study, entry)
        for study in studies
        for entry in study.new
    }
    by_image = {image: _row(space, *of_study) for image, of_study in new.items()}
    sets = {image: entry.slices for image, (_, entry) in new.items() if entry.slices is not None}
    one_writer_at_a_time(connection)
    same_image = Embedding.sop_instance_uid == func.any([uid for uid, _ in by_image])
    of_study = Embedding.study_id == func.any([study.study_id for study in studies])
    kept = [row for study in studies for row in study.keep]
    retire(connection, space.id, of_study | same_image, Embedding.id != func.all(kept))
    if by_image:
        connection.execute(
            insert(Embedding).values(change=EMBEDDING_CHANGES.next_value()),
            list(by_image.values()),
        )
    slices.keep(connection, sets, space_id=space.id, dimension=space.dimension)


def _row(space: SpaceSummary, study: StudyVectors, new: NewEmbedding) -> dict[str, Any]:
    return {
        "space_id": space.id,
        "study_id": study.study_id,
        "modality_group": modality_group(new.image.modality),
        "sop_instance_uid": new.image.sop_instance_uid,
        "frame": new.image.frame_number or 0,
        "image": asdict(new.image),
        "produced_by": dict(new.produced_by),
        "vector": checked(new.vector, space.dimension).tobytes(),
        "picture": new.picture,
    }


def one_writer_at_a_time(connection: Connection) -> None:
    """Comes before every insert and every retirement, of whatever space."""
    # A sequence hands out numbers before their transactions commit. Without this lock a reader
    # could see change 8, move its watermark there, and never learn of change 7.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('embedding_changes'))"))


def retire_study(connection: Connection, *, space_id: str, study_id: int) -> None:
    """Turns a study's live vectors into tombstones."""
    one_writer_at_a_time(connection)
    retire(connection, space_id, Embedding.study_id == study_id)


def retire(connection: Connection, space_id: str, *which: ColumnElement[bool]) -> None:
    """Turns the live vectors of a space that the conditions name into tombstones.

    Every writer comes by here, also one that only inserts: once his transaction commits, all who
    listen learn that the space changed.
    """
    listening.notify_changed(connection, space_id)
    retired = connection.execute(
        update(Embedding)
        .where(Embedding.space_id == space_id, Embedding.retired_at.is_(None), *which)
        .values(
            retired_at=func.now(),
            change=EMBEDDING_CHANGES.next_value(),
            vector=None,
            picture=None,
        )
        .returning(Embedding.id)
    )
    slices.forget(connection, list(retired.scalars()))


def checked(vector: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """The vector as it is stored.

    Raises:
        VectorError: it is not finite, of another dimension, or not of unit length.
    """
    if vector.shape != (dimension,):
        raise VectorError(f"a vector of shape {vector.shape} cannot enter a space of {dimension}")
    if not np.isfinite(vector).all():
        raise VectorError("a vector with NaN or infinity cannot enter a space")
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if abs(length - 1.0) > 1e-3:
        raise VectorError(f"a vector of length {length:.4f} is not of unit length")
    return vector.astype(VECTOR_DTYPE)


def _vector(stored: bytes) -> NDArray[np.float32]:
    return np.frombuffer(stored, dtype=VECTOR_DTYPE)


def of_study(connection: Connection, *, space_id: str, study_id: int) -> list[StoredEmbedding]:
    """A study's live vectors in a space, by id."""
    rows = connection.execute(
        select(Embedding.id, Embedding.image, Embedding.vector)
        .where(
            Embedding.space_id == space_id,
            Embedding.study_id == study_id,
            Embedding.vector.is_not(None),
        )
        .order_by(Embedding.id)
    )
    return [StoredEmbedding(row.id, image_of(row.image), _vector(row.vector)) for row in rows]


def groups_of_study(connection: Connection, *, space_id: str, study_id: int) -> list[str]:
    """The modality groups of a study's live vectors in a space, sorted."""
    rows = connection.execute(
        select(Embedding.modality_group)
        .where(
            Embedding.space_id == space_id,
            Embedding.study_id == study_id,
            Embedding.vector.is_not(None),
        )
        .distinct()
    )
    return sorted(rows.scalars())


def made_of_the_same(
    connection: Connection, space_id: str, study_ids: Collection[int]
) -> dict[int, dict[tuple[str, int | None], int]]:
    """Studies' live vectors that were made of the bytes now recorded: rows by image, by study.

    An image is its SOP Instance UID and its frame number, None for a single-frame instance.
    """
    made_of = Embedding.produced_by["sha256"].astext  # not told by the first version
    rows = connection.execute(
        select(Embedding.id, Embedding.study_id, Embedding.image)
        .join(Instance, Instance.sop_instance_uid == Embedding.sop_instance_uid)
        .where(
            Embedding.space_id == space_id,
            Embedding.study_id == func.any(list(study_ids)),
            Embedding.retired_at.is_(None),
            func.coalesce(made_of, Instance.sha256) == Instance.sha256,
        )
    )
    found: dict[int, dict[tuple[str, int | None], int]] = {entry: {} for entry in study_ids}
    for row in rows:
        image = image_of(row.image)
        found[row.study_id][image.sop_instance_uid, image.frame_number] = row.id
    return found


def image_of(stored: Mapping[str, Any]) -> ImageReference:
    """The image reference that ``replace`` wrote.

    One that was written before Burned In Annotation was read says "UNKNOWN" of it: to take such
    an image for one that does not say would show what its header may warn of.
    """
    return ImageReference(**{"burned_in": "UNKNOWN", **stored})


def changes(connection: Connection, *, space_id: str, after: int) -> Iterator[list[Change]]:
    """The space's changes after a watermark, in order, some ten thousand at a time."""
    while True:
        rows = connection.execute(
            select(Embedding.id, Embedding.change, Embedding.vector)
            .where(Embedding.space_id == space_id, Embedding.change > after)
            .order_by(Embedding.change)
            .limit(BATCH_ROWS)
        ).all()
        if not rows:
            return
        after = rows[-1].change
        yield [
            Change(row.id, row.change, None if row.vector is None else _vector(row.vector))
            for row in rows
        ]


def live_count(connection: Connection, *, space_id: str, upto: int = NEWEST) -> int:
    """How many live vectors a space holds; of those up to a change."""
    return connection.execute(select(func.count()).where(*_live(space_id, upto))).scalar_one()


def _live(space_id: str, upto: int) -> tuple[ColumnElement[bool], ...]:
    # the first two by an index that has no tombstones
    of_space = (
        Embedding.space_id == space_id,
        Embedding.retired_at.is_(None),
        Embedding.vector.is_not(None),
    )
    return of_space if upto == NEWEST else (*of_space, Embedding.change <= upto)


def has_more(connection: Connection, *, space_id: str, than: int) -> bool:
    """Whether a space holds more than so many live vectors; not all are counted."""
    return _are_more(connection, than, *_live(space_id, NEWEST))


def has_more_changes(connection: Connection, *, space_id: str, after: int, than: int) -> bool:
    """Whether a space changed more than so many times after a watermark; not all are counted."""
    return _are_more(connection, than, Embedding.space_id == space_id, Embedding.change > after)


def _are_more(connection: Connection, than: int, *which: ColumnElement[bool]) -> bool:
    some = select(literal(1)).select_from(Embedding).where(*which).limit(than + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one() > than


def live_ids(connection: Connection, *, space_id: str, upto: int = NEWEST) -> NDArray[np.int64]:
    """The ids of a space's live vectors, ascending; of those up to a change."""
    found = connection.execute(select(Embedding.id).where(*_live(space_id, upto))).scalars()
    return np.sort(np.fromiter(found, dtype=np.int64))


def newest_change(connection: Connection, *, space_id: str) -> int:
    """The number of a space's last change, 0 before the first."""
    newest = select(func.max(Embedding.change)).where(Embedding.space_id == space_id)
    return connection.execute(newest).scalar_one() or 0


def last_change(connection: Connection) -> int:
    """The highest number that any change ever had, 0 before the first."""
    last: int = connection.execute(
        text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM embedding_changes")
    ).scalar_one()
    return last
