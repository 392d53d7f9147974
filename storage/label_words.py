"""Labels with the source that says each, and one source's whole word on a study."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.engine import Connection

from storage import labels
from storage.answer import Label
from storage.labels import LabelLine
from storage.tables import Label as LabelRow
from storage.tables import Study


@dataclass(frozen=True)
class LabelWord:
    """A label, and who says so: a file's name, say, or ``http:TOKEN``."""

    label: Label
    source: str


def on_study(connection: Connection, study_instance_uid: str) -> list[LabelWord] | None:
    """All that is said of a study, by name and source; None if it is not here."""
    study_id = _row(connection, study_instance_uid, hold=False)
    if study_id is None:
        return None
    rows = connection.execute(
        select(LabelRow.name, LabelRow.value, LabelRow.code, LabelRow.scheme, LabelRow.source)
        .where(LabelRow.study_id == study_id)
        .order_by(LabelRow.name, LabelRow.source, LabelRow.id)
    )
    return [LabelWord(Label(row.name, row.value, row.code, row.scheme), row.source) for row in rows]


def replace(
    connection: Connection, study_instance_uid: str, said: Sequence[Label], *, source: str
) -> bool:
    """Puts a source's word on a study in place of all that it said of it before.

    ``connection`` is in a transaction. Of two labels with one name the last stands. False if the
    study is not here.
    """
    study_id = _row(connection, study_instance_uid, hold=True)
    if study_id is None:
        return False
    connection.execute(
        delete(LabelRow).where(
            LabelRow.study_id == study_id,
            LabelRow.source == source,
            LabelRow.series_instance_uid == "",
            LabelRow.sop_instance_uid == "",
        )
    )
    lines = [LabelLine(study_instance_uid, label) for label in said]
    labels.store(connection, lines, source=source)
    return True


def _row(connection: Connection, study_instance_uid: str, *, hold: bool) -> int | None:
    """The study's row; held, so that one source's two words do not mix."""
    wanted = select(Study.id).where(Study.study_instance_uid == study_instance_uid)
    if hold:
        wanted = wanted.with_for_update(key_share=True)
    return connection.execute(wanted).scalar_one_or_none()
