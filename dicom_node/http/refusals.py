"""What routes raise for a reason that the caller can do something about, as problem documents."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from dicom_node.http.problems import problem
from dicom_node.report.filing import ReportError
from dicom_node.reporting import NoPictureError, UnknownPeerError, UnknownStudyError
from storage.feedback import FeedbackError
from storage.search import NoSuchStudyError, SearchError, WishError

Endpoint = Callable[[Request], Awaitable[Response]]

REFUSALS: dict[type[Exception], HTTPStatus] = {
    UnknownStudyError: HTTPStatus.NOT_FOUND,  # before SearchError, which it is as well
    NoPictureError: HTTPStatus.NOT_FOUND,
    FeedbackError: HTTPStatus.NOT_FOUND,
    UnknownPeerError: HTTPStatus.UNPROCESSABLE_ENTITY,
    NoSuchStudyError: HTTPStatus.NOT_FOUND,
    WishError: HTTPStatus.UNPROCESSABLE_ENTITY,
    SearchError: HTTPStatus.CONFLICT,
    ReportError: HTTPStatus.CONFLICT,
}


def refusals_told(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with a problem document for what it raises of ``REFUSALS``."""

    async def told(request: Request) -> Response:
        try:
            return await endpoint(request)
        except tuple(REFUSALS) as fault:
            status = next(code for kind, code in REFUSALS.items() if isinstance(fault, kind))
            return problem(status, str(fault))

    return told
