"""A real node in its own process, and DCMTK around it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from dicom_node.cli import main
from tests.conftest import find_free_port
from tests.waiting import wait_until

DCMTK = Path("/usr/bin")
REPORTED_CALLER = "STORESCU"
INDEXED_CALLER = "ARCHIVE"


def dcmtk(name: str) -> str:
    """The path of a DCMTK or dicom3tools program; the test is left out where it is missing."""
    path = DCMTK / name
    if not path.exists():
        pytest.skip(f"left out: {path} is not installed (packages dcmtk, dicom3tools)")
    return str(path)


@dataclass
class Node:
    """A node's folder, its settings, and its process while it runs."""

    folder: Path
    settings: Path
    port: int
    viewer_port: int
    process: "subprocess.Popen[bytes] | None" = None
    said_before: int = 0

    @property
    def log(self) -> str:
        """What the node has said so far."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Starts ``likeness serve`` and waits until all of it works."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Starts ``likeness serve``."""
        self.said_before = len(self.log)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dicom_node", "--settings", str(self.settings), "serve"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Waits until the node that was launched last works."""
        self.wait_until_it_says("the node is ready")

    def wait_until_it_says(self, words: str) -> None:
        """Waits until the node that was launched last has logged ``words``."""

        def said() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"the node ended: {self.log}"
            return words in self.log[self.said_before :]

        wait_until(said, f"the node to say {words!r}", 120)

    def kill(self) -> None:
        """SIGKILL to the node, which takes all but its PostgreSQL with it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_all(self) -> None:
        """SIGKILL to all of its processes at once, but not to its PostgreSQL."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def likeness(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs the command line on this node's settings."""
        return subprocess.run(
            [sys.executable, "-m", "dicom_node", "--settings", str(self.settings), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def asked(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The same within this process, for what is asked again and again until it is so.

        A process of its own takes seconds of processor time to import what it needs, which it
        takes from the node that is waited for.
        """
        said, told = StringIO(), StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            code = main(["--settings", str(self.settings), *arguments])
        return subprocess.CompletedProcess(arguments, code, said.getvalue(), told.getvalue())

    def is_searchable(self, uid: str) -> bool:
        """Whether a study finds others."""
        return self.asked("search", uid).returncode == 0

    def status(self) -> dict[str, Any]:
        """``likeness status --json``."""
        done = self.asked("status", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def wait_until_worked(self, count: int, timeout_s: float = 120) -> None:
        """Waits until ``count`` studies are indexed or failed, and nothing is left to do."""

        def worked() -> bool:
            states = self.status()["studies"]
            ended = states.get("indexed", 0) + states.get("failed", 0)
            return bool(ended == count and sum(states.values()) == count)

        wait_until(worked, f"{count} studies to be worked", timeout_s)

    def wait_until_sent(self) -> None:
        """Waits until no report or picture is left to be sent."""
        wait_until(
            lambda: not {"queued", "running"} & set(self.status()["sends"]), "all to be sent", 120
        )

    def store(self, *paths: Path, calling: str = REPORTED_CALLER) -> None:
        """Sends files and folders with DCMTK's storescu; fails unless all were acknowledged."""
        done = self.try_to_store(*paths, calling=calling)
        assert done.returncode == 0, done.stderr + done.stdout

    def try_to_store(
        self, *paths: Path, calling: str = REPORTED_CALLER, options: Sequence[str] = ()
    ) -> "subprocess.CompletedProcess[str]":
        """Sends files and folders with DCMTK's storescu."""
        return subprocess.run(
            [
                *(dcmtk("storescu"), "-v", "-aet", calling, "-aec", "LIKENESS", *options),
                *("+sd", "+r", "127.0.0.1", str(self.port), *map(str, paths)),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**os.environ, "TCP_NODELAY": "1"},
        )


@contextmanager
def node_in(
    folder: Path, *, close_after_s: float = 0.5, extra: str = "", http_port: int | None = None
) -> Iterator[Node]:
    """A node that has not started yet; it is stopped, with its PostgreSQL, when the block ends.

    It speaks no HTTP unless it is given a port for it.
    """
    port, viewer_port = find_free_port(), find_free_port()
    settings = folder / "likeness.toml"
    settings.write_text(
        f"""
data_folder = "data"
{extra}
[dicom]
port = {port}
[http]
port = {http_port or '""'}
[study]
close_after_s = {close_after_s}
[work]
first_wait_s = 0.2
[[peers]]
name = "sender"
ae_title = "{REPORTED_CALLER}"
reports_to = "viewer"
[[peers]]
name = "viewer"
ae_title = "STORESCP"
host = "127.0.0.1"
port = {viewer_port}
"""
    )
    (folder / "log").touch()
    node = Node(folder, settings, port, viewer_port)
    try:
        yield node
    finally:
        if node.process is not None and node.process.poll() is None:
            node.stop()
        if (folder / "data" / "postgres").exists():
            node.asked("status")  # takes it over from a killed node, and stops it


@contextmanager
def viewer(port: int, folder: Path) -> Iterator[Path]:
    """DCMTK's storescp, which keeps each report it gets as a file in ``folder``."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [dcmtk("storescp"), "-od", str(folder), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _listens(port), "storescp to listen", 20)
        yield folder
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    return re.search(rf":{port:04X} [0-9A-F]+:0000 0A", tables) is not None


def reports_in(folder: Path) -> list[Path]:
    """The complete files that storescp has written: those that no process holds open."""
    written = sorted(path for path in folder.iterdir() if path.name.startswith("SR"))
    held = _open_files() if written else set()
    return [path for path in written if str(path.resolve()) not in held]


def _open_files() -> set[str]:
    held: set[str] = set()
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # the process ended, or closed it meanwhile
            held.add(str(handle.readlink()))
    return held


def dciodvfy_errors(path: Path) -> list[str]:
    """The lines in which dciodvfy calls something an error."""
    done = subprocess.run(
        [dcmtk("dciodvfy"), "-new", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


def dsrdump(path: Path) -> str:
    """The report as DCMTK's dsrdump prints it."""
    done = subprocess.run(
        [dcmtk("dsrdump"), "+Pl", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
