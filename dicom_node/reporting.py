"""Reports on demand: found, made and queued for sending, for the command line and for HTTP."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node import answering, asking
from dicom_node.report.privacy import may_be_told
from dicom_node.settings import Settings
from dicom_node.shared_index import SharedIndex
from storage import reports, studies
from storage.answer import Answer
from storage.reports import ReportName, SendState
from storage.search import SearchError
from storage.studies import StudyState

PICTURE_GONE = (
    "the report's picture was removed, by report.keep_pictures_days in the settings; "
    "a new report has one again"
)


class UnknownStudyError(SearchError):
    """The archive has no such study."""

    def __init__(self, study_uid: str) -> None:
        super().__init__(f"study {study_uid} is not in this archive")


class UnknownPeerError(ValueError):
    """Reports cannot be sent there by the settings; the message names the peers that can be."""


class NoPictureError(Exception):
    """A report has no picture, or not any more; the message says why."""


@dataclass(frozen=True)
class Standing:
    """Where a study stands, and the report on it as it now is, if that was made.

    ``report`` is None, too, while the study is waited for: what was said of it earlier is about
    to be revised. ``is_new`` says that the report was made for this very question, and ``sends``
    what became of it on its way to peers.
    """

    study: StudyState
    report: ReportName | None = None
    is_new: bool = False
    sends: Sequence[SendState] = ()

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
    """Finds and makes reports; it may be used by several threads at once."""

    def __init__(
        self, engine: Engine, settings: Settings, *, node: str, index: SharedIndex | None = None
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._node = node
        self._index = index or SharedIndex(settings)

    def newest(self, study_uid: str) -> Standing:
        """Where a study stands, with the report on its current revision.

        Raises:
            UnknownStudyError: it is not here.
        """
        with self._engine.connect() as connection:
            return self._with_sends(connection, self._standing(connection, study_uid))

    def make(
        self,
        study_uid: str,
        *,
        asked_by: str,
        again: bool = False,
        peers: Collection[str] | None = (),
    ) -> Standing:
        """The report on a study: the one that was made; a new one without it, or if ``again``.

        A new one names the one before it as its predecessor. There is none on a study that is
        awaited or failed.

        In the same transaction it is queued for ``peers``, again for one that has it already;
        None means those of ``report.send_to`` that never had it.

        Raises:
            UnknownPeerError: the settings have no such peer, or no address of it.
            UnknownStudyError: the study is not here.
            SearchError: it cannot be asked with; the message says why.
            ReportError: the answer cannot be put in a report.
        """
        receivers = self.receivers(peers)  # before a report is made for nothing
        with self._engine.begin() as connection:
            standing = self._standing(connection, study_uid)
            if not _is_settled(standing, again=again):
                standing = self._make(connection, standing, asked_by=asked_by, again=again)
            if standing.report is not None:
                self._queue(connection, standing.report, receivers, again=peers is not None)
            return self._with_sends(connection, standing)

    def _make(
        self, connection: Connection, standing: Standing, *, asked_by: str, again: bool
    ) -> Standing:
        study = standing.study
        answer = self._ask(connection, study.id, asked_by=asked_by)
        # A search may take seconds, and intake must not wait for it: only now is the study held.
        reports.hold_study(connection, study.id)
        standing = self._standing(connection, study.study_instance_uid)
        if _is_settled(standing, again=again):
            return standing
        if not self._keep(connection, answer):
            # It was another patient's, or another revision, when it was asked with. Now that it
            # is held it stays what it is.
            self._keep(connection, self._ask(connection, study.id, asked_by=asked_by))
        return replace(self._standing(connection, study.study_instance_uid), is_new=True)

    def _ask(self, connection: Connection, study_id: int, *, asked_by: str) -> Answer:
        space = asking.space_in_use(connection)
        return answering.ask(
            connection,
            self._index.of(connection, space),
            study_id,
            space=space,
            settings=self._settings,
            asked_by=asked_by,
        )

    def _keep(self, connection: Connection, answer: Answer) -> bool:
        kept = answering.keep_report(
            connection, answer, device_uid=self._node, settings=self._settings
        )
        return kept is not None

    def _standing(self, connection: Connection, study_uid: str) -> Standing:
        study = studies.state_of(connection, study_uid)
        if study is None:
            raise UnknownStudyError(study_uid)
        standing = Standing(study)
        report = None if standing.is_awaited else reports.latest(connection, study.id)
        if report is None or report.revision != study.revision:
            return standing
        allowed = may_be_told(report.privacy, self._settings.report.privacy)
        return Standing(study, report) if allowed else standing

    def _with_sends(self, connection: Connection, standing: Standing) -> Standing:
        report = standing.report
        if report is None:
            return standing
        return replace(standing, sends=reports.sends_of(connection, report.id))

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

    def send(self, standing: Standing, peers: Sequence[str]) -> Standing:
        """Queues a report that is there for peers, for this node to send.

        To a peer that has it already it goes again.
        """
        if standing.report is None:
            return standing
        with self._engine.begin() as connection:
            self._queue(connection, standing.report, peers, again=True)
            return self._with_sends(connection, standing)

    def _queue(
        self, connection: Connection, report: ReportName, peers: Sequence[str], *, again: bool
    ) -> None:
        for peer in peers:
            reports.send_to(connection, report.id, peer=peer, node=self._node, again=again)

    def file_of(self, report: ReportName) -> bytes:
        """The report, as a DICOM file.

        Raises:
            UnknownStudyError: the report went with its study.
        """
        with self._engine.connect() as connection:
            file = reports.file_of(connection, report.id)
        if file is None:
            raise UnknownStudyError(report.study_instance_uid)
        return file

    def picture_of(self, report: ReportName) -> bytes:
        """The picture of a report, as a DICOM file.

        Raises:
            NoPictureError: there is none.
        """
        if report.picture_sop_instance_uid is None:
            raise NoPictureError(
                "the report was made without a picture: report.picture was false in the settings"
            )
        with self._engine.connect() as connection:
            picture = reports.picture_of(connection, report.id)
        if picture is None:
            raise NoPictureError(PICTURE_GONE)
        return picture


def _is_settled(standing: Standing, *, again: bool) -> bool:
    """True if there is nothing to make."""
    if standing.is_awaited or standing.study.state == "failed":
        return True
    return standing.report is not None and not again
