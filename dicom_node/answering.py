"""Searches for a study's neighbours, keeps the audit, makes the report and queues its sending."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from pydicom.uid import generate_uid
from sqlalchemy.engine import Connection

from dicom_node.identity import SOFTWARE_VERSION
from dicom_node.report import Device, DocumentReference, make_report
from dicom_node.settings import Settings
from storage import audit, reports, search, studies, study_work
from storage.answer import Answer, SpaceSummary
from storage.embeddings import NewEmbedding
from storage.index import VectorIndex


def answer_senders(
    connection: Connection,
    study_id: int,
    *,
    index: VectorIndex,
    space: SpaceSummary,
    settings: Settings,
    node: str,
    images: Sequence[NewEmbedding] | None = None,
) -> None:
    """Answers the peers that sent the study, where the settings name somebody to have its reports.

    ``images`` are those of a study that is not kept to be found: it is asked with as a file from
    outside is.
    """
    senders = study_work.unanswered(connection, study_id)
    receivers = {ae: settings.receiver_of_reports(ae) for ae in senders}
    names = sorted({receiver.name for receiver in receivers.values() if receiver is not None})
    if not names:
        return
    asked_by = "dicom:" + ",".join(ae for ae in senders if receivers[ae] is not None)
    if images is None:
        found = ask(connection, index, study_id, space=space, settings=settings, asked_by=asked_by)
    else:
        question = search.Question(
            study=studies.load(connection, study_id),
            images=[search.QueryImage(made.image, made.vector) for made in images],
            space=space,
            k=settings.search.k,
            level=settings.search.level,
        )
        found = _answer(connection, index, question, asked_by=asked_by)
    report_id = keep_report(
        connection,
        found,
        revision=studies.state_by_id(connection, study_id).revision,
        device_uid=node,
        settings=settings,
    )
    for name in names:
        reports.send_to(connection, report_id, peer=name, node=node)


def ask(
    connection: Connection,
    index: VectorIndex,
    study_id: int,
    *,
    space: SpaceSummary,
    settings: Settings,
    asked_by: str,
    k: int | None = None,
) -> Answer:
    """The answer for an indexed study, written into the audit.

    Raises:
        storage.search.SearchError: the study has no vector in the space.
    """
    question = search.question_of_study(
        connection,
        study_id,
        space=space,
        k=settings.search.k if k is None else k,
        level=settings.search.level,
    )
    return _answer(connection, index, question, asked_by=asked_by)


def _answer(
    connection: Connection, index: VectorIndex, question: search.Question, *, asked_by: str
) -> Answer:
    found = search.answer(connection, index, question)
    audit.record(connection, found, asked_by=asked_by)
    return found


def keep_report(
    connection: Connection,
    answer: Answer,
    *,
    revision: int,
    device_uid: str,
    settings: Settings,
) -> int:
    """Makes the report of an answer and keeps it; returns its row.

    A study's later report names the one before it as its predecessor.
    """
    before = reports.latest(connection, answer.query.id)
    dataset = make_report(
        answer,
        device=this_device(device_uid, settings),
        sop_instance_uid=generate_uid(prefix=None),
        series_instance_uid=generate_uid(prefix=None),
        created=datetime.now(),
        predecessor=None if before is None else _reference(before),
    )
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return reports.add(
        connection,
        study_id=answer.query.id,
        revision=revision,
        series_instance_uid=dataset.SeriesInstanceUID,
        sop_class_uid=dataset.SOPClassUID,
        sop_instance_uid=dataset.SOPInstanceUID,
        dicom=buffer.getvalue(),
    )


def this_device(uid: str, settings: Settings) -> Device:
    """The device that this node's reports name as their author."""
    return Device(uid=uid, ae_title=settings.dicom.ae_title, software_version=SOFTWARE_VERSION)


def _reference(report: reports.StoredReport) -> DocumentReference:
    return DocumentReference(
        study_instance_uid=report.study_instance_uid,
        series_instance_uid=report.series_instance_uid,
        sop_class_uid=report.sop_class_uid,
        sop_instance_uid=report.sop_instance_uid,
    )
