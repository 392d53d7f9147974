# SPDX-License-Identifier: AGPL-3.0-or-later
"""The web viewer that this Orthanc has, opened at a series, and at an image where it can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

from orthanc_plugin.archive import Archive

_UP = "../../"
"""From ``/likeness/viewer/{uid}`` to the root of Orthanc, below whatever prefix a proxy puts it."""


class Wanted(NamedTuple):
    """What is to be shown.

    Attributes:
        study: Study Instance UID.
        series: Series Instance UID.
        identifier: Orthanc's identifier of the series.
        instance: SOP Instance UID, or empty.
        instance_identifier: Orthanc's identifier of it, or empty.
        frame: from 1 on.
    """

    study: str
    series: str
    identifier: str
    instance: str = ""
    instance_identifier: str = ""
    frame: int = 1


def _web_viewer(wanted: Wanted) -> str:
    """Version 2.8 opens at the first image; what follows the # is for the page that holds it."""
    page = f"web-viewer/app/viewer.html?series={wanted.identifier}"
    if not wanted.instance_identifier:
        return page
    return f"{page}#instance={wanted.instance_identifier}_{wanted.frame - 1}"


def _stone(wanted: Wanted) -> str:
    """By its NOTES.txt: a series, but no image."""
    return f"stone-webviewer/index.html?study={quote(wanted.study)}&series={quote(wanted.series)}"


def _ohif(wanted: Wanted) -> str:
    """By its documentation, "URL": the series and image that it shows first."""
    page = (
        f"ohif/viewer?StudyInstanceUIDs={quote(wanted.study)}"
        f"&initialSeriesInstanceUID={quote(wanted.series)}"
    )
    return f"{page}&initialSOPInstanceUID={quote(wanted.instance)}" if wanted.instance else page


_ADDRESSES: Mapping[str, Callable[[Wanted], str]] = MappingProxyType(
    # in the order of preference: those that open at an image, or can be led to it, come first
    {"ohif": _ohif, "web-viewer": _web_viewer, "stone-webviewer": _stone}
)


def address(viewer: str, wanted: Wanted) -> str:
    """The viewer's address, relative to that of the viewer door."""
    return _UP + _ADDRESSES[viewer](wanted)


def chosen(setting: str, loaded: Sequence[str]) -> str:
    """The viewer by its plug-in's name: the setting's, or the best that is loaded; "" if none."""
    offered = _ADDRESSES if setting == "auto" else [setting]
    return next((name for name in offered if name in loaded), "")


def find_series(archive: Archive, series_uid: str) -> tuple[str, str] | None:
    """Orthanc's identifier of a series, and its Study Instance UID; None if it is not there."""
    found = [one for one in archive.find(series_uid) if one.level == "Series"]
    if not found:
        return None
    identifier = found[0].identifier
    return identifier, archive.study(archive.series(identifier).study).uid


def find_instance(archive: Archive, sop_instance_uid: str) -> str:
    """Orthanc's identifier of a SOP instance; empty if it is not there."""
    found = [one for one in archive.find(sop_instance_uid) if one.level == "Instance"]
    return found[0].identifier if found else ""
