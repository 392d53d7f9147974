"""The routes of the HTTP service, and the door before them."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dicom_node.http.door import FindToken, TokenDoor
from dicom_node.http.openapi import openapi
from dicom_node.http.problems import failed, problem, refused
from dicom_node.http.requests import OwnPagesOnly

Missing = Callable[[], Mapping[str, str]]
"""Names what is missing, and says what is wrong with it; empty if all is well."""

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_NO_STORE = {"Cache-Control": "no-store"}


def make_app(
    *,
    alive: Missing,
    ready: Missing,
    scrape: Callable[[], bytes],
    find_token: FindToken,
    loopback_without_token: bool = False,
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application.

    Args:
        alive: what of the process has died; called in the event loop, so it must not wait.
        ready: what is missing to receive and to answer; it may ask the database.
        scrape: the metrics, in Prometheus' text format 0.0.4.
        find_token: the live token of a secret; it may ask the database.
        loopback_without_token: callers from this machine need no token.
        more: further routes; only those that ``access.NEEDS`` knows can be reached.
    """
    door = Middleware(
        TokenDoor, find_token=find_token, loopback_without_token=loopback_without_token
    )
    app = Starlette(
        routes=[*_own_routes(alive, ready, scrape), *more],
        middleware=[door, Middleware(OwnPagesOnly)],
        exception_handlers={HTTPException: refused, Exception: failed},
    )
    app.router.redirect_slashes = False
    return app


def _own_routes(alive: Missing, ready: Missing, scrape: Callable[[], bytes]) -> list[BaseRoute]:
    async def livez(_request: Request) -> Response:
        return _health(alive())

    async def readyz(_request: Request) -> Response:
        return _health(await run_in_threadpool(ready))

    async def metrics(_request: Request) -> Response:
        text = await run_in_threadpool(scrape)
        return Response(text, headers=_NO_STORE, media_type=PROMETHEUS_TEXT)

    description = openapi()

    async def openapi_json(_request: Request) -> Response:
        return JSONResponse(description)

    return [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi_json),
    ]


def _health(missing: Mapping[str, str]) -> Response:
    if not missing:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "; ".join(f"{part}: {what}" for part, what in missing.items()),
        missing=dict(missing),
    )
