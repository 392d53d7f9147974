"""What is said of studies, by whom, and what was said before."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import LABEL_KINDS, Base, identity, now, one_of


class LabelImport(Base):
    """Labels that came at one time from one source; a source's versions count from 1.

    ``sha256`` is the digest of the file, hexadecimal, None where there was none. ``words`` is how
    many labels it said of studies that were here. A word stands from the version that first said
    it, until one says another or says it no more.
    """

    __tablename__ = "label_imports"
    __table_args__ = (
        CheckConstraint(one_of("kind", LABEL_KINDS), name="kind"),
        UniqueConstraint("source", "version"),
    )

    id: Mapped[int] = identity()
    source: Mapped[str]
    version: Mapped[int]
    kind: Mapped[str]
    sha256: Mapped[str | None]
    words: Mapped[int]
    made_at: Mapped[datetime] = now()


class Label(Base):
    """A finding said of a study, or of one series or instance of it; -1 means uncertain.

    Only what stands now: the words that were replaced lie in ``superseded_labels``.
    """

    __tablename__ = "labels"
    __table_args__ = (
        CheckConstraint("value IN (-1, 0, 1)", name="value"),
        UniqueConstraint("study_id", "series_instance_uid", "sop_instance_uid", "name", "source"),
        Index("ix_labels_present", "name", "study_id", postgresql_where=text("value = 1")),
    )

    id: Mapped[int] = identity()
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    series_instance_uid: Mapped[str] = mapped_column(server_default="")
    sop_instance_uid: Mapped[str] = mapped_column(server_default="")
    name: Mapped[str]
    value: Mapped[int] = mapped_column(SmallInteger)
    code: Mapped[str | None]
    scheme: Mapped[str | None]
    source: Mapped[str]
    import_id: Mapped[int] = mapped_column(ForeignKey("label_imports.id"))
    created_at: Mapped[datetime] = now()


class SupersededLabel(Base):
    """A label that stands no more, under the id that it had, and the import that superseded it.

    It is kept to be read, and no answer uses it.
    """

    __tablename__ = "superseded_labels"
    __table_args__ = (Index("ix_superseded_labels_study", "study_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    series_instance_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    name: Mapped[str]
    value: Mapped[int] = mapped_column(SmallInteger)
    code: Mapped[str | None]
    scheme: Mapped[str | None]
    import_id: Mapped[int] = mapped_column(ForeignKey("label_imports.id"))
    superseded_by: Mapped[int] = mapped_column(ForeignKey("label_imports.id"))
    created_at: Mapped[datetime]
