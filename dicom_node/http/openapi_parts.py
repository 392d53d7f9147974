"""The pieces that the description of the HTTP service is put together from."""

from typing import Any

Node = dict[str, Any]
"""A piece of the document, which is JSON."""

JSON = "application/json"
PROBLEM = "application/problem+json"

_FAULTS = {
    400: "The path names no UID, Likeness-User no person, or the body is no JSON.",
    401: "No token, or none that is good here.",
    403: "The token's scopes are too few, or a web page of another origin asks.",
    404: "No such study, image, report or file.",
    406: "It is served in no media type that was asked for.",
    409: "It cannot be done as the study now stands: the detail says why.",
    413: "The body is too long.",
    415: "The body is not said to be JSON.",
    421: "Without a token the node is to be called as localhost or 127.0.0.1.",
    422: "Parameters or body ask for what there is not.",
    503: "Something does not answer now: ask again.",
}


def problems(*codes: int) -> Node:
    """The responses that are problem documents (RFC 9457)."""
    content = {PROBLEM: {"schema": ref("Problem")}}
    return {str(code): {"description": _FAULTS[code], "content": content} for code in codes}


def ref(name: str) -> Node:
    """A reference to one of the schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def found(says: str, name: str) -> Node:
    """A response in JSON, by one of the schemas."""
    return {"description": says, "content": {JSON: {"schema": ref(name)}}}


def content(says: str, *kinds: str) -> Node:
    """A response in one of several media types, JSON with a schema aside."""
    return {"description": says, "content": {kind: {} for kind in kinds}}


def awaited(name: str) -> Node:
    """202: the study is not indexed yet."""
    retry = {"Retry-After": header("Seconds.")}
    return found("The study is not indexed yet: ask again later.", name) | {"headers": retry}


def header(says: str) -> Node:
    """A header of a response."""
    return {"description": says, "schema": {"type": "string"}}


def body(name: str, *, required: bool = True) -> Node:
    """A request's body, by one of the schemas."""
    return {"required": required, "content": {JSON: {"schema": ref(name)}}}


def query(name: str, says: str, schema: Node, **more: Any) -> Node:
    """A parameter in the query."""
    return {"name": name, "in": "query", "description": says, "schema": schema, **more}


def an_object(properties: Node) -> Node:
    """A schema of an object that has all these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def or_null(schema: Node) -> Node:
    """A schema that takes null, too."""
    return {"anyOf": [schema, {"type": "null"}]}
