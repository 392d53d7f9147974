# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers of the plug-in's own: a page for people, a problem document (RFC 9457) for programs."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from orthanc_plugin.exchange import Answer, Request

_STYLE = (
    "html{color-scheme:dark;background:#101214;color:#e6e8ea;font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:38rem;margin:12vh auto;padding:0 1.5rem}"
    "h1{font-size:1.4rem;font-weight:600}a{color:#8ec5ff}p{margin:.8rem 0}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PRIVATE = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>{style}</style></head>
<body><main role="alert"><h1>{title}</h1><p>{detail}</p><p>{remedy}</p>{again}</main></body></html>
"""
_AGAIN = '<p><a href="">Try again</a></p>'


def notice(
    request: Request,
    status: HTTPStatus,
    detail: str,
    *,
    title: str = "",
    remedy: str = "",
    retry_after_s: int = 0,
) -> Answer:
    """What is the matter, as a page where a browser asked for one.

    Args:
        request: what is answered.
        status: of the answer.
        detail: what is the matter; plain text.
        title: the same in a few words; the status's own phrase where it is empty.
        remedy: what to do about it; plain text.
        retry_after_s: after how many seconds it may help to ask again; 0 for never.
    """
    title = title or status.phrase
    headers = dict(_PRIVATE)
    if retry_after_s:
        headers["Retry-After"] = str(retry_after_s)
    if request.wants_page:
        headers["Content-Type"] = "text/html; charset=utf-8"
        headers["Content-Security-Policy"] = _POLICY
        return Answer(status, _page(title, detail, remedy, again=retry_after_s > 0), headers)
    document = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    if remedy:
        document["remedy"] = remedy
    headers["Content-Type"] = "application/problem+json"
    return Answer(status, json.dumps(document).encode(), headers)


def as_json(document: Any, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """A JSON document."""
    headers = {**_PRIVATE, "Content-Type": "application/json"}
    return Answer(status, json.dumps(document).encode(), headers)


def redirect(location: str) -> Answer:
    """Sends a browser elsewhere, this time only (RFC 9110 15.4.4)."""
    return Answer(HTTPStatus.SEE_OTHER, b"", {**_PRIVATE, "Location": location})


def _page(title: str, detail: str, remedy: str, *, again: bool) -> bytes:
    return _PAGE.format(
        title=html.escape(title),
        detail=html.escape(detail),
        remedy=html.escape(remedy),
        style=_STYLE,
        again=_AGAIN if again else "",
    ).encode()
