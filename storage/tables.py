"""The schema of the database. ``migrations`` must build exactly this; a test holds them equal.

PostgreSQL is the truth: the spool is emptied by the site's rule and the index can be rebuilt, so
whatever an answer needs later (attributes, the picture, the vector's provenance) stands here.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STUDY_STATES = ("open", "queued", "indexed", "answered", "failed")
QUEUE_STATES = ("queued", "running", "done", "failed")
COMMITMENTS = ("wanted", "asked", "committed", "failed")
VERDICTS = ("similar", "not similar")


def _one_of(column: str, states: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(state) for state in states)})"


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can name what it changes."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy's own hook)
        str: Text,
        bytes: LargeBinary,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


def _identity() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


def _now() -> Mapped[datetime]:
    return mapped_column(DateTime(timezone=True), server_default=func.now())


class Study(Base):
    """A study and where it stands on its way: open, queued, indexed, answered or failed.

    One that is *answered* came only from peers whose studies are not kept to be found.
    ``callers`` are the AE titles that ever sent of it, ``unanswered`` those that did so since its
    work last ended, ``calling_ae`` the last that brought something new.
    """

    __tablename__ = "studies"
    __table_args__ = (
        CheckConstraint(_one_of("state", STUDY_STATES), name="state"),
        Index("ix_studies_patient", "patient_id", "issuer_of_patient_id"),
        Index("ix_studies_open", "last_received_at", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[int] = _identity()
    study_instance_uid: Mapped[str] = mapped_column(unique=True)
    patient_id: Mapped[str] = mapped_column(server_default="")
    issuer_of_patient_id: Mapped[str] = mapped_column(server_default="")
    sex: Mapped[str | None]
    age: Mapped[int | None]
    study_date: Mapped[str | None]
    description: Mapped[str | None]
    attributes: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="open")
    reason: Mapped[str | None]
    revision: Mapped[int] = mapped_column(server_default="0")
    calling_ae: Mapped[str] = mapped_column(server_default="")
    callers: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    unanswered: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    received_by: Mapped[str] = mapped_column(server_default="")
    first_received_at: Mapped[datetime] = _now()
    last_received_at: Mapped[datetime] = _now()
    closed_at: Mapped[datetime | None]
    indexed_at: Mapped[datetime | None]


class Series(Base):
    """A series of a study."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_id", "series_instance_uid"),)

    id: Mapped[int] = _identity()
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    series_instance_uid: Mapped[str]
    modality: Mapped[str]
    description: Mapped[str | None]


class Instance(Base):
    """A SOP instance: its header facts, and the name of its file in the spool.

    ``left_out`` says why an instance was not embedded; ``header`` is
    ``encoders.header.ImageHeader`` as JSON, so that choosing a slice opens no file.
    ``spool_name`` is None once the file was removed; ``node`` is the device UID of the node in
    whose spool it lies, or lay.
    """

    __tablename__ = "instances"
    __table_args__ = (
        Index("ix_instances_series", "series_id"),
        Index(
            "ix_instances_files",
            "node",
            "series_id",
            postgresql_where=text("spool_name IS NOT NULL"),
        ),
    )

    id: Mapped[int] = _identity()
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"))
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    spool_name: Mapped[str | None] = mapped_column(unique=True)
    node: Mapped[str] = mapped_column(server_default="")
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    calling_ae: Mapped[str] = mapped_column(server_default="")
    received_at: Mapped[datetime] = _now()
    header: Mapped[dict[str, Any] | None]
    left_out: Mapped[str | None]


class SurplusFile(Base):
    """A file of a node's spool that no instance needs, until it is removed from the disk."""

    __tablename__ = "surplus_files"

    spool_name: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str]


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
    created_at: Mapped[datetime] = _now()
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

    id: Mapped[int] = _identity()
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
    created_at: Mapped[datetime] = _now()
    retired_at: Mapped[datetime | None]


EMBEDDING_CHANGES = Sequence("embedding_changes", metadata=Base.metadata)


class Label(Base):
    """A finding said of a study, or of one series or instance of it; -1 means uncertain."""

    __tablename__ = "labels"
    __table_args__ = (
        CheckConstraint("value IN (-1, 0, 1)", name="value"),
        UniqueConstraint("study_id", "series_instance_uid", "sop_instance_uid", "name", "source"),
    )

    id: Mapped[int] = _identity()
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    series_instance_uid: Mapped[str] = mapped_column(server_default="")
    sop_instance_uid: Mapped[str] = mapped_column(server_default="")
    name: Mapped[str]
    value: Mapped[int] = mapped_column(SmallInteger)
    code: Mapped[str | None]
    scheme: Mapped[str | None]
    source: Mapped[str]
    created_at: Mapped[datetime] = _now()


