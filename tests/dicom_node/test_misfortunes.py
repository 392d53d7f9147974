"""Misfortunes in small: the node answers afterwards, has what it acknowledged, and shrinks again.

The long forms, with their figures, are ``python -m benchmarks.misfortunes``.
"""

import inspect
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from dicom_node import admission, pressure, receiver_process, scp, storing
from dicom_node.upper_layer import association, listener
from tests.dicom_node import misfortunes
from tests.dicom_node.misfortunes import MB, Suffered, Watched, suffer
from tests.dicom_node.receiving import receiver
from tests.waiting import wait_until

BACK_TO = 50 * MB


@contextmanager
def watched(folder: Path, port: int, **dicom: Any) -> Iterator[Watched]:
    """A receiving process of its own."""
    with receiver(folder, port, **dicom) as (_, node):
        (pid,) = [child.pid for child in active_children() if child.name == "likeness-receiver"]
        assert pid is not None
        yield Watched(node, pid)


def _is_over(suffered: Suffered) -> None:
    assert suffered.after < BACK_TO
    assert suffered.descriptors == 0


@pytest.mark.parametrize(
    "misfortune",
    [
        partial(misfortunes.mutated_streams, count=500),
        partial(misfortunes.aborts, count=50),
        partial(misfortunes.study, count=300),
    ],
    ids=["mutated streams", "aborts", "a study"],
)
def test_it_goes_on_as_before(
    tmp_path: Path, free_port: int, misfortune: Callable[[Watched], None]
) -> None:
    with watched(tmp_path, free_port) as node:
        _is_over(suffer(node, misfortune))


def test_idle_connections_keep_nobody_out(tmp_path: Path, free_port: int) -> None:
    with watched(tmp_path, free_port) as node:
        _is_over(suffer(node, partial(misfortunes.idle_connections, count=500)))
        assert len(node.node.names()) == 2


def test_connections_may_outnumber_the_soft_limit_of_descriptors(
    tmp_path: Path, free_port: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
        try:
            node = stack.enter_context(watched(tmp_path, free_port))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        _is_over(suffer(node, partial(misfortunes.idle_connections, count=200)))


@pytest.mark.parametrize(
    "misfortune", [misfortunes.half_a_pdu, misfortunes.silence], ids=["half a PDU", "silence"]
)
def test_silence_is_ended(tmp_path: Path, free_port: int, misfortune: Callable[..., None]) -> None:
    patience = {"idle_timeout_s": 0.3, "request_timeout_s": 0.3}
    with watched(tmp_path, free_port, **patience) as node:
        _is_over(suffer(node, partial(misfortune, count=20)))
        # the last of them is told a moment after its connection has ended
        wait_until(
            lambda: node.node.outcomes().count("timed out") >= 20, "all to be told as timed out"
        )
        assert node.node.outcomes().count("timed out") == 20


def test_a_large_instance_takes_little_memory(tmp_path: Path, free_port: int) -> None:
    with watched(tmp_path, free_port) as node:
        suffered = suffer(node, partial(misfortunes.large_instance, size=100 * MB))
        _, name = node.node.names()
        assert node.node.spool.path(name).stat().st_size > 100 * MB
    assert suffered.peak < 20 * MB
    _is_over(suffered)


def test_many_associations_one_after_the_other(tmp_path: Path, free_port: int) -> None:
    with watched(tmp_path, free_port) as node:
        suffered = suffer(node, partial(misfortunes.associations, count=300))
    assert suffered.after < 20 * MB
    _is_over(suffered)


@pytest.mark.parametrize(
    "module", [admission, association, listener, pressure, receiver_process, scp, storing]
)
def test_no_wait_depends_on_the_wall_clock(module: object) -> None:
    """A clock that jumps must neither end associations nor keep silent ones."""
    source = inspect.getsource(module)  # type: ignore[arg-type]
    assert "time.time(" not in source
    assert "datetime" not in source
