# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts the plug-in together and hooks it into Orthanc."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from orthanc_plugin.archive import Archive, ArchiveError
from orthanc_plugin.configuration import Configuration, read_configuration
from orthanc_plugin.doors import Doors
from orthanc_plugin.exchange import ROOT, Answer, Request, read_request, send
from orthanc_plugin.explorer import script
from orthanc_plugin.forwarding import Forwarder
from orthanc_plugin.host import Host, RestOutput
from orthanc_plugin.inbox import open_inbox
from orthanc_plugin.journal import Journal
from orthanc_plugin.node import Node
from orthanc_plugin.notices import as_json, notice

_AFTER_FAULT_S = 5.0
_STOP_S = 5.0
_PROBE = "probe"

Result = TypeVar("Result")


class Plugin:
    """What Orthanc calls. A site with a script of its own may call ``on_change`` from there."""

    def __init__(self, host: Host, journal: Journal) -> None:
        self._host = host
        self._journal = journal
        self._archive = Archive(host)
        self._decoded = True
        self._faults: tuple[str, ...] = ()
        self._doors: Doors | None = None
        self._configuration: Configuration | None = None
        self._forwarder: Forwarder | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def configure(self) -> None:
        """Reads the configuration, and tells all its faults."""
        read = read_configuration(self._host.GetConfiguration())
        for warning in read.warnings:
            self._journal.warning(warning)
        for fault in read.faults:
            self._journal.error(fault)
        self._faults, self._configuration = read.faults, read.configuration

    def answer(self, output: RestOutput, uri: str, **given: Any) -> None:
        """Answers a request; Orthanc calls it in several threads at once."""
        request = read_request(uri, given, decoded=self._decoded)
        failed = notice(
            request,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "Orthanc's log says what went wrong at this time.",
        )
        send(output, self._contained(lambda: self._answered(request), failed))

    def on_change(self, change: int, _level: int, resource: str) -> None:
        """Hears of a change; it only puts it down, because other callbacks wait meanwhile."""
        self._contained(lambda: self._changed(change, resource), None)

    def _contained(self, work: Callable[[], Result], otherwise: Result) -> Result:
        """The boundary to Orthanc: no fault of the plug-in passes it."""
        try:
            return work()
        except Exception:  # noqa: BLE001 - the one named boundary
            self._journal.exception()
            return otherwise

    def _changed(self, change: int, resource: str) -> None:
        kinds = self._host.ChangeType
        forwarder = self._forwarder
        if change == kinds.ORTHANC_STARTED:
            self._start()
        elif change == kinds.ORTHANC_STOPPED:
            self._stop()
        elif forwarder is None:
            return
        elif change == kinds.STABLE_STUDY:
            forwarder.study_is_stable(resource)
        elif change in (kinds.JOB_SUCCESS, kinds.JOB_FAILURE):
            forwarder.job_ended(resource, succeeded=change == kinds.JOB_SUCCESS)

    def _start(self) -> None:
        """Orthanc's database is open from here on."""
        self._decoded = self._decodes_queries()
        if self._configuration is None:
            return
        inbox = open_inbox(self._host, self._journal)
        forwarder = Forwarder(self._archive, self._configuration, inbox, self._journal)
        node = Node(self._configuration)
        self._doors = Doors(self._archive, self._configuration, node, forwarder)
        self._forwarder = forwarder
        self._thread = threading.Thread(
            target=self._work, args=(forwarder,), name="likeness", daemon=True
        )
        self._thread.start()

    def _work(self, forwarder: Forwarder) -> None:
        while not self._stopping.is_set():
            forwarder.wait(self._contained(forwarder.step, _AFTER_FAULT_S))

    def _stop(self) -> None:
        self._stopping.set()
        if self._forwarder is not None and self._thread is not None:
            self._forwarder.wake()
            self._thread.join(_STOP_S)

    def _answered(self, request: Request) -> Answer:
        if request.path == "status" and dict(request.query).keys() == {_PROBE}:
            return as_json(dict(request.query))
        if self._faults:
            return self._misconfigured(request)
        if self._doors is None:
            return notice(
                request, HTTPStatus.SERVICE_UNAVAILABLE, "Orthanc is starting.", retry_after_s=1
            )
        return self._doors.answer(request)

    def _misconfigured(self, request: Request) -> Answer:
        return notice(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            "; ".join(self._faults),
            title="The Likeness plug-in is not set up",
            remedy="Whoever looks after Orthanc should mend its configuration and start it again.",
        )

    def _decodes_queries(self) -> bool:
        """Whether this Orthanc decodes what follows the question mark: 1.10.1 does not."""
        try:
            echoed = self._archive.after_plugins(f"{ROOT}status?{_PROBE}=%31")
        except (ArchiveError, json.JSONDecodeError) as fault:
            self._journal.info(f"the plug-in cannot ask itself: {fault}")
            return True
        return bool(echoed[_PROBE] == "1")


def start(host: Host) -> Plugin:
    """Hooks the plug-in into Orthanc. Called once, when Orthanc loads the script."""
    journal = Journal(host)
    plugin = Plugin(host, journal)
    plugin.configure()
    host.RegisterRestCallback(f"{ROOT}.*", plugin.answer)
    host.RegisterOnChangeCallback(plugin.on_change)
    host.ExtendOrthancExplorer(script())
    return plugin
