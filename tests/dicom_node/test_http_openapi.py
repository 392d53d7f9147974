"""The description of the HTTP service says what the service does: no route more, none less."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import Route

from dicom_node.http.app import make_app
from dicom_node.http.openapi import openapi
from dicom_node.http.reports import report_routes
from dicom_node.http.service import HttpService
from dicom_node.settings import HttpSettings
from tests.dicom_node.archive_of_made import reporting_of


def _well() -> Mapping[str, str]:
    return {}


def _app(engine: Engine, folder: Path) -> Starlette:
    routes = report_routes(reporting_of(engine, folder))
    return make_app(alive=_well, ready=_well, scrape=lambda: b"", more=routes)


def test_every_route_is_described_and_every_description_is_a_route(
    engine: Engine, tmp_path: Path
) -> None:
    served = {
        (route.path, method.lower())
        for route in _app(engine, tmp_path).routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {
        (path, method)
        for path, item in openapi()["paths"].items()
        for method in item.keys() - {"parameters"}
    }
    assert served == described


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


def test_the_description_is_served(engine: Engine, tmp_path: Path, free_port: int) -> None:
    with HttpService(HttpSettings(port=free_port), _app(engine, tmp_path)):
        connection = HTTPConnection("127.0.0.1", free_port, timeout=10)
        connection.request("GET", "/openapi.json")
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/json"
        found = TypeAdapter(dict[str, Any]).validate_json(response.read())
        connection.close()
    assert found == json.loads(json.dumps(openapi()))
    assert found["openapi"] == "3.1.0"
