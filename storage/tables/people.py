"""Who asked, who may, and what readers said; and the secret of the archive."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import VERDICTS, Base, identity, now, one_of


class Secret(Base):
    """A key that all nodes on this database share, made when it is first needed."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]
    created_at: Mapped[datetime] = now()


class Query(Base):
    """The audit: who asked what, when, in which space, and what was answered.

    ``asked_with`` names further studies that were asked with, and those whose marks refined it.
    """

    __tablename__ = "queries"
    __table_args__ = (Index("ix_queries_asked_at", "asked_at"),)

    id: Mapped[int] = identity()
    asked_at: Mapped[datetime] = now()
    asked_by: Mapped[str]
    study_instance_uid: Mapped[str]
    space_id: Mapped[str]
    k: Mapped[int]
    filters: Mapped[dict[str, Any]]
    searched: Mapped[int]
    hits: Mapped[dict[str, Any]]
    asked_with: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class CaseLookup(Base):
    """The audit of case numbers: who asked which study, so which patient, one stands for."""

    __tablename__ = "case_lookups"

    id: Mapped[int] = identity()
    asked_at: Mapped[datetime] = now()
    asked_by: Mapped[str]
    case_number: Mapped[str]
    found: Mapped[list[str]]


class Token(Base):
    """An access token of the HTTP service, by the digest of its secret."""

    __tablename__ = "tokens"

    id: Mapped[int] = identity()
    name: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    sha256: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = now()
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
        CheckConstraint(one_of("verdict", VERDICTS), name="verdict"),
        UniqueConstraint("query_study_id", "hit_study_id", "given_by"),
        Index("ix_feedback_hit", "hit_study_id"),
    )

    id: Mapped[int] = identity()
    query_study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    hit_study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    verdict: Mapped[str]
    given_by: Mapped[str]
    space_id: Mapped[str | None]
    rank: Mapped[int | None]
    filters: Mapped[dict[str, Any]]
    given_at: Mapped[datetime] = now()
