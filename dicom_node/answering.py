"""Searches for a study's neighbours, keeps the audit, makes the report and queues its sending."""

from datetime import datetime
from io import BytesIO

from pydicom.uid import generate_uid
from sqlalchemy.engine import Connection

from dicom_node.identity import SOFTWARE_VERSION
from dicom_node.report import Device, DocumentReference, make_report
from dicom_node.settings import Settings
from storage import audit, reports, search, studies
from storage.answer import Answer, SpaceSummary
from storage.index import VectorIndex


def answer_sender(
    connection: Connection,
    study_id: int,
    *,
    index: VectorIndex,
    space: SpaceSummary,
    settings: Settings,
    node: str,
) -> None:
    """Answers the peer that sent the study, if the settings name one to have its reports."""
    state = studies.state_by_id(connection, study_id)
    receiver = settings.receiver_of_reports(state.calling_ae)
    if receiver is None:
        return
    asked_by = f"dicom:{state.calling_ae}"
    found = ask(connection, index, study_id, space=space, settings=settings, asked_by=asked_by)
    report_id = keep_report(
        connection, found, revision=state.revision, device_uid=node, settings=settings
    )
    reports.send_to(connection, report_id, peer=receiver.name, node=node)


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
