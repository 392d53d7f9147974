"""The route of what readers say of hits."""

from http import HTTPStatus
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dicom_node.http.access import FEEDBACK
from dicom_node.http.asked import MOST_CHARACTERS, MOST_HITS, MOST_VALUES, NAMES
from dicom_node.http.blocking import Threads
from dicom_node.http.caller import caller_of
from dicom_node.http.refusals import refusals_told
from dicom_node.http.requests import read_body
from storage import feedback, spaces
from storage.feedback import Verdict

Uid = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID")]
FilterText = Annotated[
    str, Field(max_length=MOST_VALUES * (MOST_CHARACTERS + 2), pattern=r"^[^\x00]*$")
]


class GivenFeedback(BaseModel):
    """A reader's verdict on a hit, in place of what the same reader said of it before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: Annotated[Uid, Field(description="The study that was asked with.")]
    hit: Annotated[Uid, Field(description="The study that is judged, another than the query.")]
    verdict: Verdict | None = Field(description="null takes back what was said.")
    rank: int | None = Field(default=None, ge=1, le=MOST_HITS, description="The hit's, from 1.")
    filters: dict[str, FilterText] = Field(
        default_factory=dict,
        description="Those of the answer, by the parameters' names.",
    )

    @model_validator(mode="after")
    def _about_an_answer(self) -> Self:
        if self.query == self.hit:
            raise ValueError("no study is a hit of its own")
        if unknown := self.filters.keys() - set(NAMES):
            raise ValueError(f"filters: no such filter: {min(unknown)[:MOST_CHARACTERS]!a}")
        return self


def feedback_routes(engine: Engine, *, writing_s: float = 10.0) -> list[Route]:
    """The route; a caller waits ``writing_s`` seconds."""
    writing = Threads("keeping feedback", threads=2, patience_s=writing_s)

    async def give(request: Request) -> Response:
        given = await read_body(request, GivenFeedback)
        await writing.run(_keep, engine, given, caller_of(request).asked_by)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return [Route(FEEDBACK, refusals_told(give), methods=["POST"])]


def _keep(engine: Engine, given: GivenFeedback, by: str) -> None:
    with engine.begin() as connection:
        if given.verdict is None:
            feedback.take_back(connection, query=given.query, hit=given.hit, given_by=by)
            return
        space = spaces.in_use(connection)
        feedback.give(
            connection,
            query=given.query,
            hit=given.hit,
            verdict=given.verdict,
            given_by=by,
            space_id=None if space is None else space.id,
            rank=given.rank,
            filters=given.filters,
        )
