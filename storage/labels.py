"""Labels: findings said of studies, with their source."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.engine import Connection

from storage.answer import Label
from storage.label_files import read_csv
from storage.label_imports import Origin, take_in
from storage.label_lines import LabelError, LabelLine
from storage.label_places import place
from storage.tables import Label as LabelRow

__all__ = ["LabelError", "LabelLine", "of_studies", "read_csv", "store"]

_STRENGTH = {1: 2, -1: 1, 0: 0}
"""Of several images' words: what one shows the study has, and what none rules out is uncertain."""


def store(
    connection: Connection, lines: Iterable[LabelLine], *, source: str
) -> tuple[int, list[str]]:
    """Writes labels, each replacing the same source's earlier word on the same finding.

    What the source said of other findings stands. Returns how many labels it now says so, and
    what of their studies, series and instances this archive does not hold.

    Raises:
        LabelError: a line names a series or an instance of another study.
    """
    placed = place(connection, list(lines))
    taken = take_in(connection, placed.words, Origin(source))
    return taken.said, sorted(uid for uids in placed.unknown.values() for uid in uids)


def of_studies(connection: Connection, study_ids: Sequence[int]) -> dict[int, tuple[Label, ...]]:
    """The labels of each study, by name; a study without labels is absent.

    What one source says of several images of a study is one label: present if it is in any, else
    uncertain if it may be.
    """
    rows = connection.execute(
        select(
            LabelRow.study_id,
            LabelRow.name,
            LabelRow.value,
            LabelRow.code,
            LabelRow.scheme,
            LabelRow.source,
        )
        .where(LabelRow.study_id.in_(study_ids))
        .order_by(LabelRow.study_id, LabelRow.name, LabelRow.source, LabelRow.id)
    )
    found: dict[int, dict[tuple[str, str], Label]] = {}
    for row in rows:
        label = Label(row.name, row.value, row.code, row.scheme)
        of_study = found.setdefault(row.study_id, {})
        before = of_study.setdefault((row.name, row.source), label)
        if _STRENGTH[label.value] > _STRENGTH[before.value]:
            of_study[row.name, row.source] = label
    return {study_id: tuple(labels.values()) for study_id, labels in found.items()}
