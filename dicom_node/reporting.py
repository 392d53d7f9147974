"""Reports on demand: found, made and queued for sending, for the command line and for HTTP."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node import answering, asking
from dicom_node.settings import Settings
from storage import embeddings, reports, studies
from storage.answer import SpaceSummary
from storage.index import VectorIndex
from storage.reports import SendState, StoredReport
from storage.search import SearchError
from storage.studies import StudyState


class UnknownStudyError(SearchError):
    """The archive has no such study."""


class UnknownPeerError(ValueError):
    """Reports cannot be sent there by the settings; the message names the peers that can be."""


class NoPictureError(Exception):
    """A report has no picture, or not any more; the message says why."""


def picture_of(report: StoredReport) -> bytes:
    """The picture of a report, as a DICOM file.

    Raises:
        NoPictureError: there is none.
    """
    if report.picture_dicom is not None:
        return report.picture_dicom
    if report.picture_sop_instance_uid is None:
        raise NoPictureError(
            "the report was made without a picture: report.picture was false in the settings"
        )
    raise NoPictureError(
        "the report's picture was removed, by report.keep_pictures_days in the settings; "
        "a new report has one again"
    )


@dataclass(frozen=True)
class Standing:
    """Where a study stands, and the report on it as it now is, if that was made.

    ``report`` is None, too, while the study is waited for: what was said of it earlier is about
    to be revised. ``is_new`` says that the report was made for this very question.
    """

    study: StudyState
    report: StoredReport | None = None
    is_new: bool = False

    @property
    def is_awaited(self) -> bool:
        """True while images still come, or wait for the worker."""
        return self.study.state in {"open", "queued"}

    def why_no_report(self) -> str:
        """Why there is none now, and what to do."""
        uid, state = self.study.study_instance_uid, self.study.state
        if self.is_awaited:
            return f"study {uid} is {state}: it is not indexed yet"
        if state == "failed":
            return f"study {uid} failed: {self.study.reason}; `likeness retry {uid}` tries again"
        return f"no report was made yet on study {uid} as it now is"


class Reporting:
    """Finds and makes reports; it may be used by several threads at once.

    The index is kept from one question to the next, beside its owner's, and caught up for each.
    """

    def __init__(self, engine: Engine, settings: Settings, *, node: str) -> None:
        self._engine = engine
        self._settings = settings
        self._node = node
        self._index: VectorIndex | None = None
        self._one_question = threading.Lock()  # FAISS must not be written while it is searched

    def newest(self, study_uid: str) -> Standing:
        """Where a study stands, with the report on its current revision.

        Raises:
            UnknownStudyError: it is not here.
        """
        with self._engine.connect() as connection:
            return _standing(connection, study_uid)

    def make(self, study_uid: str, *, asked_by: str, again: bool = False) -> Standing:
        """The report on a study: the one that was made; a new one without it, or if ``again``.

        A new one names the one before it as its predecessor. There is none on a study that is
        awaited or failed.

        Raises:
            UnknownStudyError: the study is not here.
            SearchError: it cannot be asked with; the message says why.
            ReportError: the answer cannot be put in a report.
        """
        with self._one_question, self._engine.begin() as connection:
            standing = _standing(connection, study_uid)
            if _is_settled(standing, again=again):
                return standing
            return self._make(connection, standing, asked_by=asked_by, again=again)

    def _make(
        self, connection: Connection, standing: Standing, *, asked_by: str, again: bool
    ) -> Standing:
        space = asking.space_in_use(connection)
        study_id = standing.study.id
        answer = answering.ask(
            connection,
            self._caught_up(connection, space),
            study_id,
            space=space,
            settings=self._settings,
            asked_by=asked_by,
        )
        # A search may take seconds, and intake must not wait for it: only now is the study held.
        reports.hold_study(connection, study_id)
        standing = _standing(connection, standing.study.study_instance_uid)
        if _is_settled(standing, again=again):
            return standing
        row = answering.keep_report(
            connection,
            answer,
            revision=standing.study.revision,
            device_uid=self._node,
            settings=self._settings,
        )
        return Standing(standing.study, reports.load(connection, row), is_new=True)

    def _caught_up(self, connection: Connection, space: SpaceSummary) -> VectorIndex:
        index = self._index
        if (
            index is None
            or index.space_id != space.id
            or index.watermark > embeddings.last_change(connection)  # the database was restored
        ):
            self._index = None  # never two of them in memory
            index = asking.read_only_index(connection, self._settings, space)
        else:
            index.catch_up(connection)
        self._index = index
        return index

    def receivers(self, names: Collection[str] | None) -> list[str]:
        """The peers to send to: those named, else those that get every report by the settings.

        Raises:
            UnknownPeerError: the settings have no such peer, or no address of it.
        """
        chosen = self._settings.report.send_to if names is None else names
        reachable = [peer.name for peer in self._settings.peers if peer.has_address]
        for name in chosen:
            if name not in reachable:
                known = ", ".join(reachable) or "none"
                raise UnknownPeerError(
                    f"the settings name no peer {name!r} with host and port; known: {known}"
                )
        return list(dict.fromkeys(chosen))

    def send(self, report: StoredReport, peers: Sequence[str]) -> list[SendState]:
        """Queues a report for peers, for this node to send; returns all its sends.

        To a peer that has it already it goes again.
        """
        with self._engine.begin() as connection:
            for peer in peers:
                reports.send_to(connection, report.id, peer=peer, node=self._node)
            return reports.sends_of(connection, report.id)

    def sends(self, report: StoredReport) -> list[SendState]:
        """What became of the sends of a report."""
        with self._engine.connect() as connection:
            return reports.sends_of(connection, report.id)


def _standing(connection: Connection, study_uid: str) -> Standing:
    study = studies.state_of(connection, study_uid)
    if study is None:
        raise UnknownStudyError(f"study {study_uid} is not in this archive")
    standing = Standing(study)
    report = None if standing.is_awaited else reports.latest(connection, study.id)
    is_current = report is not None and report.revision == study.revision
    return Standing(study, report) if is_current else standing


def _is_settled(standing: Standing, *, again: bool) -> bool:
    """True if there is nothing to make."""
    if standing.is_awaited or standing.study.state == "failed":
        return True
    return standing.report is not None and not again
