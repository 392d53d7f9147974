"""Recording what arrived: a batch of instances at a time, in their order.

The number of statements depends on how many studies change, not on how many instances come.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage import surplus
from storage.received import ReceivedInstance
from storage.tables import Instance, Series, Study


class Recorded(Enum):
    """What recording an instance did."""

    NEW = "new"
    IDENTICAL = "identical"
    """The same bytes under the same SOP Instance UID were here already: nothing changed."""
    REPLACED = "replaced"
    """Other bytes came under a known SOP Instance UID: the study is worked again."""
    RESTORED = "restored"
    """The same bytes came again, and their study has need of the file: it is worked again."""


@dataclass
class _Arrived:
    """A study's instances in a batch, and the study as it stood before them, locked."""

    id: int
    state: str
    callers: list[str]
    unanswered: list[str]
    instances: list[tuple[ReceivedInstance, Recorded]] = field(default_factory=list)

    def speaker(self) -> ReceivedInstance:
        """Whose patient and study modules count: the last that shows something, if any does."""
        shown = [instance for instance, _ in self.instances if instance.left_out is None]
        return shown[-1] if shown else self.instances[-1][0]

    def reopens(self) -> bool:
        """Whether the study is worked, or worked again, for these instances.

        What shows nothing to embed does not reopen a study that is past closing: results that
        software adds to it each time that it is answered would go round in a loop.
        """
        past = self.state in {"queued", "indexed", "answered"}
        return any(
            outcome in {Recorded.REPLACED, Recorded.RESTORED}
            or (outcome is Recorded.NEW and (instance.left_out is None or not past))
            for instance, outcome in self.instances
        )

    def with_callers(self, known: Collection[str]) -> list[str]:
        """``known`` and who sent something to show: software that adds a result asks nothing."""
        new = {entry.calling_ae for entry, _ in self.instances if entry.left_out is None}
        return sorted(new.union(known))


def record(connection: Connection, received: ReceivedInstance, *, received_by: str) -> Recorded:
    """Records one instance, as ``record_all`` does."""
    return record_all(connection, [received], received_by=received_by)[0]


def record_all(
    connection: Connection, received: Sequence[ReceivedInstance], *, received_by: str
) -> list[Recorded]:
    """Records instances in their order, and opens their studies where they bring something.

    ``received_by`` is the device UID of the node in whose spool they lie. A file that is not
    needed, the new one or one that it replaces, is named in ``surplus_files``; a file that is
    named there already is not recorded.
    """
    gone = surplus.among(connection, [instance.spool_name for instance in received])
    outcomes: list[Recorded] = []
    for run in _without_repeats(received):
        needed = [instance for instance in run if instance.spool_name not in gone]
        done = _record_distinct(connection, needed, received_by)
        outcomes += [done.get(entry.sop_instance_uid, Recorded.IDENTICAL) for entry in run]
    return outcomes


def _without_repeats(received: Sequence[ReceivedInstance]) -> Iterator[list[ReceivedInstance]]:
    """The same, cut before each SOP instance that comes once more."""
    run: dict[str, ReceivedInstance] = {}
    for instance in received:
        if instance.sop_instance_uid in run:
            yield list(run.values())
            run = {}
        run[instance.sop_instance_uid] = instance
    yield list(run.values())


def _record_distinct(
    connection: Connection, received: Sequence[ReceivedInstance], node: str
) -> dict[str, Recorded]:
    """What was done with each instance, by SOP Instance UID."""
    if not received:
        return {}
    arrived = _lock_studies(connection, received)
    known = _known_instances(connection, received)
    outcomes = {}
    for instance in received:
        uid, study = instance.sop_instance_uid, arrived[instance.study_instance_uid]
        outcomes[uid] = _outcome(instance, known.get(uid), study, node)
        study.instances.append((instance, outcomes[uid]))
    identical = [i for i in received if outcomes[i.sop_instance_uid] is Recorded.IDENTICAL]
    brought = [i for i in received if outcomes[i.sop_instance_uid] is not Recorded.IDENTICAL]
    _set_aside(connection, identical, known, node)
    _take_out(connection, brought, known, arrived)
    _insert_instances(connection, brought, arrived, node)
    _update_studies(connection, arrived, node)
    return outcomes


