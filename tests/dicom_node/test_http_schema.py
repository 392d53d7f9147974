"""Requests made from our own description by schemathesis: no server error, and answers as told."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis.openapi
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy, one_of
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Engine

from dicom_node.http.openapi import openapi
from dicom_node.http.routes import archive_routes
from tests.dicom_node.archive_of_made import STUDIES, made_archive, set_state, settings_of
from tests.dicom_node.http_doors import Door, running
from tests.storage.made import NODE, add_study, space, unit

OPEN, FAILED = "1.2.8", "1.2.9"
EXAMPLES = 100
"""For each operation; all of them together take under a minute."""
FEEDBACK = {"query": STUDIES[0], "hit": STUDIES[1], "verdict": "similar"}
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DESCRIPTION = schemathesis.openapi.from_dict(openapi())
OPERATIONS = {
    (method, path): DESCRIPTION[path][method]
    for path, item in openapi()["paths"].items()
    for method in item.keys() - {"parameters"}
}


@pytest.fixture
def door(engine: Engine, tmp_path: Path, free_port: int) -> Iterator[Door]:
    """The whole service over studies in several states, asked by who may do everything."""
    made_archive(engine, tmp_path)
    with engine.begin() as connection:
        for uid, state in ((OPEN, "open"), (FAILED, "failed")):
            add_study(connection, space(), uid, [unit(1, 0, 1, 0)])
            set_state(connection, uid, state, reason="no image" if state == "failed" else None)
    routes = archive_routes(engine, settings_of(tmp_path), node=NODE)
    with running(engine, free_port, routes) as opened:
        yield opened.with_token("tester")


def _cases(method: str, path: str) -> SearchStrategy[Any]:
    """Good requests and bad ones, about studies that there are and others."""
    operation = OPERATIONS[method, path]
    known: list[Mapping[str, Any] | None] = [None]
    if "{name}" in path:
        known.append({"name": "page.css"})
    if "{uid}" in path:
        known += [{"uid": uid} for uid in (STUDIES[0], STUDIES[1], OPEN, FAILED)]
    modes = [GenerationMode.POSITIVE]
    if operation.definition.raw["security"]:  # else it has nothing that could be wrong
        modes.append(GenerationMode.NEGATIVE)
    strategies: list[SearchStrategy[Any]] = [
        operation.as_strategy(mode, path_parameters=None if given is None else dict(given))
        for given in known
        for mode in modes
    ]
    if path == "/feedback":
        strategies.append(operation.as_strategy(body=dict(FEEDBACK)))
    return one_of(strategies)


@pytest.mark.parametrize(("method", "path"), sorted(OPERATIONS))
def test_an_operation_keeps_to_its_description(door: Door, method: str, path: str) -> None:
    seen: set[int] = set()
    with requests.Session() as session:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(_cases(method, path))
        def ask(case: Case[Any]) -> None:
            answer = case.call(
                base_url=f"http://127.0.0.1:{door.port}",
                session=session,
                headers={"Authorization": f"Bearer {door.secret}"},
            )
            case.validate_response(answer, checks=CHECKS)
            # the one server error there may be: a report on the study that is open
            assert answer.status_code < 500 or "POST again later" in answer.text
            seen.add(answer.status_code)

        ask()
    assert min(seen) < 300
