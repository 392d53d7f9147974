# SPDX-License-Identifier: AGPL-3.0-or-later
"""A request as Orthanc hands it over, and an answer as Orthanc takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from orthanc_plugin.host import RestOutput

ROOT = "/likeness/"
_NUMBER_OF_SEVERAL = re.compile(r"\.\d{1,4}\Z")


class Request(NamedTuple):
    """A request.

    Attributes:
        method: "GET", "POST", "PUT" or "DELETE".
        path: below ``ROOT``, percent-decoded by Orthanc.
        query: names and values, decoded, in their order.
        headers: by their names in small letters.
        body: empty where there is none.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def wants_page(self) -> bool:
        """Whether a browser shows the answer to a person (RFC 9110 12.5.1)."""
        return "text/html" in self.headers.get("accept", "")


class Answer(NamedTuple):
    """An answer; other than 200 its body is text in UTF-8, because Orthanc takes no other."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


def read_request(uri: str, given: Mapping[str, Any], *, decoded: bool) -> Request:
    """A request from what Orthanc calls a REST callback with.

    The Python plug-in keeps of a parameter that is given several times only the last. So such
    parameters carry numbers, ``label.0=…&label.1=…``, which are taken off here.

    Args:
        uri: the path from the root of Orthanc's REST interface.
        given: the named arguments of the callback.
        decoded: whether Orthanc has decoded the query; some versions leave that out.
    """
    query = given.get("get", {}).items()
    if not decoded:
        query = [(unquote_plus(name), unquote_plus(value)) for name, value in query]
    return Request(
        str(given["method"]),
        uri[len(ROOT) :],
        tuple((_NUMBER_OF_SEVERAL.sub("", name), value) for name, value in query if name),
        {name.lower(): value for name, value in given.get("headers", {}).items()},
        bytes(given.get("body", b"")),
    )


def send(output: RestOutput, answer: Answer) -> None:
    """Answers."""
    kind = answer.headers.get("Content-Type", "application/octet-stream")
    for name, value in answer.headers.items():
        if not _sets_itself(answer.status, name):
            output.SetHttpHeader(name, value)
    if answer.status == 200:
        output.AnswerBuffer(answer.body, kind)
    elif answer.status == 405:  # Orthanc drops the connection if it is told this as a mere status
        output.SendMethodNotAllowed(answer.headers.get("Allow", "GET"))
    elif not answer.body:
        output.SendHttpStatusCode(answer.status)
    else:
        _send_text(output, answer)


def _sets_itself(status: int, name: str) -> bool:
    return (status, name) in {(200, "Content-Type"), (405, "Allow"), (405, "Content-Type")}


def _send_text(output: RestOutput, answer: Answer) -> None:
    try:
        output.SendHttpStatus(answer.status, answer.body)
    except TypeError:  # the Python plug-in before 4.2 takes a C string and its length
        text = answer.body.decode(errors="replace").replace("\0", "")
        output.SendHttpStatus(answer.status, text, len(text.encode()))
