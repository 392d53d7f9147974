"""A running HTTP service over a real database, and callers of it with tokens and without."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPMessage
from typing import Any

from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from dicom_node.http.app import make_app
from dicom_node.http.door import finder
from dicom_node.http.service import HttpLimits, HttpService
from dicom_node.settings import HttpSettings
from storage import tokens
from storage.tokens import SCOPES, Scope

JSON = "application/json"
DICOM = "application/dicom"
PROBLEM = "application/problem+json"
METRICS = b"# HELP a b\n# TYPE a gauge\na 1.0\n"


@dataclass(frozen=True)
class Answered:
    """A response."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def kind(self) -> str | None:
        """Its media type."""
        return self.headers.get("Content-Type")

    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)

    def refusal(self) -> tuple[int, str]:
        """The status and detail of a problem document."""
        assert self.kind == PROBLEM, self.body
        document = self.json()
        assert document["status"] == self.status
        return self.status, document["detail"]


@dataclass(frozen=True)
class Door:
    """A running service, asked with a token or, where that is empty, without."""

    port: int
    engine: Engine
    secret: str = ""

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Answered:
        """One request; a header's underscores become hyphens, a body that is no bytes JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.secret:
            sent = {"Authorization": f"Bearer {self.secret}", **sent}
        if content is not None:
            sent = {"Content-Type": JSON, **sent}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, content, sent)
        response = connection.getresponse()
        found = Answered(response.status, response.headers, response.read())
        connection.close()
        return found

    def with_token(self, name: str, *scopes: Scope) -> "Door":
        """The same service, asked with a new token."""
        return replace(self, secret=make_token(self.engine, name, *scopes))

    def asked_by(self) -> list[str]:
        """Who asked, by the audit, in the order of the questions."""
        with self.engine.connect() as connection:
            return list(connection.scalars(text("SELECT asked_by FROM queries ORDER BY id")))


def make_token(engine: Engine, name: str, *scopes: Scope) -> str:
    """The secret of a new token with these scopes, all if none is named."""
    with engine.begin() as connection:
        return tokens.create(connection, name, scopes or SCOPES)


def well() -> Mapping[str, str]:
    """Nothing is missing."""
    return {}


def app_over(
    engine: Engine, routes: Sequence[BaseRoute], *, loopback_without_token: bool = False
) -> Starlette:
    """The application with these routes, and the tokens of the database."""
    return make_app(
        alive=well,
        ready=well,
        scrape=lambda: METRICS,
        find_token=finder(engine),
        loopback_without_token=loopback_without_token,
        more=routes,
    )


@contextmanager
def running(
    engine: Engine,
    port: int,
    routes: Sequence[BaseRoute],
    *,
    loopback_without_token: bool = False,
    settings: HttpSettings | None = None,
) -> Iterator[Door]:
    """The service, for as long as the block lasts; the door shows no token."""
    app = app_over(engine, routes, loopback_without_token=loopback_without_token)
    with HttpService(settings or HttpSettings(port=port), app, HttpLimits(idle_s=2)):
        yield Door(port, engine)
