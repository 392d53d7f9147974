"""What a request to a reading process takes: time, processor time, memory, and whether it lives."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What one request took.

    Attributes:
        wall_s, cpu_s: seconds by the clock, and of the child's processor time; the latter 0
            where the child died.
        peak: bytes of resident memory at most, beyond those before the request; 0 likewise.
        died: whether another process, or none, is there now.
    """

    wall_s: float
    cpu_s: float
    peak: int
    died: bool


class Watched(Generic[T]):
    """Asks a reader, and watches its child process.

    Args:
        module: what the child runs.
        read: asks the reader for one file.
        refusals: exceptions that are an answer: the file's fault, with a reason.
    """

    def __init__(
        self, module: str, read: Callable[[Path], T], refusals: tuple[type[Exception], ...]
    ) -> None:
        self._module = module
        self._read = read
        self._answers: tuple[type[Exception], ...] = (*refusals, ChildProcessError)

    def ask(self, path: Path) -> tuple[T | Exception, Cost]:
        """The reader's answer, or the exception that stands for one, and what it took."""
        child = child_running(self._module)
        cpu_s, memory = (_cpu_s(child), _resident(child)) if child else (0.0, 0)
        if child:
            _forget_peak(child)
        begun = time.perf_counter()
        answer = self._answer(path)
        wall_s = time.perf_counter() - begun
        if child is None or child_running(self._module) != child:
            return answer, Cost(wall_s, 0.0, 0, died=child is not None)
        return answer, Cost(wall_s, _cpu_s(child) - cpu_s, _peak(child) - memory, died=False)

    def _answer(self, path: Path) -> T | Exception:
        try:
            return self._read(path)
        except self._answers as fault:
            return fault


def child_running(module: str) -> int | None:
    """The process id of our living child that runs a module."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    found = (int(pid) for pid in listed.split())
    return next((pid for pid in found if module in _arguments(pid)), None)


def _arguments(child: int) -> list[str]:
    return Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")


def _cpu_s(child: int) -> float:
    # utime and stime, 14th and 15th field of proc(5) stat; the 2nd is in parentheses
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident(child: int) -> int:
    return _status(child, "VmRSS")


def _peak(child: int) -> int:
    return _status(child, "VmHWM")


def _status(child: int, name: str) -> int:
    for line in Path(f"/proc/{child}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0  # a zombie has no memory


def _forget_peak(child: int) -> None:
    Path(f"/proc/{child}/clear_refs").write_text("5")  # proc(5): resets VmHWM
