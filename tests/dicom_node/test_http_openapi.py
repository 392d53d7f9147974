"""The description of the HTTP service says what the service does: no route more, none less."""

import json
from http.client import HTTPConnection
from importlib.resources import files
from mimetypes import guess_type
from pathlib import Path
from typing import Any

import pytest
import schemathesis.openapi
from pydantic import TypeAdapter
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import Route

from dicom_node.http.access import NEEDS, STATIC
from dicom_node.http.openapi import openapi
from dicom_node.http.routes import archive_routes
from dicom_node.http.service import HttpService
from dicom_node.settings import HttpSettings
from tests.dicom_node.archive_of_made import settings_of
from tests.dicom_node.http_doors import app_over
from tests.storage.made import NODE


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> Starlette:
    """The whole service."""
    routes = archive_routes(engine, settings_of(tmp_path), node=NODE)
    return app_over(engine, routes, loopback_without_token=True)


def test_every_route_is_described_and_every_description_is_a_route(app: Starlette) -> None:
    served = {
        (route.path, method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {
        (path, method)
        for path, item in openapi()["paths"].items()
        for method in item.keys() - {"parameters"}
    }
    assert served == described
    assert {(path, method.lower()) for method, path in NEEDS} == described


def test_the_description_is_openapi_as_schemathesis_judges_it() -> None:
    schemathesis.openapi.from_dict(openapi()).validate()


def test_each_file_of_the_page_is_of_a_kind_that_is_described() -> None:
    kinds = openapi()["paths"][STATIC]["get"]["responses"]["200"]["content"]
    served = {guess_type(file.name)[0] for file in (files("dicom_node.http") / "static").iterdir()}
    assert served == set(kinds)


def test_every_reference_is_to_a_schema_that_is_there() -> None:
    document = openapi()
    names = document["components"]["schemas"].keys()
    used = {reference.rsplit("/", 1)[1] for reference in _references(document)}
    assert used == names


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []


def test_the_description_is_served(app: Starlette, free_port: int) -> None:
    with HttpService(HttpSettings(port=free_port), app):
        connection = HTTPConnection("127.0.0.1", free_port, timeout=10)
        connection.request("GET", "/openapi.json")
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/json"
        found = TypeAdapter(dict[str, Any]).validate_json(response.read())
        connection.close()
    assert found == json.loads(json.dumps(openapi()))
    assert found["openapi"] == "3.1.0"
