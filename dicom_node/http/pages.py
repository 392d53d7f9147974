"""The page that a radiologist sees: a study, the studies like it, or why there are none."""

from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy import Engine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dicom_node.http import pages_states as states
from dicom_node.http.access import PAGE, STATIC
from dicom_node.http.blocking import Threads
from dicom_node.http.caller import caller_of
from dicom_node.http.pages_asking import Asking, asking_of
from dicom_node.http.pages_facets import RecentFacets
from dicom_node.http.pages_paper import Paper, sheet
from dicom_node.http.pages_report import PageReports
from dicom_node.http.pages_states import StatePage
from dicom_node.http.pages_static import StaticFiles
from dicom_node.http.pages_view import AnswerPage, answer_page
from dicom_node.http.requests import study_uid
from dicom_node.reporting import Reporting, UnknownStudyError
from dicom_node.settings import Settings
from dicom_node.similar import Similar
from storage import embeddings, feedback
from storage.answer import Answer
from storage.search import SearchError
from storage.studies import StudyState


def page_routes(
    similar: Similar,
    engine: Engine,
    settings: Settings,
    *,
    reporting: Reporting,
    patience_s: float = 20.0,
) -> list[Route]:
    """The routes of the page and of the files that it refers to.

    ``reporting`` tells whether there is a report; a reader waits ``patience_s`` for an answer.
    """
    static = StaticFiles()
    door = _PageDoor(
        _Source(similar, engine, RecentFacets(engine), PageReports(reporting, settings)),
        Paper(settings.page, static),
        Threads("the page", threads=4, patience_s=patience_s),
    )
    return [
        Route(PAGE, door.page, methods=["GET"]),
        Route(STATIC, static.file, methods=["GET"]),
    ]


@dataclass(frozen=True)
class _Source:
    """Where a page has its content from: the search, and what is kept beside it."""

    similar: Similar
    engine: Engine
    facets: RecentFacets
    reports: PageReports

    def page(self, uid: str, asking: Asking, asked_by: str) -> AnswerPage | StatePage:
        """The answer, or why there is none."""
        try:
            found = self.similar.ask(uid, asked_by=asked_by, wish=asking.wish)
            if isinstance(found, StudyState):
                return states.not_indexed(found)
            return self._answered(found, asking, asked_by)
        except UnknownStudyError:
            return states.unknown(uid, has_viewer=asking.has_viewer)
        except SearchError as fault:
            return states.cannot_be_asked(str(fault))

    def _answered(self, answer: Answer, asking: Asking, asked_by: str) -> AnswerPage:
        uid, space = answer.query.study_instance_uid, answer.space.id
        report = self.reports.on(uid, asking)
        with self.engine.connect() as connection:
            groups = embeddings.groups_of_study(
                connection, space_id=space, study_id=answer.query.id
            )
            verdicts = feedback.on_hits_of(connection, uid, given_by=asked_by)
        facets = self.facets.of(space, groups)
        return answer_page(answer, asking, facets=facets, verdicts=verdicts, report=report)


class _PageDoor:
    def __init__(self, source: _Source, paper: Paper, threads: Threads) -> None:
        self._source = source
        self._paper = paper
        self._threads = threads

    async def page(self, request: Request) -> Response:
        """GET of a study's page; what goes wrong is told as a page, too."""
        try:
            uid = study_uid(request)
            asking = asking_of(request, uid)
            if isinstance(asking, StatePage):
                return self._paper.state(asking)
            by = caller_of(request).asked_by
            made = await self._threads.run(self._made, uid, asking, by)
        except HTTPException as fault:
            status = HTTPStatus(fault.status_code)
            return self._paper.state(states.refused(status, fault.detail))
        return sheet(made) if isinstance(made, str) else self._paper.state(made)

    def _made(self, uid: str, asking: Asking, asked_by: str) -> str | StatePage:
        page = self._source.page(uid, asking, asked_by)
        return page if isinstance(page, StatePage) else self._paper.answer(page)
