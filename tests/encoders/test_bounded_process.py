"""What ends a child process decides who is blamed: the file, the machine, or ourselves."""

from pathlib import Path

import pytest

from encoders.bounded_child import RefusedError
from encoders.bounded_process import BoundedProcess, Limits

CHILD = """
import sys
import time
from encoders.bounded_child import RefusedError, answer_requests

def answer(request):
    if request == "refuse":
        raise RefusedError("no such thing")
    if request == "exhaust":
        bytes(1 << 40)
    if request == "spin":
        while True:
            pass
    if request == "work":
        until = time.process_time() + 0.5
        while time.process_time() < until:
            pass
    if request == "blunder":
        raise KeyError("a fault of ours")
    return request, memoryview(b"more")

if __name__ == "__main__":
    answer_requests(answer, sys.argv[1:])
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that answers with what it was asked."""
    (tmp_path / "answering_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "answering_child"


@pytest.mark.parametrize("request_", [0, "a", [1, None], {"\ud800": 1.5}])
def test_requests_and_answers_are_json_and_bytes(child: str, request_: object) -> None:
    with BoundedProcess(child) as process:
        said, data = process.ask(request_)
        assert (said, bytes(data)) == (request_, b"more")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ("refuse", "no such thing"),
        ("exhaust", "1024 MiB of memory"),
        ("spin", "1 s of processor time"),
        ("blunder", "a fault of this program"),
    ],
)
def test_a_file_at_fault_is_refused_and_the_next_is_answered(
    child: str, request_: str, reason: str
) -> None:
    with BoundedProcess(child, Limits(cpu_s=1)) as process:
        with pytest.raises(RefusedError, match=reason):
            process.ask(request_)
        assert process.ask("next")[0] == "next"


def test_processor_time_is_each_requests_own(child: str) -> None:
    with BoundedProcess(child, Limits(cpu_s=1)) as process:
        assert [process.ask("work")[0] for _ in range(4)] == ["work"] * 4


def test_a_child_that_cannot_start_blames_no_file() -> None:
    with (
        BoundedProcess("there_is_no_such_module") as process,
        pytest.raises(ChildProcessError, match="exit code 1"),
    ):
        process.ask("anything")


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 5), (25_000_000, 5), (29_999_999, 5), (150_000_000, 30)]
)
def test_large_files_may_take_longer(size: int, expected: int) -> None:
    assert Limits().cpu_for(size) == expected
