# SPDX-License-Identifier: AGPL-3.0-or-later
"""Requests that change something are taken from Orthanc's own pages and from programs only.

A browser sends the user's password for Orthanc along with whatever any web page asks of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from orthanc_plugin.exchange import Answer, Request
from orthanc_plugin.notices import notice

JSON = "application/json"


def refused(request: Request) -> Answer | None:
    """The answer to a request that must not be passed on; None if it may.

    A type that is not one of a plain form's has a browser ask first whether another origin's page
    may send it (Fetch, CORS-safelisted request-header). It also keeps out links: Orthanc makes a
    POST of a GET that says ``?_method=POST``, and such a request has no type.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != JSON:
        return notice(
            request, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send this with Content-Type: {JSON}."
        )
    if not _is_own(request.headers):
        return notice(
            request, HTTPStatus.FORBIDDEN, "A web page of another origin asks for this; none may."
        )
    return None


def _is_own(headers: Mapping[str, str]) -> bool:
    """By Fetch Metadata where the browser sends it, else by Origin (RFC 6454 7)."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return True  # no browser
    try:
        asked = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    # a proxy before Orthanc may say under which name it was called; a page cannot
    ours = (headers.get("host", ""), headers.get("x-forwarded-host", ""))
    return asked != "" and asked in {name.strip().lower() for name in ours}