def _lock_studies(
    connection: Connection, received: Sequence[ReceivedInstance]
) -> dict[str, _Arrived]:
    """The instances' studies, made where they are new, held until the transaction ends.

    In one order, so that two nodes that receive the same studies wait for each other and for
    nothing else. What is known of an instance is only read behind this lock.
    """
    first = {instance.study_instance_uid: instance for instance in reversed(received)}
    statement = upsert(Study)
    statement = statement.on_conflict_do_update(
        index_elements=[Study.study_instance_uid],
        set_={"study_instance_uid": statement.excluded.study_instance_uid},
    )
    rows = connection.execute(
        statement.returning(
            Study.id, Study.study_instance_uid, Study.state, Study.callers, Study.unanswered
        ),
        [
            {
                "study_instance_uid": uid,
                "attributes": dict(first[uid].attributes),
                "first_received_at": first[uid].received_at,
                "last_received_at": first[uid].received_at,
            }
            for uid in sorted(first)
        ],
    )
    return {
        row.study_instance_uid: _Arrived(row.id, row.state, row.callers, row.unanswered)
        for row in rows
    }


def _known_instances(
    connection: Connection, received: Sequence[ReceivedInstance]
) -> dict[str, Row[*tuple[Any, ...]]]:
    rows = connection.execute(
        select(
            Instance.id,
            Instance.sop_instance_uid,
            Instance.spool_name,
            Instance.sha256,
            Instance.node,
            Series.study_id,
        )
        .join(Series, Instance.series_id == Series.id)
        .where(Instance.sop_instance_uid == func.any([i.sop_instance_uid for i in received]))
    )
    return {row.sop_instance_uid: row for row in rows}


def _outcome(
    instance: ReceivedInstance, known: Row[*tuple[Any, ...]] | None, study: _Arrived, node: str
) -> Recorded:
    if known is None:
        return Recorded.NEW
    if known.sha256 != instance.sha256:
        return Recorded.REPLACED
    if known.spool_name == instance.spool_name:  # told twice, or found again after a kill
        return Recorded.IDENTICAL
    # The file may have been removed meanwhile, or lie at another node than works the study.
    is_here = known.spool_name is not None and known.node == node
    lacks_file = not is_here and study.state in {"open", "failed"}
    # Not kept to be found so far: whoever sends it now may be a peer whose studies are.
    asked_anew = study.state == "answered" and instance.calling_ae not in study.callers
    return Recorded.RESTORED if lacks_file or asked_anew else Recorded.IDENTICAL


def _set_aside(
    connection: Connection,
    identical: Sequence[ReceivedInstance],
    known: Mapping[str, Row[*tuple[Any, ...]]],
    node: str,
) -> None:
    surplus.add(
        connection,
        [
            (instance.spool_name, node)
            for instance in identical
            if known[instance.sop_instance_uid].spool_name != instance.spool_name
        ],
    )


def _take_out(
    connection: Connection,
    brought: Sequence[ReceivedInstance],
    known: Mapping[str, Row[*tuple[Any, ...]]],
    arrived: Mapping[str, _Arrived],
) -> None:
    """Takes out the instances that others replace, and reopens a study that thus loses one."""
    old = [
        (known[instance.sop_instance_uid], arrived[instance.study_instance_uid].id)
        for instance in brought
        if instance.sop_instance_uid in known
    ]
    if not old:
        return
    surplus.add(connection, [(row.spool_name, row.node) for row, _ in old if row.spool_name])
    connection.execute(delete(Instance).where(Instance.id.in_([row.id for row, _ in old])))
    left = [row.study_id for row, study_id in old if row.study_id != study_id]
    connection.execute(update(Study).where(Study.id.in_(left)).values(state="open", reason=None))


