"""The routes of reports: had as DICOM, as a picture or as JSON, made and sent by POST."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dicom_node.http.access import STUDY
from dicom_node.http.blocking import RETRY, Threads
from dicom_node.http.caller import caller_of
from dicom_node.http.disclosure import PRIVATE, log_disclosure
from dicom_node.http.problems import problem
from dicom_node.http.refusals import refusals_told
from dicom_node.http.requests import JSON, preferred, read_body, study_uid
from dicom_node.report_facts import as_png, facts
from dicom_node.reporting import Reporting, Standing

DICOM = "application/dicom"
"""PS3.18 8.7.3, RFC 3240."""
PNG = "image/png"
REPORT_PATH = f"{STUDY}/report"
PICTURE_PATH = f"{REPORT_PATH}/picture"

_PRIVATE = {**PRIVATE, "Vary": "Accept"}
_NO_MORE: Mapping[str, str] = MappingProxyType({})


class ReportRequest(BaseModel):
    """What a POST may ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    new: bool = Field(
        default=False,
        description="Make a new report, which names the one before it as its predecessor.",
    )
    peers: list[str] | None = Field(
        default=None,
        max_length=100,
        description="Send it to these peers of the settings, once more to those that have it; "
        "[] to none. Left out: to those of report.send_to that never had it.",
    )


def report_routes(
    reporting: Reporting, *, reading_s: float = 10.0, making_s: float = 60.0
) -> list[Route]:
    """The routes; a caller waits ``reading_s`` for what is there, ``making_s`` for what is made."""
    door = _ReportDoor(
        reporting,
        reading=Threads("reading", threads=4, patience_s=reading_s),
        making=Threads("making a report", threads=1, patience_s=making_s),
    )
    return [
        Route(REPORT_PATH, refusals_told(door.report), methods=["GET", "POST"]),
        Route(PICTURE_PATH, refusals_told(door.picture), methods=["GET"]),
    ]


class _ReportDoor:
    def __init__(self, reporting: Reporting, *, reading: Threads, making: Threads) -> None:
        self._reporting = reporting
        self._reading = reading
        self._making = making

    async def report(self, request: Request) -> Response:
        """GET and POST of a study's report."""
        return await (self._post if request.method == "POST" else self._get)(request)

    async def _get(self, request: Request) -> Response:
        uid, kind = study_uid(request), preferred(request, (DICOM, JSON))
        standing, file = await self._reading.run(self._newest, uid)
        report = standing.report
        if report is None:
            return _none_now(standing)
        if kind == JSON:
            return _told(standing, file)
        log_disclosure(request, uid, report.sop_instance_uid)
        return _file(file or b"", DICOM, f"{report.sop_instance_uid}.dcm")

    async def picture(self, request: Request) -> Response:
        """GET of the picture of a study's report."""
        uid, kind = study_uid(request), preferred(request, (PNG, DICOM))
        standing = await self._reading.run(self._reporting.newest, uid)
        report = standing.report
        if report is None:
            return _none_now(standing)
        picture = await self._reading.run(self._reporting.picture_of, report)
        log_disclosure(request, uid, str(report.picture_sop_instance_uid))
        if kind == DICOM:
            return _file(picture, DICOM, f"{report.picture_sop_instance_uid}.dcm")
        png = await self._reading.run(as_png, picture)
        return _file(png, PNG, f"{report.picture_sop_instance_uid}.png")

    async def _post(self, request: Request) -> Response:
        uid, wish = study_uid(request), await read_body(request, ReportRequest)
        asked_by = caller_of(request).asked_by
        standing, file = await self._making.run(self._make, uid, wish, asked_by)
        if standing.is_awaited:  # nothing remembers what was asked for: it is to be asked again
            detail = f"{standing.why_no_report()}, and no report was made: POST again later"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=RETRY)
        if standing.report is None:
            return _none_now(standing)
        status = HTTPStatus.CREATED if standing.is_new else HTTPStatus.OK
        return _told(standing, file, status, {"Location": REPORT_PATH.format(uid=uid)})

    def _newest(self, uid: str) -> tuple[Standing, bytes | None]:
        return self._with_file(self._reporting.newest(uid))

    def _make(self, uid: str, wish: ReportRequest, asked_by: str) -> tuple[Standing, bytes | None]:
        return self._with_file(
            self._reporting.make(uid, asked_by=asked_by, again=wish.new, peers=wish.peers)
        )

    def _with_file(self, standing: Standing) -> tuple[Standing, bytes | None]:
        report = standing.report
        return standing, None if report is None else self._reporting.file_of(report)


def _none_now(standing: Standing) -> Response:
    """202 while the study is awaited, else what keeps the report from being there."""
    if standing.is_awaited:
        return _told(standing, None, HTTPStatus.ACCEPTED, RETRY)
    if standing.study.state == "failed":
        return problem(HTTPStatus.CONFLICT, standing.why_no_report())
    return problem(HTTPStatus.NOT_FOUND, f"{standing.why_no_report()}: POST makes one")


def _told(
    standing: Standing,
    file: bytes | None,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] = _NO_MORE,
) -> Response:
    return JSONResponse(facts(standing, file), status, {**_PRIVATE, **headers})


def _file(content: bytes, kind: str, name: str) -> Response:
    headers = {**_PRIVATE, "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, headers=headers, media_type=kind)
