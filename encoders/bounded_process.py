"""A child process that reads files within limits, so that no file can take the node down.

Parsers and decoders work on what the network sent. Here a crash of native code, an endless loop
or an absurd allocation costs a child process and becomes a named reason; the caller lives on.
Requests and answers are JSON and plain bytes, never pickles: what a decoder was made to do in
the child cannot become code in the process that asked.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from encoders.bounded_child import READY, RefusedError

STALLED_S = 120.0
"""Seconds by the clock after which an answer is given up: storage that hangs, not a bad file."""


@dataclass(frozen=True)
class Limits:
    """What reading one file may take.

    Attributes:
        memory: bytes of address space beyond what the idle process has.
        cpu_s: whole seconds of processor time. Not of the clock: a busy machine must not turn a
            good file into a refused one.
        bytes_a_second: a file so large that it would take longer at this pace gets that longer:
            20,000 frames of an fMRI, 150 MB, take 12 s to parse.
    """

    memory: int = 1 << 30
    cpu_s: int = 5
    bytes_a_second: int = 5_000_000

    def cpu_for(self, size: int) -> int:
        """Seconds of processor time that a file of ``size`` bytes may take."""
        return max(self.cpu_s, size // self.bytes_a_second)


class BoundedProcess:
    """Asks a child process, one request at a time, and starts it again when a file killed it.

    Use it as a context manager, from one thread.

    Args:
        module: run with ``python -m``; calls ``encoders.bounded_child.answer_requests``.
        limits: for each request.
        stalled_s: seconds by the clock after which an answer is given up.
    """

    def __init__(
        self, module: str, limits: Limits | None = None, *, stalled_s: float = STALLED_S
    ) -> None:
        self._module = module
        self._limits = limits or Limits()
        self._stalled_s = stalled_s
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        self._child = _Child(self._module, self._limits)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None

    def ask(self, request: Any, *, about: Path | None = None) -> tuple[Any, bytearray]:
        """The child's answer to a request that JSON can say, and the bytes that go with it.

        ``about`` is the file in question, whose size decides how long it may take.

        Raises:
            RefusedError: the file is at fault: the child says so, died on it, or met a limit.
            ChildProcessError: not the file's fault, and worth trying again: the child cannot
                start, was killed from outside, or does not answer.
        """
        if self._child is None:
            self._child = _Child(self._module, self._limits)
        cpu_s = self._limits.cpu_for(_size(about))
        try:
            return self._child.ask([cpu_s, request], self._stalled_s)
        except (EOFError, ConnectionError, TimeoutError) as fault:
            raise self._reason(self._child, fault, cpu_s) from fault

    def _reason(
        self, child: "_Child", fault: Exception, cpu_s: int
    ) -> RefusedError | ChildProcessError:
        exit_code = child.end()
        self._child = None
        killed = -exit_code in (signal.SIGKILL, signal.SIGTERM)
        if isinstance(fault, TimeoutError):
            return ChildProcessError(f"no answer in {self._stalled_s:g} s; is the storage slow?")
        if killed or not child.ready:
            return ChildProcessError(f"{self._module} ended with exit code {exit_code}")
        if exit_code == -signal.SIGPROF:
            return RefusedError(
                f"reading it takes more than the {cpu_s} s of processor time allowed"
            )
        if exit_code >= 0:
            return RefusedError("reading it met a fault of this program; see the log's traceback")
        name = signal.Signals(-exit_code).name
        return RefusedError(f"a decoder died on it ({name}); send the object again, uncompressed")


def _size(path: Path | None) -> int:
    return path.stat().st_size if path is not None and path.exists() else 0


class _Child:
    """One child process and our end of its connection."""

    def __init__(self, module: str, limits: Limits) -> None:
        self.ready = False
        self._connection, theirs = Pipe()
        descriptor = theirs.fileno()
        # its warnings may quote values, names among them; -P keeps the working folder out
        command = [sys.executable, "-P", "-W", "ignore", "-m", module]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(descriptor), str(limits.memory)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                # arithmetic on one image gains nothing from threads, and each takes memory
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )

    def ask(self, request: Any, stalled_s: float) -> tuple[Any, bytearray]:
        """Send a request and wait for its answer.

        Raises:
            RefusedError: as the child says.
            EOFError, ConnectionError: the child is no more.
            TimeoutError: it does not answer.
        """
        if not self.ready:
            self.ready = self._received(stalled_s) == READY
        self._connection.send_bytes(json.dumps(request).encode())
        head = json.loads(self._received(stalled_s))
        data = bytearray(head["bytes"])
        if data:
            self._connection.recv_bytes_into(data)
        if "refused" in head:
            raise RefusedError(head["refused"])
        return head["said"], data

    def _received(self, stalled_s: float) -> bytes:
        if not self._connection.poll(stalled_s):
            raise TimeoutError
        return self._connection.recv_bytes()

    def end(self) -> int:
        """Close the connection, kill the process if it still works, and return its exit code."""
        self._connection.close()
        try:
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
