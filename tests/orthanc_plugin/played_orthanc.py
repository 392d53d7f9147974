# ruff: noqa: N802
"""Orthanc's REST interface as the plug-in uses it, and the moments in which it fails."""

import json
from collections.abc import Callable
from typing import Any

from orthanc_plugin.archive import Archive
from orthanc_plugin.configuration import Configuration
from orthanc_plugin.forwarding import Forwarder
from orthanc_plugin.inbox import Inbox, MemoryInbox
from orthanc_plugin.journal import Journal

CR = "1.2.840.10008.5.1.4.1.1.1"
DATABASE, UNKNOWN = 11, 17
"""Orthanc's error codes Database and UnknownResource."""


class OrthancException(Exception):  # noqa: N818
    """Orthanc's own."""


class PlayedOrthanc:
    """Studies of one image each, not changed for long; jobs end at once, and well.

    ``before`` is called with each request's method and path, and may raise what Orthanc does.
    """

    OrthancException = OrthancException

    def __init__(self, port: int, *studies: str, host: str = "127.0.0.1") -> None:
        self.studies = set(studies)
        self.marks: dict[str, dict[str, Any]] = {}
        self.job: dict[str, str] = {"State": "Success"}
        self.jobs = 0
        self.log: list[str] = []
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        self._modality = {"AET": "LIKENESS", "Host": host, "Port": port}

    def RestApiGet(self, uri: str) -> bytes:
        path = uri.partition("?")[0]
        self.before("GET", path)
        return json.dumps(self._got(path.strip("/").split("/"))).encode()

    def _got(self, parts: list[str]) -> Any:
        level, identifier, inside = (*parts, "", "")[:3]
        if level == "studies" and not identifier:
            return sorted(self.studies)
        if level == "studies":
            self._check(identifier)
        found = {
            ("studies", ""): {
                "MainDicomTags": {"StudyInstanceUID": "1.2"},
                "Series": [identifier],
                "IsStable": True,
            },
            ("studies", "metadata"): self._metadata(identifier),
            ("series", ""): {"MainDicomTags": {}, "ParentStudy": identifier},
            ("series", "instances"): [{"ID": identifier, "FileUuid": "file"}],
            ("instances", "metadata"): {"SopClassUid": CR, "RemoteAET": "SCANNER"},
            ("modalities", "configuration"): self._modality,
            ("jobs", ""): self.job,
        }
        return found[level, inside]

    def _metadata(self, study: str) -> dict[str, str]:
        mark = {"27211": json.dumps(self.marks[study])} if study in self.marks else {}
        return {"LastUpdate": "20200101T000000", **mark}

    def _check(self, study: str) -> None:
        if study not in self.studies:
            raise OrthancException(UNKNOWN, "Unknown resource")

    def RestApiPost(self, uri: str, _body: str) -> bytes:
        self.before("POST", uri)
        self.jobs += 1
        return json.dumps({"ID": f"job{self.jobs}"}).encode()

    def RestApiPut(self, uri: str, body: str) -> bytes:
        self.before("PUT", uri)
        study = uri.split("/")[2]
        self._check(study)
        self.marks[study] = json.loads(body)
        return b""

    def LogError(self, text: str) -> None:
        self.log.append(text)

    LogInfo = LogWarning = LogError

    def sent(self) -> list[str]:
        """The studies that are marked as sent."""
        return sorted(study for study, mark in self.marks.items() if mark["state"] == "sent")


class Failing:
    """Raises a fault at the first few requests of a kind."""

    def __init__(self, method: str, part: str, fault: Exception, times: int = 1) -> None:
        self._of = method, part
        self._fault = fault
        self.left = times

    def __call__(self, method: str, path: str) -> None:
        """Before a request."""
        if self.left and method == self._of[0] and self._of[1] in path:
            self.left -= 1
            raise self._fault


def forwarder_of(host: Any, *, inbox: "Inbox | None" = None, sweep: bool = False) -> Forwarder:
    """The plug-in's forwarder over it."""
    set_up = Configuration("http://node", retry_s=0.1, sweep_at_start=sweep)
    return Forwarder(Archive(host), set_up, inbox or MemoryInbox(), Journal(host))


def idle(forwarder: Forwarder) -> bool:
    """Whether it has nothing to do, after another step."""
    forwarder.step()
    status = forwarder.status()
    return not any(status[state] for state in ("waiting", "sending", "failed"))
