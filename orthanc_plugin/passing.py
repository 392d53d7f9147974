# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passes a request on to the node, and its answer back: little of either, and no more than that."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import quote, urlencode

from orthanc_plugin.breaker import AWAY_S, AwayError, BusyError
from orthanc_plugin.configuration import Configuration
from orthanc_plugin.exchange import Answer, Request
from orthanc_plugin.node import Node, NodeAnswer, NodeError, SlowError
from orthanc_plugin.notices import notice
from orthanc_plugin.users import user_of

MOST_BODY_BYTES = 65_536
MOST_QUERY_CHARACTERS = 8_192
PROBLEM = "application/problem+json"
"""RFC 9457 6.1."""
REPORT_S = 60.0
"""How long the node may take to make a report, in seconds."""
REPORTS_AT_ONCE = 3
"""The node makes one at a time; those that wait must not keep pages from it."""
_SENT_ON = {"accept": "Accept", "content-type": "Content-Type", "if-none-match": "If-None-Match"}
_ORDINARY = re.compile(r"[ -~]*")
"""What a header may hold: http.client takes Latin-1 only, and no line ends."""
_SENT_BACK = {
    name.lower(): name
    for name in (
        *("Content-Type", "Content-Disposition", "Content-Security-Policy", "Cache-Control"),
        *("ETag", "Retry-After", "Referrer-Policy", "Vary", "Allow"),
        *("Cross-Origin-Resource-Policy", "Cross-Origin-Opener-Policy"),
    )
}


class Passing:
    """Passes requests on; from several threads."""

    def __init__(self, node: Node, configuration: Configuration) -> None:
        self._node = node
        self._set = configuration
        self._reports = threading.BoundedSemaphore(REPORTS_AT_ONCE)

    def ask(self, request: Request, _parts: Mapping[str, str]) -> Answer:
        """The node's answer, or what kept it from one."""
        path = _path(request)
        if len(path) > MOST_QUERY_CHARACTERS:
            return notice(request, HTTPStatus.REQUEST_URI_TOO_LONG, "The query is too long.")
        if len(request.body) > MOST_BODY_BYTES:
            return notice(
                request,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"A body has {MOST_BODY_BYTES} bytes at most.",
            )
        headers = self._headers(request)
        try:
            with self._limit(request) as limit:
                got = self._node.ask(request.method, path, headers, request.body, timeout_s=limit)
        except (NodeError, AwayError, BusyError) as fault:
            return _no_answer(request, fault)
        return _passed_back(request, got)

    @contextmanager
    def _limit(self, request: Request) -> Iterator[float]:
        """How long the node may take, in seconds; 0 for what is configured."""
        if request.method != "POST" or not request.path.endswith("/report"):
            yield 0.0
            return
        if not self._reports.acquire(blocking=False):
            raise BusyError
        try:
            yield max(REPORT_S, self._set.timeout_s)
        finally:
            self._reports.release()

    def _headers(self, request: Request) -> dict[str, str]:
        given = {name: request.headers.get(key, "") for key, name in _SENT_ON.items()}
        headers = {
            name: value for name, value in given.items() if value and _ORDINARY.fullmatch(value)
        }
        user = user_of(request.headers, self._set)
        if user:
            headers["Likeness-User"] = user
        return {**headers, "Likeness-Door": "orthanc"}


def _path(request: Request) -> str:
    """Encoded again, so that nothing of it can be taken for another part of the request."""
    path = "/" + quote(request.path)
    query = urlencode(request.query, errors="replace")
    return f"{path}?{query}" if query else path


def _no_answer(request: Request, fault: Exception) -> Answer:
    if isinstance(fault, BusyError):
        return notice(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Too many requests to the Likeness node are under way.",
            title="The Likeness node is busy",
            retry_after_s=1,
        )
    if isinstance(fault, SlowError):
        return notice(
            request,
            HTTPStatus.GATEWAY_TIMEOUT,
            f"The Likeness node gave {fault}.",
            title="The Likeness node is slow",
            remedy="Try again in a moment. If this lasts, ask whoever looks after the node.",
            retry_after_s=int(AWAY_S),
        )
    return notice(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"The Likeness node cannot be asked: {fault}.",
        title="The Likeness node does not answer",
        remedy="Orthanc itself works as ever, and studies are sent to the node when it is back. "
        "If this lasts, ask whoever looks after the node.",
        retry_after_s=int(AWAY_S),
    )


def _passed_back(request: Request, got: NodeAnswer) -> Answer:
    if got.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        what = "token" if got.status == HTTPStatus.UNAUTHORIZED else "token's scope"
        return notice(
            request,
            HTTPStatus.BAD_GATEWAY,
            f"The Likeness node does not accept the {what} that Orthanc is set up with.",
            title="Orthanc may not ask this of the Likeness node",
            remedy="Whoever looks after Orthanc should check Likeness.Token in its configuration: "
            "it needs the scopes read and feedback, and must not have expired.",
        )
    if 300 <= got.status < 400 and got.status != HTTPStatus.NOT_MODIFIED:
        return notice(
            request,
            HTTPStatus.BAD_GATEWAY,
            "What answers at Likeness.Url sends elsewhere; it is no Likeness node.",
            remedy="Likeness.Url in Orthanc's configuration must be the node's own address.",
        )
    if request.wants_page and got.headers.get("content-type", "").startswith(PROBLEM):
        return _shown(request, got)
    headers = {name: got.headers[key] for key, name in _SENT_BACK.items() if key in got.headers}
    return Answer(got.status, got.body, {**headers, "X-Content-Type-Options": "nosniff"})


def _shown(request: Request, got: NodeAnswer) -> Answer:
    """A problem document of the node's, for a person who asked for a page."""
    try:
        document = json.loads(got.body)
        title, detail = str(document["title"]), str(document["detail"])
        status = HTTPStatus(got.status)
    except (ValueError, TypeError, KeyError):
        status, title, detail = HTTPStatus.BAD_GATEWAY, "", "The Likeness node failed."
    again = int(AWAY_S) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 0
    return notice(request, status, detail, title=f"Likeness: {title}", retry_after_s=again)
