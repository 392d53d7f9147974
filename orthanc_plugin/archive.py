# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is asked of Orthanc's own REST interface: only what its index answers at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from orthanc_plugin.host import Host

_ABSENT_CODES = (7, 17, 20)
"""Orthanc's InexistentItem, UnknownResource and InexistentTag."""
_UNDER_WAY = ("Pending", "Running", "Retry", "Paused")


class ArchiveError(Exception):
    """Orthanc did not do what it was asked for."""


class AbsentError(ArchiveError):
    """Orthanc does not have it (any more)."""


class Study(NamedTuple):
    """A study: its Study Instance UID (0020,000D), Orthanc's identifiers of its series."""

    uid: str
    stable: bool
    series: tuple[str, ...]


class Series(NamedTuple):
    """A series: its UIDs, and Manufacturer (0008,0070), empty where there is none."""

    uid: str
    study: str
    manufacturer: str


class Instance(NamedTuple):
    """A SOP instance by Orthanc's identifier; the file's identifier changes when it is replaced."""

    identifier: str
    file: str


class Modality(NamedTuple):
    """An entry of DicomModalities."""

    ae_title: str
    host: str
    port: int


class Job(NamedTuple):
    """A job: whether it is under way; where it has ended, whether well; and what it said.

    ``paused`` is one under way that rests until someone has Orthanc resume it.
    """

    under_way: bool
    succeeded: bool
    said: str
    paused: bool = False


class Found(NamedTuple):
    """What has a DICOM UID: its level ("Study", "Series", …) and Orthanc's identifier."""

    level: str
    identifier: str


class Archive:
    """Orthanc's index, asked in the thread of the caller.

    All methods raise AbsentError where Orthanc does not have what they are asked for, and
    ArchiveError for anything else that it refuses.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def studies(self) -> list[str]:
        """Orthanc's identifiers of all studies."""
        return [str(study) for study in self._get("/studies")]

    def study(self, identifier: str) -> Study:
        """A study by Orthanc's identifier."""
        found = self._get(f"/studies/{identifier}")
        uid = str(found["MainDicomTags"].get("StudyInstanceUID", ""))
        return Study(uid, bool(found.get("IsStable", True)), tuple(found["Series"]))

    def series(self, identifier: str) -> Series:
        """A series by Orthanc's identifier."""
        found = self._get(f"/series/{identifier}")
        tags = found["MainDicomTags"]
        return Series(
            str(tags.get("SeriesInstanceUID", "")),
            str(found["ParentStudy"]),
            str(tags.get("Manufacturer", "")).strip(),
        )

    def instances(self, series: str) -> list[Instance]:
        """A series' SOP instances."""
        listed = self._get(f"/series/{series}/instances")
        return [Instance(str(one["ID"]), str(one.get("FileUuid", ""))) for one in listed]

    def metadata(self, level: str, identifier: str) -> dict[str, str]:
        """All metadata of a resource; ``level`` is "studies", "instances", …"""
        found = self._get(f"/{level}/{identifier}/metadata?expand")
        return {str(name): str(value) for name, value in found.items()}

    def sop_class(self, instance: str) -> str:
        """SOP Class UID (0008,0016) as the file has it."""
        return self._call(self._host.RestApiGet, f"/instances/{instance}/content/0008-0016").strip(
            " \0"
        )

    def mark(self, study: str, number: int, text: str) -> None:
        """Sets a user metadata of a study."""
        self._call(self._host.RestApiPut, f"/studies/{study}/metadata/{number}", text)

    def modality(self, name: str) -> Modality:
        """An entry of DicomModalities, wherever Orthanc keeps it."""
        found = self._get(f"/modalities/{name}/configuration")
        return Modality(str(found["AET"]), str(found["Host"]), int(found["Port"]))

    def store(self, modality: str, instances: Sequence[str], timeout_s: int) -> str:
        """Starts a job that sends SOP instances, and ends at the first that is not taken.

        It must be no permissive job: on Orthanc 1.10.1 such a job succeeds even where the peer
        cannot be reached, and tells of no instance that failed.
        """
        wanted = {
            "Resources": list(instances),
            "Synchronous": False,
            "Asynchronous": True,
            "Permissive": False,
            "Timeout": timeout_s,
        }
        path = f"/modalities/{modality}/store"
        return str(json.loads(self._call(self._host.RestApiPost, path, json.dumps(wanted)))["ID"])

    def job(self, identifier: str) -> Job:
        """A job, as long as Orthanc remembers it."""
        found = self._get(f"/jobs/{identifier}")
        state = str(found.get("State", ""))
        said = str(found.get("ErrorDetails") or found.get("ErrorDescription") or state)
        return Job(state in _UNDER_WAY, state == "Success", said, state == "Paused")

    def find(self, uid: str) -> list[Found]:
        """All that has this DICOM UID."""
        found = json.loads(self._call(self._host.RestApiPost, "/tools/lookup", uid))
        return [Found(str(one["Type"]), str(one["ID"])) for one in found]

    def plugins(self) -> list[str]:
        """The plug-ins that are loaded."""
        return [str(name) for name in self._get("/plugins")]

    def after_plugins(self, path: str) -> Any:
        """What Orthanc and its plug-ins answer, as JSON."""
        return json.loads(self._call(self._host.RestApiGetAfterPlugins, path))

    def _get(self, path: str) -> Any:
        return json.loads(self._call(self._host.RestApiGet, path))

    def _call(self, function: Any, *arguments: str) -> str:
        try:
            answer = function(*arguments)
        except self._host.OrthancException as fault:
            code = fault.args[0] if fault.args else None
            kind = AbsentError if code in _ABSENT_CODES else ArchiveError
            raise kind(f"{arguments[0]}: {fault.args[-1] if fault.args else fault}") from fault
        return answer.decode() if isinstance(answer, bytes) else str(answer or "")


def changed_at(metadata: Mapping[str, str]) -> str | None:
    """When Orthanc last changed a resource, to the second."""
    return metadata.get("LastUpdate")
