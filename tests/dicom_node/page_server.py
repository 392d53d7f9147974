"""The page as readers reach it: at a running node, or below a prefix as through Orthanc."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Engine
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dicom_node.http.app import make_app
from dicom_node.http.door import finder
from dicom_node.http.routes import archive_routes
from dicom_node.http.service import HttpService
from dicom_node.settings import HttpSettings, Settings
from tests.storage.made import NODE

PREFIX = "/likeness"
VIEWER = "<!DOCTYPE html><html lang=en><title>viewer</title><body><main><h1>Viewer</h1></main>"


class OrthancsSide:
    """What the plug-in does for the page: a prefix, its header, viewers, sending a study."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.sent: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what the plug-in answers, passes the rest on."""
        path = str(scope["path"])
        answer: ASGIApp = self._app
        if path.startswith(f"{PREFIX}/viewer/"):
            answer = HTMLResponse(VIEWER)
        elif path.startswith(PREFIX) and scope["method"] == "POST" and not _is_json(scope):
            answer = JSONResponse({"detail": "no JSON"}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        elif path.startswith(f"{PREFIX}/forward/"):
            self.sent.append(path.rpartition("/")[2])
            answer = JSONResponse({"state": "waiting", "says": "waiting to be sent"}, 202)
        elif path.startswith(PREFIX):
            scope = _passed_on(scope)
        await answer(scope, receive, send)


def _is_json(scope: Scope) -> bool:
    return Headers(scope=scope).get("content-type") == "application/json"


def _passed_on(scope: Scope) -> Scope:
    """As the node gets it: of a parameter that comes twice Orthanc keeps the last."""
    last = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    query = urlencode([(re.sub(r"\.\d+$", "", name), value) for name, value in last.items()])
    return {
        **scope,
        "path": scope["path"].removeprefix(PREFIX),
        "headers": [*scope["headers"], (b"likeness-door", b"orthanc")],
        "query_string": query.encode(),
    }


def page_app(engine: Engine, settings: Settings) -> ASGIApp:
    """The node's service over a database, the page in it."""
    return make_app(
        alive=dict,
        ready=dict,
        scrape=bytes,
        find_token=finder(engine),
        loopback_without_token=True,
        more=archive_routes(engine, settings, node=NODE),
    )


@contextmanager
def page_service(
    engine: Engine, folder: Path, port: int, **changes: Any
) -> Iterator[tuple[str, OrthancsSide]]:
    """The address of a running service, and the plug-in's stand-in below ``PREFIX``."""
    settings = Settings(**{"data_folder": folder, **changes})
    app = OrthancsSide(page_app(engine, settings))
    with HttpService(HttpSettings(port=port), app):
        yield f"http://127.0.0.1:{port}", app
