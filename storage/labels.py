"""Labels: findings said of studies, imported with their source."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage.answer import Label
from storage.tables import Label as LabelRow
from storage.tables import Study

REQUIRED_COLUMNS = ("study_instance_uid", "label", "value")
MAX_FAULTS = 10


class LabelError(ValueError):
    """A label file that cannot be taken in; the message lists what is wrong, line by line."""


@dataclass(frozen=True)
class LabelLine:
    """One line of a label file."""

    study_instance_uid: str
    label: Label


def read_csv(path: Path) -> list[LabelLine]:
    """Reads ``study_instance_uid,label,value[,code,scheme]``; value is 1, 0 or -1.

    Raises:
        LabelError: columns are missing or lines malformed; nothing is returned then.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in REQUIRED_COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise LabelError(f"{path}: the header line lacks {', '.join(missing)}")
            return _parsed(path, [(reader.line_num, row) for row in reader])
    except UnicodeDecodeError as fault:
        raise LabelError(f"{path} is not UTF-8 text: {fault}") from fault
    except (OSError, csv.Error) as fault:
        raise LabelError(f"{path} cannot be read: {fault}") from fault


def _parsed(path: Path, rows: Sequence[tuple[int, dict[str, str | None]]]) -> list[LabelLine]:
    lines: list[LabelLine] = []
    faults: list[str] = []
    for number, row in rows:
        uid, name = (row["study_instance_uid"] or "").strip(), (row["label"] or "").strip()
        value = (row["value"] or "").strip()
        code, scheme = (row.get("code") or "").strip(), (row.get("scheme") or "").strip()
        if not uid or not name or value not in {"1", "0", "-1"}:
            faults.append(f"line {number}: needs a study UID, a label and a value of 1, 0 or -1")
            continue
        if "\0" in uid + name + code + scheme:  # which PostgreSQL text cannot hold
            faults.append(f"line {number}: holds a NUL character")
            continue
        lines.append(LabelLine(uid, Label(name, int(value), code or None, scheme or None)))
    if faults:
        more = f" and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
        raise LabelError(f"{path}: {'; '.join(faults[:MAX_FAULTS])}{more}")
    return lines


def store(
    connection: Connection, lines: Iterable[LabelLine], *, source: str
) -> tuple[int, list[str]]:
    """Writes labels, each replacing the same source's earlier word on the same finding.

    Returns how many were written, and the Study Instance UIDs that this archive does not hold.
    """
    lines = list(lines)
    uids = {line.study_instance_uid for line in lines}
    known = dict(
        connection.execute(
            select(Study.study_instance_uid, Study.id).where(Study.study_instance_uid.in_(uids))
        ).all()
    )
    last_word = {
        (line.study_instance_uid, line.label.name): line.label
        for line in lines
        if line.study_instance_uid in known
    }
    for (uid, _), label in last_word.items():
        _store_one(connection, known[uid], label, source)
    return len(last_word), sorted(uids - known.keys())


def _store_one(connection: Connection, study_id: int, label: Label, source: str) -> None:
    said = {"value": label.value, "code": label.code, "scheme": label.scheme}
    connection.execute(
        upsert(LabelRow)
        .values(study_id=study_id, name=label.name, source=source, **said)
        .on_conflict_do_update(
            index_elements=[
                LabelRow.study_id,
                LabelRow.series_instance_uid,
                LabelRow.sop_instance_uid,
                LabelRow.name,
                LabelRow.source,
            ],
            set_=said,
        )
    )


def of_studies(connection: Connection, study_ids: Sequence[int]) -> dict[int, tuple[Label, ...]]:
    """The labels of each study, by name; a study without labels is absent."""
    rows = connection.execute(
        select(LabelRow.study_id, LabelRow.name, LabelRow.value, LabelRow.code, LabelRow.scheme)
        .where(LabelRow.study_id.in_(study_ids))
        .order_by(LabelRow.study_id, LabelRow.name, LabelRow.source)
    )
    found: dict[int, list[Label]] = {}
    for row in rows:
        label = Label(row.name, row.value, row.code, row.scheme)
        found.setdefault(row.study_id, []).append(label)
    return {study_id: tuple(labels) for study_id, labels in found.items()}
