# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the plug-in writes to Orthanc's log: identifiers and reasons, no names and no token."""

from __future__ import annotations

import traceback

from orthanc_plugin.host import Host

_PREFIX = "Likeness: "


class Journal:
    """Orthanc's log, where each line says whose it is."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._last: dict[str, str] = {}

    def error(self, text: str) -> None:
        """What someone must mend."""
        self._host.LogError(_PREFIX + text)

    def warning(self, text: str) -> None:
        """What someone should know: Orthanc shows warnings, but not its information, by default."""
        self._host.LogWarning(_PREFIX + text)

    def info(self, text: str) -> None:
        """What helps to find a fault."""
        self._host.LogInfo(_PREFIX + text)

    def trouble(self, about: str, text: str) -> None:
        """A warning that is given again only when it says something else; "" ends it."""
        if text and self._last.get(about) != text:
            self.warning(text)
        self._last[about] = text

    def exception(self) -> None:
        """The exception that is being handled, with its traceback."""
        self.error("a fault of the plug-in\n" + traceback.format_exc())
