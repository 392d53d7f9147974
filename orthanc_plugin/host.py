# SPDX-License-Identifier: AGPL-3.0-or-later
# ruff: noqa: N802
"""Orthanc as the plug-in sees it: the functions of the module ``orthanc``, under its own names.

On plug-in 4.0 each of them keeps Python's global lock until it returns, so that meanwhile no
other callback runs. None may be called that waits for the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class ChangeTypes(Protocol):
    """The kinds of changes that are heard (OrthancPluginChangeType)."""

    STABLE_STUDY: int
    JOB_SUCCESS: int
    JOB_FAILURE: int
    ORTHANC_STARTED: int
    ORTHANC_STOPPED: int


class RestOutput(Protocol):
    """The answer to a request, which is given once."""

    def AnswerBuffer(self, buffer: bytes, mime_type: str, /) -> None:
        """Answers 200 with a body."""

    def SendHttpStatus(self, status: int, /, *body: Any) -> None:
        """Answers any status but 200: text and its length on 4.0 and 4.1, bytes from 4.2 on."""

    def SendHttpStatusCode(self, status: int, /) -> None:
        """Answers any status but 200 without a body."""

    def SendMethodNotAllowed(self, allowed: str, /) -> None:
        """Answers 405, and the methods that there are, separated by commas."""

    def SetHttpHeader(self, name: str, value: str, /) -> None:
        """Adds a header; before the answer."""


class Host(Protocol):
    """The module ``orthanc``."""

    @property
    def ChangeType(self) -> type[ChangeTypes]:
        """The kinds of changes."""

    @property
    def OrthancException(self) -> type[Exception]:
        """What all functions raise; its first argument is Orthanc's error code."""

    def ExtendOrthancExplorer(self, javascript: str, /) -> None:
        """Adds a script to Orthanc Explorer."""

    def GetConfiguration(self) -> str:
        """Orthanc's whole configuration as JSON, passwords included."""

    def LogError(self, message: str, /) -> None:
        """Writes to Orthanc's log."""

    def LogInfo(self, message: str, /) -> None:
        """Writes to Orthanc's log where it is verbose."""

    def LogWarning(self, message: str, /) -> None:
        """Writes to Orthanc's log."""

    def RegisterOnChangeCallback(self, callback: Callable[[int, int, str], None], /) -> None:
        """Has changes told, one after the other, in a thread of the Python plug-in's own."""

    def RegisterRestCallback(self, pattern: str, callback: Callable[..., None], /) -> None:
        """Has requests answered whose path matches, each in a thread of Orthanc's HTTP server."""

    def RestApiGet(self, uri: str, /) -> bytes:
        """Asks Orthanc's own REST interface."""

    def RestApiGetAfterPlugins(self, uri: str, /) -> bytes:
        """Asks it and what plug-ins have added."""

    def RestApiPost(self, uri: str, body: str, /) -> bytes:
        """Asks Orthanc's own REST interface."""

    def RestApiPut(self, uri: str, body: str, /) -> bytes:
        """Asks Orthanc's own REST interface."""