class _Queued:
    """The columns that every queue shares; ``storage.queue`` claims, retries and ends rows.

    ``node`` is the device UID of the node whose work a row is: files lie in its spool.
    """

    id: Mapped[int] = _identity()
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default="0")
    run_after: Mapped[datetime] = _now()
    node: Mapped[str]
    lease_until: Mapped[datetime | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = _now()
    finished_at: Mapped[datetime | None]


class Job(_Queued, Base):
    """Work on a closed study, waiting for a worker."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(_one_of("state", QUEUE_STATES), name="state"),
        Index("ix_jobs_study", "study_id"),
        Index(
            "ix_jobs_waiting",
            "node",
            "run_after",
            "id",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )

    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))


class Report(Base):
    """A Structured Report as it was made, byte for byte, and the picture that goes with it.

    ``privacy`` is the setting that both were made under.
    """

    __tablename__ = "reports"
    __table_args__ = (
        Index("ix_reports_study", "study_id"),
        Index(
            "ix_reports_pictures",
            "created_at",
            postgresql_where=text("picture_dicom IS NOT NULL"),
        ),
    )

    id: Mapped[int] = _identity()
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    revision: Mapped[int]
    series_instance_uid: Mapped[str]
    sop_class_uid: Mapped[str]
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    dicom: Mapped[bytes]
    picture_sop_instance_uid: Mapped[str | None] = mapped_column(unique=True)
    picture_dicom: Mapped[bytes | None]
    privacy: Mapped[str] = mapped_column(server_default="identified")
    created_at: Mapped[datetime] = _now()


class Send(_Queued, Base):
    """A report on its way to a peer.

    ``taken`` lists the SOP class and instance UIDs that the peer stored. ``commitment`` says how
    far its promise to keep them has come, by the transaction of PS3.4 J.3; None if none is wanted.
    """

    __tablename__ = "sends"
    __table_args__ = (
        CheckConstraint(_one_of("state", QUEUE_STATES), name="state"),
        UniqueConstraint("report_id", "peer"),
        Index(
            "ix_sends_waiting",
            "node",
            "run_after",
            "id",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        CheckConstraint(_one_of("commitment", COMMITMENTS), name="commitment"),
        Index(
            "ix_sends_commitment",
            "node",
            "run_after",
            postgresql_where=text("commitment IN ('wanted', 'asked')"),
        ),
    )

    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id", ondelete="CASCADE"))
    peer: Mapped[str]
    taken: Mapped[list[dict[str, str]] | None] = mapped_column(JSONB(none_as_null=True))
    commitment: Mapped[str | None]
    commitment_asked_at: Mapped[datetime | None]
    transaction_uid: Mapped[str | None] = mapped_column(unique=True)


class Secret(Base):
    """A key that all nodes on this database share, made when it is first needed."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]
    created_at: Mapped[datetime] = _now()


class Query(Base):
    """The audit: who asked what, when, in which space, and what was answered."""

    __tablename__ = "queries"
    __table_args__ = (Index("ix_queries_asked_at", "asked_at"),)

    id: Mapped[int] = _identity()
    asked_at: Mapped[datetime] = _now()
    asked_by: Mapped[str]
    study_instance_uid: Mapped[str]
    space_id: Mapped[str]
    k: Mapped[int]
    filters: Mapped[dict[str, Any]]
    searched: Mapped[int]
    hits: Mapped[dict[str, Any]]


class CaseLookup(Base):
    """The audit of case numbers: who asked which study, so which patient, one stands for."""

    __tablename__ = "case_lookups"

    id: Mapped[int] = _identity()
    asked_at: Mapped[datetime] = _now()
    asked_by: Mapped[str]
    case_number: Mapped[str]
    found: Mapped[list[str]]


class Token(Base):
    """An access token of the HTTP service, by the digest of its secret."""

    __tablename__ = "tokens"

    id: Mapped[int] = _identity()
    name: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    sha256: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = _now()
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Feedback(Base):
    """A reader's verdict on a hit; it goes with either of the two studies.

    ``given_by`` is the reader as the audit names him; ``rank`` and ``filters`` are those of the
    answer that he saw.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        CheckConstraint(_one_of("verdict", VERDICTS), name="verdict"),
        UniqueConstraint("query_study_id", "hit_study_id", "given_by"),
        Index("ix_feedback_hit", "hit_study_id"),
    )

    id: Mapped[int] = _identity()
    query_study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    hit_study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    verdict: Mapped[str]
    given_by: Mapped[str]
    space_id: Mapped[str | None]
    rank: Mapped[int | None]
    filters: Mapped[dict[str, Any]]
    given_at: Mapped[datetime] = _now()
