"""What a request may look like: its UIDs, what it accepts, where it comes from, its body."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dicom_node.http.problems import problem

MOST_BODY_BYTES = 65_536
JSON = "application/json"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110 9.2.1: they change nothing."""

Body = TypeVar("Body", bound=BaseModel)


def study_uid(request: Request) -> str:
    """The Study Instance UID in the path.

    Its length and characters are those of PS3.5 9.1. Components with leading zeros pass, because
    studies with such UIDs are received, too.

    Raises:
        HTTPException: 400, it is no UID.
    """
    uid = str(request.path_params["uid"])
    if not is_uid(uid):
        raise HTTPException(
            HTTPStatus.BAD_REQUEST,
            "The path names no Study Instance UID: up to 64 digits and dots (PS3.5 9.1).",
        )
    return uid


def is_uid(text: str) -> bool:
    """Whether a text may be a UID as studies come with them."""
    return re.fullmatch(r"[0-9.]{1,64}", text) is not None


def preferred(request: Request, offers: Sequence[str]) -> str:
    """The media type that the caller prefers (RFC 9110 12.5.1), the first where it is all one.

    Raises:
        HTTPException: 406, the caller accepts none of the offers.
    """
    accept = ",".join(request.headers.getlist("accept")) or "*/*"
    weights = dict(_range(part) for part in accept.split(",") if part.strip())
    best = max(offers, key=lambda offer: _weight(offer, weights))
    if _weight(best, weights) <= 0:
        raise HTTPException(
            HTTPStatus.NOT_ACCEPTABLE, f"This is served as {' or '.join(offers)} only."
        )
    return best


def _range(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    text = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
    return media, float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text) else 0.0


def _weight(offer: str, weights: dict[str, float]) -> float:
    """By the most specific range that takes the offer."""
    ranges = (offer, offer.split("/", maxsplit=1)[0] + "/*", "*/*")
    return next((weights[name] for name in ranges if name in weights), 0.0)


async def read_body(request: Request, model: type[Body]) -> Body:
    """The JSON body by its model; no body says the same as an empty object.

    Raises:
        HTTPException: 415 it is no JSON by its type, 413 too long, 400 malformed, 422 not what
            is asked for.
    """
    content = await _bounded(request)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content and kind != JSON:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the body as Content-Type: {JSON}."
        )
    try:
        return model.model_validate_json(content or b"{}", strict=True)
    except ValidationError as fault:
        faults = fault.errors(include_url=False, include_context=False, include_input=False)
        malformed = faults[0]["type"] == "json_invalid"
        told = "; ".join(_fault(f["loc"], f["msg"]) for f in faults)
        status = HTTPStatus.BAD_REQUEST if malformed else HTTPStatus.UNPROCESSABLE_ENTITY
        raise HTTPException(status, told) from fault


def _fault(where: tuple[int | str, ...], what: str) -> str:
    path = "/".join(str(step) for step in where)
    return f"{path}: {what}" if path else what


async def _bounded(request: Request) -> bytes:
    """The body, of which no more is kept than may come, whatever length it claims."""
    too_long = HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has {MOST_BODY_BYTES} bytes at most."
    )
    if int(request.headers.get("content-length", 0)) > MOST_BODY_BYTES:
        raise too_long
    content = bytearray()
    try:
        async for piece in request.stream():
            content += piece
            if len(content) > MOST_BODY_BYTES:
                raise too_long
    except ClientDisconnect as fault:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The body is cut off.") from fault
    return bytes(content)


class OwnPagesOnly:
    """Takes nothing that changes something from a web page that another host served.

    A browser lets any page send a request anywhere, though it does not show it the answer. It
    says so: by Sec-Fetch-Site (Fetch Metadata), and with every POST by Origin (RFC 6454 7). What
    is no browser sends neither.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers 403."""
        answer: ASGIApp = self._app
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS:
            headers = Headers(scope=scope)
            if not (_fetched_by_us(headers) and _of_our_origin(headers)):
                answer = problem(
                    HTTPStatus.FORBIDDEN,
                    "A web page of another origin asks for this; only this service's own may.",
                )
        await answer(scope, receive, send)


def _fetched_by_us(headers: Headers) -> bool:
    """ "none" is what the user does by himself, such as typing an address."""
    return headers.get("sec-fetch-site", "none") in {"same-origin", "none"}


def _of_our_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    except ValueError:
        return False
