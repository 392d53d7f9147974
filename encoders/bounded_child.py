"""The child's side of ``encoders.bounded_process``: limits set, requests answered one by one."""

import json
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

READY = b"ready"
"""What the child says first: whatever ends it afterwards is a matter of the file it reads."""

Answer = tuple[Any, "memoryview | None"]
"""What JSON can say of the outcome, and bytes that go with it."""


class RefusedError(Exception):
    """What was asked cannot be done with this file; the message names the reason."""


def answer_requests(answer: Callable[[Any], Answer], arguments: list[str]) -> None:
    """Answer until the other end closes.

    Args:
        answer: from a request to its answer; raises RefusedError where a file is at fault. What
            else it raises ends the process, with a traceback: that is a fault of ours.
        arguments: the connection's descriptor, and bytes of memory that a request may take.
    """
    descriptor, memory = map(int, arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the process that asks
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold patient data
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory, hard))
    with Connection(descriptor) as connection, suppress(BrokenPipeError):  # nobody waits any more
        connection.send_bytes(READY)
        while (asked := _next(connection)) is not None:
            cpu_s, request = asked
            # SIGPROF then ends the process, within native code too. RLIMIT_CPU would count from its
            # start, in ticks that run away from any clock it can read: 5 s in 18,000 images
            signal.setitimer(signal.ITIMER_PROF, cpu_s)
            try:
                said, data = answer(request)
            except RefusedError as fault:
                _send(connection, {"refused": str(fault)}, None)
            except MemoryError:
                reason = f"reading it needs more than the {memory >> 20} MiB of memory allowed"
                _send(connection, {"refused": reason}, None)
            else:
                _send(connection, {"said": said}, data)


def _next(connection: Connection) -> Any:
    try:
        return json.loads(connection.recv_bytes())
    except (EOFError, ConnectionResetError):  # the parent ended, with or without a goodbye
        return None


def _send(connection: Connection, head: dict[str, Any], data: memoryview | None) -> None:
    size = 0 if data is None else data.nbytes
    connection.send_bytes(json.dumps({**head, "bytes": size}).encode())
    if data is not None:
        connection.send_bytes(data.cast("B"))


def _address_space() -> int:
    """Bytes of address space that this process has now (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
