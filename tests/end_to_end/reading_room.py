"""A reading room: Orthanc with the plug-in, a node beside it, and a headless Chromium."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, sync_playwright

from tests.conftest import find_free_port
from tests.end_to_end.orthanc import Orthanc, installed_in, library
from tests.end_to_end.running import Node, node_in
from tests.waiting import wait_until

SCRIPT = Path(__file__).resolve().parents[2] / "orthanc_plugin" / "likeness_plugin.py"
CHROMIUM = Path("/usr/bin/chromium")
SETTINGS = """
[report]
send_to = ["orthanc"]
[[peers]]
name = "orthanc"
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {orthanc_port}
"""

SHOWS_AN_IMAGE = """() => {
  const canvas = document.querySelector("canvas");
  if (!canvas || !canvas.width) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4 * 97) seen.add(data[i]);
  return seen.size > 10;
}"""
"""In a web viewer: whether its canvas holds more than a background."""


@dataclass(frozen=True)
class ReadingRoom:
    """Orthanc with the plug-in, and the node that it forwards to."""

    orthanc: Orthanc
    node: Node
    http_port: int
    token: str

    def address(self, path: str) -> str:
        """A page of Orthanc."""
        return f"http://127.0.0.1:{self.orthanc.http_port}/{path}"

    def lookup(self, uid: str) -> str:
        """Orthanc's identifier of what has this UID."""
        status, said = self.orthanc.ask("POST", "/tools/lookup", uid.encode())
        assert status == 200, said
        (found,) = json.loads(said)
        return str(found["ID"])

    def is_stable(self, study: str) -> bool:
        """Whether Orthanc waits for no more of a study, by its own identifier."""
        return bool(self.orthanc.get(f"/studies/{study}")["IsStable"])

    def door_opens(self, uid: str) -> bool:
        """Whether the page of a study is had through the plug-in."""
        return self.orthanc.ask("GET", f"/likeness/ui/studies/{uid}")[0] == 200

    def similar(self, uid: str) -> dict[str, Any]:
        """The node's own answer over HTTP."""
        status, said = self._ask_node(f"/studies/{uid}/similar")
        assert status == 200, said
        return said

    def _ask_node(self, path: str) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def wait_until_searchable(self, uids: Sequence[str], timeout_s: float = 240) -> None:
        """Waits until all of these studies are indexed, by way of the plug-in."""

        def searchable() -> bool:
            states = {uid: self.node_state(uid) for uid in uids}
            return set(states.values()) == {"indexed"}

        wait_until(searchable, f"{len(uids)} studies to be searchable", timeout_s)

    def node_state(self, uid: str) -> str:
        """Where the node says that a study stands; "unknown" if it does not know it."""
        status, said = self._ask_node(f"/studies/{uid}")
        return "unknown" if status == 404 else str(said["state"])

    def node_revision(self, uid: str) -> int:
        """How often the node took a study to be complete."""
        return int(self._ask_node(f"/studies/{uid}")[1]["revision"])


@contextmanager
def reading_room(folder: Path) -> Iterator[ReadingRoom]:
    """All of it on free ports; all is stopped when the block ends."""
    orthanc_port, http_port = find_free_port(), find_free_port()
    extra = SETTINGS.format(orthanc_port=orthanc_port)
    with node_in(folder, extra=extra, http_port=http_port) as node:
        node.start()
        made = node.likeness("token", "create", "orthanc", "--scope", "read", "--scope", "feedback")
        assert made.returncode == 0, made.stderr
        token = made.stdout.strip()
        more = {
            "Plugins": [
                library("libOrthancPython.so", "orthanc-python"),
                library("libOrthancWebViewer.so", "orthanc-webviewer"),
            ],
            "PythonScript": str(SCRIPT),
            "StableAge": 1,
            "DicomPort": orthanc_port,
            "DicomModalities": {"likeness": ["LIKENESS", "127.0.0.1", node.port]},
            "Likeness": {"Url": f"http://127.0.0.1:{http_port}", "Token": token},
        }
        with installed_in(folder / "orthanc", more=more) as installed:
            installed.start()
            yield ReadingRoom(installed.orthanc, node, http_port, token)


def wait_for_image(frame: Frame) -> None:
    """Waits until a web viewer shows an image; a page in the background draws no frames."""
    frame.wait_for_function(SHOWS_AN_IMAGE, polling=200, timeout=60_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; the test is left out where Chromium is missing."""
    if not CHROMIUM.exists():
        pytest.skip(f"left out: {CHROMIUM} is not installed (package chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox"], headless=True
        )
        yield browser
        browser.close()
