"""Vector spaces, the vectors of images, and what search counts and keeps of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Sequence, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, identity, now


class Space(Base):
    """A vector space, by its id; ``definition`` is everything that the id stands for.

    The space taken into use last is the one that answers; ``used_since`` is None for one that
    never did. ``maker`` says how its encoder is made: ``name``, and ``weights``, a path or None.
    ``wanted_since`` is set while the archive is being embedded into it; ``progress`` tells how
    far that is, what could not be embedded and why, and how its neighbours overlap with those of
    the space that answered.
    """

    __tablename__ = "spaces"

    id: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    dimension: Mapped[int]
    metric: Mapped[str]
    maker: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = now()
    used_since: Mapped[datetime | None]
    wanted_since: Mapped[datetime | None]
    progress: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class Embedding(Base):
    """A vector with its full provenance, and the picture of the image it was made from.

    ``change`` is the watermark of the index beside the table: every insert and every retirement
    takes the next number under one advisory lock, so that numbers become visible in their order.
    ``vector`` is float32, little-endian, unit length. A retired row stays as a tombstone, without
    vector and picture, so that every index learns of it.
    """

    __tablename__ = "embeddings"
    __table_args__ = (
        Index("ix_embeddings_change", "space_id", "change"),
        Index("ix_embeddings_study", "study_id"),
        Index(
            "uq_embeddings_live",
            "space_id",
            "sop_instance_uid",
            "frame",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index(
            "ix_embeddings_group",
            "space_id",
            "modality_group",
            postgresql_where=text("retired_at IS NULL"),
        ),
    )

    id: Mapped[int] = identity()
    change: Mapped[int]
    space_id: Mapped[str] = mapped_column(ForeignKey("spaces.id"))
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    modality_group: Mapped[str]
    sop_instance_uid: Mapped[str]
    frame: Mapped[int] = mapped_column(server_default="0")
    image: Mapped[dict[str, Any]]
    produced_by: Mapped[dict[str, Any]]
    vector: Mapped[bytes | None]
    picture: Mapped[bytes | None]
    created_at: Mapped[datetime] = now()
    retired_at: Mapped[datetime | None]


class SliceVectors(Base):
    """The vectors of several slices of a series, one of them that which its embedding is of.

    ``vectors`` is float16, little-endian, ``count`` rows of unit length. ``images`` names the
    slices in the same order, along the stack; ``left_out`` those that were to be among them, each
    with the reason why it is not. A set goes when its embedding is retired.
    """

    __tablename__ = "slice_vectors"
    __table_args__ = (CheckConstraint("count > 0", name="count"),)

    embedding_id: Mapped[int] = mapped_column(
        ForeignKey("embeddings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    count: Mapped[int]
    vectors: Mapped[bytes]
    images: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    left_out: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    produced_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = now()


EMBEDDING_CHANGES = Sequence("embedding_changes", metadata=Base.metadata)


class ImageCount(Base):
    """How many live vectors a space has of a modality group.

    Triggers on ``embeddings`` keep it and ``StudyCount``, in the transaction of each statement, so
    that nobody who inserts, retires or deletes can forget to. Migration 0006 has them.
    """

    __tablename__ = "image_counts"

    space_id: Mapped[str] = mapped_column(primary_key=True)
    modality_group: Mapped[str] = mapped_column(primary_key=True)
    images: Mapped[int]


class StudyCount(Base):
    """How many studies have live vectors of exactly these modality groups, sorted, in a space.

    By the set of groups, so that a study of several is counted once for any of them.
    """

    __tablename__ = "study_counts"

    space_id: Mapped[str] = mapped_column(primary_key=True)
    modality_groups: Mapped[list[str]] = mapped_column(primary_key=True)
    studies: Mapped[int]


class SimilaritySketch(Base):
    """The archive's own similarities between images of different patients, as quantiles.

    ``quantiles`` are float64, little-endian, ascending: the i-th of n is the smallest similarity
    that i / n of the ``pairs`` do not surpass. ``images`` and ``change`` tell of what it was made:
    how many images the group had, and the last change that was seen.
    """

    __tablename__ = "similarity_sketches"

    space_id: Mapped[str] = mapped_column(
        ForeignKey("spaces.id", ondelete="CASCADE"), primary_key=True
    )
    modality_group: Mapped[str] = mapped_column(primary_key=True)
    quantiles: Mapped[bytes]
    pairs: Mapped[int]
    images: Mapped[int]
    change: Mapped[int]
    made_at: Mapped[datetime] = now()
