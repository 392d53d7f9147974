"""Labels with the source that says each, and one source's whole word on a study."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.engine import Connection

from storage.answer import Label
from storage.label_imports import Origin, take_in
from storage.tables import Label as LabelRow
from storage.tables import Study


@dataclass(frozen=True)
class LabelWord:
    """A label, and who says so: a file's name, say, or ``http:TOKEN``.

    The UIDs are empty where it is said of the whole study, or of the whole series.
    """

    label: Label
    source: str
    series_instance_uid: str = ""
    sop_instance_uid: str = ""


def on_study(connection: Connection, study_instance_uid: str) -> list[LabelWord] | None:
    """All that is said of a study, by name and source; None if it is not here."""
    study_id = _row(connection, study_instance_uid)
    if study_id is None:
        return None
    rows = connection.execute(
        select(
            LabelRow.name,
            LabelRow.value,
            LabelRow.code,
            LabelRow.scheme,
            LabelRow.source,
            LabelRow.series_instance_uid,
            LabelRow.sop_instance_uid,
        )
        .where(LabelRow.study_id == study_id)
        .order_by(LabelRow.name, LabelRow.source, LabelRow.id)
    )
    return [
        LabelWord(Label(name, value, code, scheme), source, series, instance)
        for name, value, code, scheme, source, series, instance in rows
    ]


def replace(
    connection: Connection, study_instance_uid: str, said: Sequence[Label], *, source: str
) -> bool:
    """Puts a source's word on a study in place of all that it said of it before.

    ``connection`` is in a transaction. Of two labels with one name the last stands. What was said
    before stays readable (``storage.label_imports``). False if the study is not here.
    """
    study_id = _row(connection, study_instance_uid)
    if study_id is None:
        return False
    words = {(study_id, "", "", label.name): label for label in said}
    take_in(connection, words, Origin(source, "http"), complete_for=[study_id])
    return True


def _row(connection: Connection, study_instance_uid: str) -> int | None:
    wanted = select(Study.id).where(Study.study_instance_uid == study_instance_uid)
    return connection.execute(wanted).scalar_one_or_none()
