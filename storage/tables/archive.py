"""Studies, their series and instances."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import STUDY_STATES, Base, identity, now, one_of


class Study(Base):
    """A study and where it stands on its way: open, queued, indexed, answered or failed.

    One that is *answered* came only from peers whose studies are not kept to be found.
    ``callers`` are the AE titles that ever sent of it, ``unanswered`` those that did so since its
    work last ended, ``calling_ae`` the last that brought something new.
    """

    __tablename__ = "studies"
    __table_args__ = (
        CheckConstraint(one_of("state", STUDY_STATES), name="state"),
        Index("ix_studies_patient", "patient_id", "issuer_of_patient_id"),
        Index("ix_studies_open", "last_received_at", postgresql_where=text("state = 'open'")),
        Index("ix_studies_date", text("replace(study_date, '.'::text, ''::text)")),
    )

    id: Mapped[int] = identity()
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
    first_received_at: Mapped[datetime] = now()
    last_received_at: Mapped[datetime] = now()
    closed_at: Mapped[datetime | None]
    indexed_at: Mapped[datetime | None]


class Series(Base):
    """A series of a study."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_id", "series_instance_uid"),)

    id: Mapped[int] = identity()
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

    id: Mapped[int] = identity()
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"))
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    spool_name: Mapped[str | None] = mapped_column(unique=True)
    node: Mapped[str] = mapped_column(server_default="")
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    calling_ae: Mapped[str] = mapped_column(server_default="")
    received_at: Mapped[datetime] = now()
    header: Mapped[dict[str, Any] | None]
    left_out: Mapped[str | None]


class SurplusFile(Base):
    """A file of a node's spool that no instance needs, until it is removed from the disk."""

    __tablename__ = "surplus_files"

    spool_name: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str]
