"""Searches for a study's neighbours, keeps the audit, makes the report and queues its sending."""

from collections.abc import Collection, Sequence
from functools import partial

from sqlalchemy.engine import Connection

from dicom_node.community_reader import CommunityReader
from dicom_node.report.device import Device
from dicom_node.report.documents import CaseNumber, encoded, make_documents
from dicom_node.report.filing import DocumentReference
from dicom_node.settings import Settings
from dicom_node.version import SOFTWARE_VERSION
from storage import audit, case_numbers, pictures, reports, search, slices, studies, study_work
from storage.answer import Answer, SpaceSummary, StudyRecord
from storage.embeddings import NewEmbedding
from storage.searchable import Searchable


def to_be_answered(
    connection: Connection, study_ids: Collection[int], settings: Settings
) -> set[int]:
    """Those of several studies of which somebody is to have a report.

    Holds all of them until the transaction ends: nobody asks for one meanwhile.
    """
    senders = study_work.all_unanswered(connection, study_ids)
    return {
        study_id
        for study_id, asked in senders.items()
        if any(settings.receiver_of_reports(calling_ae) for calling_ae in asked)
    }


def answer_senders(
    connection: Connection,
    study: StudyRecord,
    *,
    index: Searchable,
    space: SpaceSummary,
    settings: Settings,
    node: str,
    images: Sequence[NewEmbedding] | None = None,
) -> None:
    """Answers the peers that sent the study, where the settings name somebody to have its reports.

    ``study`` is as it was when the work on it began. If it has changed since, nobody is answered
    now: it is open again or already closed once more, and its next work answers them.

    ``images`` are those of a study that is not kept to be found: it is asked with as a file from
    outside is.
    """
    senders = study_work.unanswered(connection, study.id)
    receivers = {ae: settings.receiver_of_reports(ae) for ae in senders}
    names = {receiver.name for receiver in receivers.values() if receiver is not None}
    if not names:
        return
    asked_by = "dicom:" + ",".join(ae for ae in senders if receivers[ae] is not None)
    if images is None:
        found = ask(connection, index, study.id, space=space, settings=settings, asked_by=asked_by)
    else:
        question = search.Question(
            study=study,
            images=[_query_image(made) for made in images],
            space=space,
            k=settings.search.k,
            level=settings.search.level,
        )
        found = answer_to(connection, index, question, settings=settings, asked_by=asked_by)
    if found.query != study:
        return
    report_id = keep_report(
        connection, found, device_uid=node, settings=settings, images=images or ()
    )
    if report_id is None:
        return
    for name in sorted(names.union(settings.report.send_to)):
        reports.send_to(connection, report_id, peer=name, node=node)


def ask(
    connection: Connection,
    index: Searchable,
    study_id: int,
    *,
    space: SpaceSummary,
    settings: Settings,
    asked_by: str,
    wish: search.Wish = search.PLAIN,
    communities: CommunityReader | None = None,
) -> Answer:
    """The answer for an indexed study, written into the audit.

    ``communities`` are those that a process has at hand; without, they are read where a wish asks
    for them.

    Raises:
        storage.search.SearchError: the study has no vector in the space, or the wish cannot be
            met: see ``storage.search.wished``.
    """
    question = search.question_of_study(
        connection,
        study_id,
        space=space,
        k=settings.search.k if wish.k is None else wish.k,
        level=settings.search.level,
        filters=wish.filters,
    )
    question = search.wished(connection, question, wish, reader=asked_by)
    return answer_to(
        connection,
        index,
        question,
        settings=settings,
        asked_by=asked_by,
        communities=communities,
    )


def _query_image(made: NewEmbedding) -> search.QueryImage:
    own = None if made.slices is None else slices.as_kept(made.slices)
    return search.QueryImage(made.image, made.vector, slices=own)


def answer_to(
    connection: Connection,
    index: Searchable,
    question: search.Question,
    *,
    settings: Settings,
    asked_by: str,
    communities: CommunityReader | None = None,
) -> Answer:
    """The answer to a question, written into the audit; ``communities`` as in ``ask``.

    Raises:
        storage.search.SearchError: it cannot be answered.
    """
    divided = None
    if question.strategy is search.Strategy.COMMUNITIES:
        reader = communities or CommunityReader(settings)
        divided = reader.of(connection, question.space)
    found = search.answer(
        connection, index, question, rerank=settings.volume.reranked, communities=divided
    )
    audit.record(connection, found, asked_by=asked_by)
    return found


def keep_report(
    connection: Connection,
    answer: Answer,
    *,
    device_uid: str,
    settings: Settings,
    images: Sequence[NewEmbedding] = (),
) -> int | None:
    """Makes the report of an answer, with its picture, and keeps both; returns the report's row.

    Holds the study from here to the end of the transaction. Where it is not what the answer was
    asked with any more, in patient, header or revision, nothing is made or kept: None.

    A study's later report names the one before it as its predecessor. ``images`` are the query's
    where they are not in the database.

    Raises:
        ReportError: the answer cannot be put in a report.
    """
    query = answer.query
    if not reports.hold_study(connection, query.id) or studies.load(connection, query.id) != query:
        return None
    made = make_documents(
        answer,
        device=this_device(device_uid, settings),
        rules=settings.report,
        pictures=lambda: _pictures(connection, answer, images),
        case_number=_case_number(connection, settings),
        predecessor=_reference(reports.latest(connection, query.id)),
    )
    picture = made.picture
    return reports.add(
        connection,
        reports.NewReport(
            study_id=query.id,
            revision=query.revision,
            series_instance_uid=made.report.SeriesInstanceUID,
            sop_class_uid=made.report.SOPClassUID,
            sop_instance_uid=made.report.SOPInstanceUID,
            dicom=encoded(made.report),
            picture_sop_instance_uid=None if picture is None else str(picture.SOPInstanceUID),
            picture_dicom=None if picture is None else encoded(picture),
            privacy=settings.report.privacy,
        ),
    )


def _pictures(
    connection: Connection, answer: Answer, images: Sequence[NewEmbedding]
) -> pictures.Pictures:
    shown = [answer.image, *(hit.image for hit in (*answer.hits, *answer.priors))]
    mine = {(i.image.sop_instance_uid, i.image.frame_number): i.picture for i in images}
    return {**mine, **pictures.of_images(connection, shown, space_id=answer.space.id)}


def _case_number(connection: Connection, settings: Settings) -> CaseNumber | None:
    if settings.report.privacy == "identified":
        return None
    key = case_numbers.key_of_archive(connection)
    return partial(case_numbers.case_number, key)


def this_device(uid: str, settings: Settings) -> Device:
    """The device that this node's reports name as their author."""
    return Device(uid=uid, ae_title=settings.dicom.ae_title, software_version=SOFTWARE_VERSION)


def _reference(report: reports.ReportName | None) -> DocumentReference | None:
    if report is None:
        return None
    return DocumentReference(
        study_instance_uid=report.study_instance_uid,
        series_instance_uid=report.series_instance_uid,
        sop_class_uid=report.sop_class_uid,
        sop_instance_uid=report.sop_instance_uid,
    )
