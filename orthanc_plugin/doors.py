# SPDX-License-Identifier: AGPL-3.0-or-later
"""The doors below ``/likeness/``: which paths there are, and what each of them does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from orthanc_plugin import VERSION
from orthanc_plugin.archive import AbsentError, Archive, ArchiveError
from orthanc_plugin.configuration import Configuration
from orthanc_plugin.exchange import Answer, Request
from orthanc_plugin.forwarding import Forwarder, Standing
from orthanc_plugin.marks import NOTHING
from orthanc_plugin.node import Node
from orthanc_plugin.notices import as_json, notice, redirect
from orthanc_plugin.passing import Passing
from orthanc_plugin.same_origin import refused
from orthanc_plugin.states import NO_IMAGE, State, state_of
from orthanc_plugin.tasks import FAILED
from orthanc_plugin.viewers import Wanted, address, chosen, find_instance, find_series

_UID = r"(?P<uid>[0-9](?:[0-9.]{0,62}[0-9])?)"
"""Stricter than it need be for Orthanc, never "." or ".."; zeros in front are met in practice."""
_STATIC = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z0-9]{1,8}){1,3}"
_ORTHANC_ID = r"(?P<identifier>[0-9a-f]{8}(?:-[0-9a-f]{8}){4})"
_MOST_FRAME_DIGITS = 6

Handler = Callable[[Request, Mapping[str, str]], Answer]


class _Route(NamedTuple):
    path: re.Pattern[str]
    methods: Mapping[str, Handler]


class Doors:
    """Answers requests; from several threads."""

    def __init__(
        self, archive: Archive, configuration: Configuration, node: Node, forwarder: Forwarder
    ) -> None:
        self._archive = archive
        self._set = configuration
        self._node = node
        self._forwarder = forwarder
        self._routes = self._table(Passing(node, configuration).ask)

    def _table(self, passed: Handler) -> list[_Route]:
        both = {"GET": passed, "POST": passed}
        return [
            _route(f"ui/studies/{_UID}", {"GET": passed}),
            _route(f"ui/static/{_STATIC}", {"GET": passed}),
            _route(f"studies/{_UID}", {"GET": passed}),
            _route(f"studies/{_UID}/similar", {"GET": passed}),
            _route(rf"studies/{_UID}/image\.png", {"GET": passed}),
            _route(f"studies/{_UID}/report", both),
            _route(f"studies/{_UID}/report/picture", {"GET": passed}),
            _route("feedback", {"POST": passed}),
            _route(f"viewer/{_UID}", {"GET": self._viewer}),
            _route(f"state/(?P<level>study|series)/{_ORTHANC_ID}", {"GET": self._state}),
            _route(f"forward/{_UID}", {"POST": self._forward}),
            _route("status", {"GET": self._status}),
        ]

    def answer(self, request: Request) -> Answer:
        """The answer to a request; 404 or 405 to whatever is not in the table."""
        for route in self._routes:
            found = route.path.fullmatch(request.path)
            if found:
                return self._through(route, request, found.groupdict())
        return notice(request, HTTPStatus.NOT_FOUND, "There is nothing at this path.")

    def _through(self, route: _Route, request: Request, parts: Mapping[str, str]) -> Answer:
        handler = route.methods.get(request.method)
        if handler is None:
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"", {"Allow": ",".join(route.methods)})
        no = refused(request) if request.method == "POST" else None
        if no is not None:
            return no
        try:
            return handler(request, parts)
        except AbsentError:
            return notice(request, HTTPStatus.NOT_FOUND, "Orthanc does not have this (any more).")
        except ArchiveError as fault:
            return notice(request, HTTPStatus.BAD_GATEWAY, f"Orthanc refused: {fault}")

    def _status(self, _request: Request, _parts: Mapping[str, str]) -> Answer:
        return as_json(
            {
                "version": VERSION,
                "node": self._set.url,
                "modality": self._set.modality,
                "forwarding": self._forwarder.status(),
            }
        )

    def _state(self, _request: Request, parts: Mapping[str, str]) -> Answer:
        identifier, query = parts["identifier"], ""
        if parts["level"] == "series":
            series = self._archive.series(identifier)
            identifier = series.study
            query = f"?viewer={series.uid}" if re.fullmatch(_UID, series.uid) else ""
        uid = self._archive.study(identifier).uid
        if not re.fullmatch(_UID, uid):
            found = State("unknown", "its Study Instance UID is none (PS3.5 9.1)")
            return as_json({**found._asdict(), "page": "status"})
        found = state_of(self._forwarder.standing(identifier), self._node, uid)
        return as_json({**found._asdict(), "page": f"ui/studies/{uid}{query}"})

    def _forward(self, request: Request, parts: Mapping[str, str]) -> Answer:
        found = [one for one in self._archive.find(parts["uid"]) if one.level == "Study"]
        if not found:
            return notice(request, HTTPStatus.NOT_FOUND, "Orthanc has no study with this UID.")
        stand = {one.identifier: self._forwarder.standing(one.identifier) for one in found}
        wanted = [study for study, standing in stand.items() if not _is_empty(standing)]
        if not wanted:
            return as_json({"state": "unknown", "says": NO_IMAGE}, HTTPStatus.CONFLICT)
        for study in wanted:
            self._forwarder.send_again(study)
        says = _waiting_again(stand[wanted[0]])
        document = {"state": "waiting", "says": says, "watch": f"state/study/{wanted[0]}"}
        return as_json(document, HTTPStatus.ACCEPTED)

    def _viewer(self, request: Request, parts: Mapping[str, str]) -> Answer:
        found = find_series(self._archive, parts["uid"])
        if found is None:
            return notice(
                request,
                HTTPStatus.NOT_FOUND,
                "This Orthanc does not hold the images of this series.",
                title="Not in this archive",
                remedy="The picture beside the hit is what the node has kept of it.",
            )
        viewer = chosen(self._set.viewer, self._archive.plugins())
        if not viewer:
            return notice(
                request,
                HTTPStatus.NOT_FOUND,
                "This Orthanc has no web viewer that is known here.",
                title="No web viewer",
                remedy="Load Orthanc's web viewer, Stone or OHIF plug-in.",
            )
        return redirect(address(viewer, self._wanted(parts["uid"], found, dict(request.query))))

    def _wanted(self, series: str, found: tuple[str, str], query: Mapping[str, Any]) -> Wanted:
        instance, frame = query.get("instance", ""), query.get("frame", "1")
        if not re.fullmatch(_UID, instance):
            return Wanted(found[1], series, found[0])
        known = re.fullmatch(r"[1-9][0-9]*", frame) and len(frame) <= _MOST_FRAME_DIGITS
        place = int(frame) if known else 1
        identifier = find_instance(self._archive, instance)
        return Wanted(found[1], series, found[0], instance, identifier, place)


def _is_empty(standing: Standing) -> bool:
    """Whether the study was looked at, held nothing to send, and is as it was."""
    mark = standing.mark
    return mark is not None and mark.state == NOTHING and not standing.changed


def _waiting_again(standing: Standing) -> str:
    if standing.state == FAILED:
        return f"waiting to be sent; the last time it could not be: {standing.said}"
    return "waiting to be sent"


def _route(path: str, methods: Mapping[str, Handler]) -> _Route:
    return _Route(re.compile(path, re.ASCII), methods)
