"""What is to be done, and the reports that came of it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import COMMITMENTS, QUEUE_STATES, Base, identity, now, one_of


class _Queued:
    """The columns that every queue shares; ``storage.queue`` claims, retries and ends rows.

    ``node`` is the device UID of the node whose work a row is: files lie in its spool.
    """

    id: Mapped[int] = identity()
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default="0")
    run_after: Mapped[datetime] = now()
    node: Mapped[str]
    lease_until: Mapped[datetime | None]
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = now()
    finished_at: Mapped[datetime | None]


class Job(_Queued, Base):
    """Work on a closed study, waiting for a worker."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(one_of("state", QUEUE_STATES), name="state"),
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

    id: Mapped[int] = identity()
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    revision: Mapped[int]
    series_instance_uid: Mapped[str]
    sop_class_uid: Mapped[str]
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    dicom: Mapped[bytes]
    picture_sop_instance_uid: Mapped[str | None] = mapped_column(unique=True)
    picture_dicom: Mapped[bytes | None]
    privacy: Mapped[str] = mapped_column(server_default="identified")
    created_at: Mapped[datetime] = now()


class Send(_Queued, Base):
    """A report on its way to a peer.

    ``taken`` lists the SOP class and instance UIDs that the peer stored. ``commitment`` says how
    far its promise to keep them has come, by the transaction of PS3.4 J.3; None if none is wanted.
    """

    __tablename__ = "sends"
    __table_args__ = (
        CheckConstraint(one_of("state", QUEUE_STATES), name="state"),
        UniqueConstraint("report_id", "peer"),
        Index(
            "ix_sends_waiting",
            "node",
            "run_after",
            "id",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        CheckConstraint(one_of("commitment", COMMITMENTS), name="commitment"),
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
