"""The routes of a study's labels: had with their sources, and one source's word replaced."""

import logging
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dicom_node.http.access import STUDY
from dicom_node.http.asked import MOST_CHARACTERS
from dicom_node.http.blocking import Threads
from dicom_node.http.caller import caller_of
from dicom_node.http.disclosure import PRIVATE, log_disclosure
from dicom_node.http.refusals import refusals_told
from dicom_node.http.requests import read_body, study_uid
from dicom_node.reporting import UnknownStudyError
from storage import label_words
from storage.answer import Label
from storage.label_words import LabelWord

log = logging.getLogger(__name__)

LABELS_PATH = f"{STUDY}/labels"
MOST_LABELS = 200


def _plain(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("takes printable characters, without blanks around them")
    return text


Word = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS), AfterValidator(_plain)]


class SaidLabel(BaseModel):
    """A finding: present (1), absent (0) or uncertain (-1); its code and coding scheme, or none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Word
    value: int = Field(default=1, ge=-1, le=1)
    code: Word | None = None
    scheme: Word | None = None

    @model_validator(mode="after")
    def _code_of_a_scheme(self) -> Self:
        if (self.code is None) != (self.scheme is None):
            raise ValueError("a code needs its scheme, such as SCT, and a scheme its code")
        return self


class SaidLabels(BaseModel):
    """All that a caller says of a study, in place of what it said before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: list[SaidLabel] = Field(max_length=MOST_LABELS)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [label.name for label in self.labels]
        if len(names) != len(set(names)):
            raise ValueError("labels: a name is given twice")
        return self


def label_routes(engine: Engine, *, patience_s: float = 10.0) -> list[Route]:
    """The routes; a caller waits ``patience_s`` seconds."""
    threads = Threads("labels", threads=2, patience_s=patience_s)

    async def labels(request: Request) -> Response:
        uid = study_uid(request)
        if request.method == "PUT":
            said, source = await read_body(request, SaidLabels), caller_of(request).door
            await threads.run(_replace, engine, uid, said, source)
            log.info("labels on study %s set over HTTP by %s", uid, caller_of(request).asked_by)
        found = await threads.run(_on_study, engine, uid)
        log_disclosure(request, uid, "labels")
        told = {"study_instance_uid": uid, "labels": [_json(word) for word in found]}
        return JSONResponse(told, headers=PRIVATE)

    return [Route(LABELS_PATH, refusals_told(labels), methods=["GET", "PUT"])]


def _replace(engine: Engine, uid: str, said: SaidLabels, source: str) -> None:
    words = [Label(word.name, word.value, word.code, word.scheme) for word in said.labels]
    with engine.begin() as connection:
        if not label_words.replace(connection, uid, words, source=source):
            raise UnknownStudyError(uid)


def _on_study(engine: Engine, uid: str) -> list[LabelWord]:
    with engine.connect() as connection:
        found = label_words.on_study(connection, uid)
    if found is None:
        raise UnknownStudyError(uid)
    return found


def _json(word: LabelWord) -> dict[str, Any]:
    label = word.label
    told = {
        "name": label.name,
        "value": label.value,
        "code": label.code,
        "scheme": label.scheme,
        "source": word.source,
    }
    if word.series_instance_uid:
        told["series_instance_uid"] = word.series_instance_uid
    if word.sop_instance_uid:
        told["sop_instance_uid"] = word.sop_instance_uid
    return told
