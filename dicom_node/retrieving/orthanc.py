"""Instances from an Orthanc server over its REST interface.

``POST /tools/lookup`` finds an instance by its SOP Instance UID, ``GET /instances/{id}/file`` is
the file as Orthanc keeps it.
"""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dicom_node.retrieving.arrived import checked, new_file
from dicom_node.retrieving.http_exchange import BrokenError, HttpServer
from dicom_node.retrieving.retriever import RetrieveError, RetrieverAwayError, WantedInstance
from dicom_node.scp import MB
from dicom_node.settings import Settings

LONGEST_ANSWER = 1 << 20
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
"""Orthanc's own identifiers: a SHA-1 in five groups."""
_FOR_ALL = frozenset({301, 302, 303, 307, 308, 401, 407, 429, 502, 503, 504})
"""HTTP statuses that any other instance would get as well."""

Got = TypeVar("Got")


class OrthancRetriever:
    """Fetches from one Orthanc (a ``Retriever``).

    Args:
        url: http or https, with user and password if it asks for them.
        settings: the files for TLS, and how long an instance may be.
        stop: set when the node is to end; what is under way is broken off then.
    """

    def __init__(self, url: str, settings: Settings, stop: threading.Event) -> None:
        self._server = HttpServer(url, settings.tls, stop)
        self._longest = settings.dicom.max_instance_mb * MB

    def close(self) -> None:
        """Ends the connection."""
        self._server.close()

    def fetch(self, wanted: WantedInstance, into: Path) -> Path:
        """As ``Retriever`` has it."""
        try:
            identifier = self._twice(lambda: self._identifier_of(wanted), RetrieverAwayError)
            path = self._twice(lambda: self._download(identifier, into), RetrieveError)
        except RetrieveError:
            self.close()  # what is left of an answer that was not read
            raise
        return checked(path, wanted, self._server.named)

    def _twice(self, act: Callable[[], Got], error: type[RetrieveError]) -> Got:
        """Servers forget a connection that rests: what broke off is tried on another."""
        try:
            return act()
        except BrokenError:
            self.close()
        try:
            return act()
        except BrokenError as fault:
            raise error(f"{self._server.named}: {fault}") from fault

    def _identifier_of(self, wanted: WantedInstance) -> str:
        answer = self._server.ask("POST", "/tools/lookup", wanted.sop_instance_uid.encode())
        if answer.status != 200:
            raise RetrieverAwayError(f"{self._server.named}: {_said(answer.status)}")
        body = b"".join(self._server.pieces(answer, LONGEST_ANSWER))
        try:
            found = [entry["ID"] for entry in json.loads(body) if entry["Type"] == "Instance"]
        except (ValueError, TypeError, KeyError, RecursionError) as fault:
            raise RetrieverAwayError(
                f"{self._server.named}: does not answer as Orthanc does; check encoder.orthanc_url"
            ) from fault
        if not found:
            raise RetrieveError(f"{self._server.named}: does not have it")
        if not _ID.fullmatch(str(found[0])):
            raise RetrieveError(f"{self._server.named}: names it by no identifier of Orthanc's")
        return str(found[0])

    def _download(self, identifier: str, into: Path) -> Path:
        answer = self._server.ask("GET", f"/instances/{identifier}/file")
        if answer.status != 200:
            error = RetrieverAwayError if answer.status in _FOR_ALL else RetrieveError
            raise error(f"{self._server.named}: {_said(answer.status)}")
        path = new_file(into)
        try:
            with path.open("xb") as file:
                for piece in self._server.pieces(answer, self._longest):
                    file.write(piece)
        except OSError as fault:
            path.unlink(missing_ok=True)
            raise RetrieverAwayError(f"{into} cannot be written: {fault.strerror}") from fault
        except (BrokenError, RetrieveError):
            path.unlink(missing_ok=True)
            raise
        return path


def _said(status: int) -> str:
    if status in {401, 403}:
        why = "does not let us in; are user and password in encoder.orthanc_url right?"
    elif 300 <= status < 400:
        why = "sends us elsewhere; set encoder.orthanc_url to where it is"
    elif status == 404:
        why = "does not have it, or is no Orthanc"
    else:
        why = "does not give it"
    return f"{why} (HTTP status {status})"
