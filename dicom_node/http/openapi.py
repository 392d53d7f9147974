"""The description of the HTTP service for programs, in OpenAPI 3.1."""

from dicom_node.http.access import NEEDS, Need
from dicom_node.http.caller import MOST_USER_CHARACTERS, USER_HEADER
from dicom_node.http.openapi_parts import Node, header, problems
from dicom_node.http.openapi_paths import operations
from dicom_node.http.openapi_schemas import schemas
from dicom_node.version import SOFTWARE_VERSION

TOKEN = "token"  # noqa: S105  (the name of the scheme)

_UID: Node = {
    "name": "uid",
    "in": "path",
    "required": True,
    "description": "Study Instance UID (PS3.5 9.1)",
    "schema": {"type": "string", "pattern": r"^[0-9.]{1,64}$"},
}
_NAME: Node = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The name of a file that a page refers to.",
    "schema": {"type": "string"},
}
_USER: Node = {
    "name": USER_HEADER,
    "in": "header",
    "description": "Who asks at the caller's end, for the audit.",
    "schema": {"type": "string", "pattern": f"^[ -~]{{1,{MOST_USER_CHARACTERS}}}$"},
}


def openapi() -> Node:
    """The whole description; ``make_app`` serves it at /openapi.json."""
    paths: dict[str, Node] = {}
    for (method, path), operation in operations().items():
        need = NEEDS[method, path]  # what the door does not know cannot be described
        parameters = [entry for entry in (_UID, _NAME) if f"{{{entry['name']}}}" in path]
        paths.setdefault(path, {"parameters": parameters} if parameters else {})
        paths[path][method.lower()] = _behind_the_door(operation, need)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Likeness",
            "version": SOFTWARE_VERSION,
            "summary": "Which studies in our archive look like this one? Not a medical device.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas(), "securitySchemes": {TOKEN: _token()}},
    }


def _behind_the_door(operation: Node, need: Need) -> Node:
    """An operation with what the door asks for and answers (RFC 6750 3)."""
    responses = operation["responses"]
    if need == "nothing":
        return {**operation, "security": [], "responses": _joined(responses, problems(421))}
    refused = problems(400, 401, 403, 421, 503)
    refused["401"]["headers"] = {"WWW-Authenticate": header("Says that a token is needed.")}
    return {
        **operation,
        "security": [{TOKEN: [need]}],
        "parameters": [*operation.get("parameters", []), _USER],
        "responses": _joined(responses, refused),
    }


def _joined(responses: Node, more: Node) -> Node:
    """Both; where a status is in both, its media types are joined."""
    joined: Node = {**responses}
    for status, response in more.items():
        here: Node = joined.get(status) or response
        joined[status] = {**here, "content": {**here["content"], **response["content"]}}
    return dict(sorted(joined.items()))


def _token() -> Node:
    return {
        "type": "http",
        "scheme": "bearer",
        "description": "Made by `likeness token create`, with the scope that the operation names; "
        "a scope includes no other. Where http.loopback_without_token is set, callers from the "
        "node's own machine that address it as localhost need none.",
    }
