"""The description of the HTTP service for programs, in OpenAPI 3.1."""

from typing import Any

from dicom_node.http.reports import DICOM, PICTURE_PATH, PNG, REPORT_PATH, ReportRequest
from dicom_node.http.requests import JSON
from dicom_node.identity import SOFTWARE_VERSION

Node = dict[str, Any]
"""A piece of the document, which is JSON."""

PROBLEM = "application/problem+json"

_UID: Node = {
    "name": "uid",
    "in": "path",
    "required": True,
    "description": "Study Instance UID (PS3.5 9.1)",
    "schema": {"type": "string", "pattern": r"^[0-9.]{1,64}$"},
}


def openapi() -> Node:
    """The whole description; ``make_app`` serves it at /openapi.json."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Likeness",
            "version": SOFTWARE_VERSION,
            "summary": "Which studies in our archive look like this one? Not a medical device.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/livez": {"get": _get("Whether all parts of the node run.", _health(), 503)},
            "/readyz": {"get": _get("Whether it receives and answers.", _health(), 503)},
            "/metrics": {"get": _get("The metrics, for Prometheus.", _content("text/plain"))},
            "/openapi.json": {"get": _get("This description.", _content(JSON))},
            REPORT_PATH: _report(),
            PICTURE_PATH: _picture(),
        },
        "components": {"schemas": _schemas()},
    }


def _report() -> Node:
    got = {
        "200": _content(DICOM, JSON, says="The Structured Report, or what is known of it."),
        "202": _awaited(),
        **_problems(400, 404, 406, 409, 503),
    }
    made = {
        "200": _state("The report that was there."),
        "201": _state("A report was made.") | {"headers": {"Location": _header("The report.")}},
        **_problems(400, 403, 404, 409, 413, 415, 422, 503),
    }
    return {
        "parameters": [_UID],
        "get": {"summary": "The report on a study as it now is.", "responses": got},
        "post": {
            "summary": "Makes the report if there is none, and sends it where it never was.",
            "requestBody": {"content": {JSON: {"schema": _ref("ReportRequest")}}},
            "responses": made,
        },
    }


def _picture() -> Node:
    responses = {
        "200": _content(PNG, DICOM, says="The contact sheet, or its Secondary Capture."),
        "202": _awaited(),
        **_problems(400, 404, 406, 409, 503),
    }
    return {
        "parameters": [_UID],
        "get": {"summary": "The picture of the report.", "responses": responses},
    }


def _get(summary: str, answer: Node, *faults: int) -> Node:
    return {"summary": summary, "responses": {"200": answer, **_problems(*faults)}}


def _content(*kinds: str, says: str = "Here it is.") -> Node:
    return {"description": says, "content": {kind: {} for kind in kinds}}


def _health() -> Node:
    schema = {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]}
    return {"description": "All is well.", "content": {JSON: {"schema": schema}}}


def _state(says: str) -> Node:
    return {"description": says, "content": {JSON: {"schema": _ref("StudyAndReport")}}}


def _awaited() -> Node:
    retry = {"Retry-After": _header("Seconds.")}
    return _state("The study is not indexed yet: ask again later.") | {"headers": retry}


def _header(says: str) -> Node:
    return {"description": says, "schema": {"type": "string"}}


def _problems(*codes: int) -> Node:
    content = {PROBLEM: {"schema": _ref("Problem")}}
    return {str(code): {"description": _FAULTS[code], "content": content} for code in codes}


def _ref(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}


_FAULTS = {
    400: "The path names no UID, or the body is no JSON.",
    403: "A web page of another origin asks.",
    404: "No such study, report or picture.",
    406: "It is served in no media type that was asked for.",
    409: "There is no report, and none can be made: the detail says why.",
    413: "The body is too long.",
    415: "The body is not said to be JSON.",
    422: "The body asks for what there is not.",
    503: "Something does not answer now, or the study of a POST is not indexed yet: ask again.",
}


def _schemas() -> Node:
    text, whole = {"type": "string"}, {"type": "integer"}
    problem = {"type": text, "title": text, "status": whole, "detail": text}
    send = {
        "peer": text,
        "state": {"enum": ["queued", "running", "done", "failed"]},
        "attempts": whole,
        "reason": _or_null(text),
        "taken": _or_null({"type": "array", "items": {"type": "object"}}),
        "commitment": {"enum": ["wanted", "asked", "committed", "failed", None]},
    }
    report = {
        "sop_class_uid": text,
        "sop_instance_uid": text,
        "series_instance_uid": text,
        "picture_sop_instance_uid": _or_null(text),
        "picture_is_kept": {"type": "boolean"},
        "privacy": {"enum": ["identified", "pseudonymous"]},
        "revision": whole,
        "predecessor_sop_instance_uid": _or_null(text),
        "hits": _or_null(whole),
        "sends": {"type": "array", "items": _ref("Send")},
    }
    study = {
        "study_instance_uid": text,
        "state": {"enum": ["open", "queued", "indexed", "answered", "failed"]},
        "reason": _or_null(text),
        "revision": whole,
        "report": _or_null(_ref("Report")),
    }
    return {
        "Problem": _object(problem),
        "Send": _object(send),
        "Report": _object(report),
        "StudyAndReport": _object(study),
        "ReportRequest": ReportRequest.model_json_schema(),
    }


def _object(properties: Node) -> Node:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _or_null(schema: Node) -> Node:
    return {"anyOf": [schema, {"type": "null"}]}
