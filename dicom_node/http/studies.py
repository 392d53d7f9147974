"""The routes of a study: where it stands, what is like it, and closing it."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dicom_node.console import answer_json
from dicom_node.http.access import STUDY
from dicom_node.http.asked import asked
from dicom_node.http.blocking import RETRY, Threads
from dicom_node.http.caller import caller_of
from dicom_node.http.disclosure import PRIVATE
from dicom_node.http.problems import problem
from dicom_node.http.refusals import refusals_told
from dicom_node.http.requests import study_uid
from dicom_node.reporting import UnknownStudyError
from dicom_node.similar import Similar
from storage import studies
from storage.answer import Answer
from storage.search import Wish
from storage.studies import StudyState

log = logging.getLogger(__name__)


def study_routes(
    engine: Engine, similar: Similar, *, reading_s: float = 10.0, searching_s: float = 30.0
) -> list[Route]:
    """The routes; a caller waits ``reading_s`` for a state, ``searching_s`` for an answer."""
    door = _StudyDoor(
        engine,
        similar,
        reading=Threads("reading a state", threads=2, patience_s=reading_s),
        searching=Threads("searching", threads=2, patience_s=searching_s),
    )
    return [
        Route(STUDY, refusals_told(door.state), methods=["GET"]),
        Route(f"{STUDY}/similar", refusals_told(door.similar), methods=["GET"]),
        Route(f"{STUDY}/close", refusals_told(door.close), methods=["POST"]),
    ]


class _StudyDoor:
    def __init__(
        self, engine: Engine, similar: Similar, *, reading: Threads, searching: Threads
    ) -> None:
        self._engine = engine
        self._similar = similar
        self._reading = reading
        self._searching = searching

    async def state(self, request: Request) -> Response:
        """GET of where a study stands."""
        state = await self._reading.run(self._similar.state, study_uid(request))
        return JSONResponse(state_json(state), headers=PRIVATE)

    async def similar(self, request: Request) -> Response:
        """GET of the answer; 202 while the study is awaited."""
        uid, question = study_uid(request), asked(request)
        caller = caller_of(request).asked_by
        found = await self._searching.run(self._ask, uid, question, caller)
        if isinstance(found, StudyState):
            return not_indexed(found)
        told = answer_json(found) | {"filters": dict(found.filters)}
        return JSONResponse(told, headers=PRIVATE)

    def _ask(self, uid: str, question: Wish, asked_by: str) -> Answer | StudyState:
        return self._similar.ask(uid, asked_by=asked_by, wish=question)

    async def close(self, request: Request) -> Response:
        """POST that closes an open study."""
        uid = study_uid(request)
        was_open, state = await self._reading.run(self._close, uid)
        if not was_open:
            return problem(HTTPStatus.CONFLICT, f"study {uid} is not open, but {state.state}")
        log.info("study %s closed over HTTP by %s", uid, caller_of(request).asked_by)
        return JSONResponse(state_json(state), headers=PRIVATE)

    def _close(self, uid: str) -> tuple[bool, StudyState]:
        with self._engine.begin() as connection:
            was_open = studies.close_now(connection, uid)
            state = studies.state_of(connection, uid)
        if state is None:
            raise UnknownStudyError(uid)
        return was_open, state


def state_json(state: StudyState) -> Mapping[str, Any]:
    """A study's state, in the form that the service promises."""
    return {
        "study_instance_uid": state.study_instance_uid,
        "state": state.state,
        "reason": state.reason,
        "revision": state.revision,
    }


def not_indexed(state: StudyState) -> Response:
    """What is answered instead of an answer: 202 while the study is awaited, 409 if it failed."""
    if state.state != "failed":
        return JSONResponse(state_json(state), HTTPStatus.ACCEPTED, {**PRIVATE, **RETRY})
    uid = state.study_instance_uid
    return problem(
        HTTPStatus.CONFLICT,
        f"study {uid} failed: {state.reason}; `likeness retry {uid}` tries again",
    )
