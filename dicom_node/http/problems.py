"""Errors as problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """A problem document; ``more`` are its extension members (RFC 9457 3.2).

    Its type is "about:blank", so that the title is the status's own phrase (RFC 9457 4.2.1).
    """
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        **more,
    }
    return JSONResponse(
        document,
        status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type="application/problem+json",
    )


_DETAILS = {
    HTTPStatus.NOT_FOUND: "There is nothing at this path.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path does not take this method.",
}


async def refused(_request: Request, fault: Exception) -> Response:
    """What the router or a route refused."""
    if not isinstance(fault, HTTPException):
        return await failed(_request, fault)
    status = HTTPStatus(fault.status_code)
    detail = fault.detail if fault.detail != status.phrase else _DETAILS.get(status, "")
    return problem(status, detail, headers=fault.headers)


async def failed(_request: Request, _fault: Exception) -> Response:
    """A fault of ours: the server logs its traceback, the caller learns nothing of the inside."""
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "The node's log says what went wrong at this time."
    )
