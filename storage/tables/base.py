"""What all tables have in common."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Identity, LargeBinary, MetaData, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STUDY_STATES = ("open", "queued", "indexed", "answered", "failed")
QUEUE_STATES = ("queued", "running", "done", "failed")
COMMITMENTS = ("wanted", "asked", "committed", "failed")
VERDICTS = ("similar", "not similar")
LABEL_KINDS = ("csv", "dicom", "report", "http", "removal")


def one_of(column: str, states: tuple[str, ...]) -> str:
    """The condition that a column has one of some values."""
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


def identity() -> Mapped[int]:
    """The key that the database gives each row."""
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


def now() -> Mapped[datetime]:
    """When the row was written."""
    return mapped_column(DateTime(timezone=True), server_default=func.now())