def _insert_instances(
    connection: Connection,
    brought: Sequence[ReceivedInstance],
    arrived: Mapping[str, _Arrived],
    node: str,
) -> None:
    if not brought:
        return
    series = _series(connection, brought, arrived)
    connection.execute(
        insert(Instance),
        [
            {
                "series_id": series[entry.study_instance_uid, entry.series_instance_uid],
                "sop_instance_uid": entry.sop_instance_uid,
                "sop_class_uid": entry.sop_class_uid,
                "transfer_syntax_uid": entry.transfer_syntax_uid,
                "spool_name": entry.spool_name,
                "node": node,
                "sha256": entry.sha256,
                "size_bytes": entry.size_bytes,
                "calling_ae": entry.calling_ae,
                "received_at": entry.received_at,
                "header": None if entry.header is None else dict(entry.header),
                "left_out": entry.left_out,
            }
            for entry in brought
        ],
    )


def _series(
    connection: Connection, brought: Sequence[ReceivedInstance], arrived: Mapping[str, _Arrived]
) -> dict[tuple[str, str], int]:
    """The rows of the instances' series, by Study and Series Instance UID."""
    last = {(entry.study_instance_uid, entry.series_instance_uid): entry for entry in brought}
    studies = {arrived[study].id: study for study, _ in last}
    statement = upsert(Series)
    statement = statement.on_conflict_do_update(
        index_elements=[Series.study_id, Series.series_instance_uid],
        set_={
            "modality": statement.excluded.modality,
            "description": statement.excluded.description,
        },
    )
    rows = connection.execute(
        statement.returning(Series.id, Series.study_id, Series.series_instance_uid),
        [
            {
                "study_id": arrived[study].id,
                "series_instance_uid": series,
                "modality": last[study, series].modality,
                "description": last[study, series].series_description,
            }
            for study, series in sorted(last)
        ],
    )
    return {(studies[row.study_id], row.series_instance_uid): row.id for row in rows}


def _update_studies(connection: Connection, arrived: Mapping[str, _Arrived], node: str) -> None:
    opened = {uid: study for uid, study in arrived.items() if study.reopens()}
    if opened:
        _open_studies(connection, opened, node)
    for uid in arrived.keys() - opened.keys():
        _take_note(connection, arrived[uid])


def _open_studies(connection: Connection, opened: Mapping[str, _Arrived], node: str) -> None:
    rows = [_facts(uid, study, node) for uid, study in opened.items()]
    statement = upsert(Study)
    kept = {"study_instance_uid", "first_received_at"}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[Study.study_instance_uid],
            set_={name: statement.excluded[name] for name in rows[0].keys() - kept},
        ),
        rows,
    )


def _facts(uid: str, study: _Arrived, node: str) -> dict[str, Any]:
    """An open study's columns, as its latest instances have them."""
    says, last = study.speaker(), study.instances[-1][0]
    return {
        "study_instance_uid": uid,
        "patient_id": says.patient_id,
        "issuer_of_patient_id": says.issuer_of_patient_id,
        "sex": says.sex,
        "age": says.age,
        "study_date": says.study_date,
        "description": says.description,
        "attributes": dict(says.attributes),
        "calling_ae": says.calling_ae,
        "callers": study.with_callers(study.callers),
        "unanswered": study.with_callers(study.unanswered),
        "received_by": node,
        "first_received_at": last.received_at,
        "last_received_at": last.received_at,
        "state": "open",
        "reason": None,
    }


def _take_note(connection: Connection, study: _Arrived) -> None:
    """Duplicates change nothing of a study, but they are activity, and may come from others."""
    changes: dict[str, Any] = {"callers": study.with_callers(study.callers)}
    if study.state in {"open", "queued"}:
        changes["unanswered"] = study.with_callers(study.unanswered)
    if study.state == "open":
        changes["last_received_at"] = study.instances[-1][0].received_at
    connection.execute(update(Study).where(Study.id == study.id).values(**changes))
