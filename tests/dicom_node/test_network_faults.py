"""A network that is lost costs no study anything; an image that it cannot take costs its own."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from dicom_node.network_faults import NetworkFaults, NetworkLostError
from dicom_node.settings import WorkSettings
from dicom_node.worker_loop import WorkerLoop
from encoders.encoder import EncoderError, Prepared
from storage.queue import SUSPECT
from tests.dicom_node.worked import WatchedEncoder, WorkedNode, running, worked_node
from tests.waiting import wait_until

LOST = RuntimeError("CUDA error: unspecified launch failure")
OTHER = ValueError("no such kernel")
TOLD = EncoderError("no memory for one image")
FIRST = "1.6"
SIX = tuple(f"1.5.{number}" for number in range(6))

Batch = tuple[int, list[tuple[int, Exception]]]


@pytest.mark.parametrize(
    ("batches", "is_lost"),
    [
        ([(2, [(1, LOST), (2, LOST)])], True),
        ([(1, [(1, LOST)]), (1, [(2, LOST)])], True),
        ([(1, [(1, LOST)]), (3, [(2, LOST), (2, LOST), (2, LOST)])], True),
        ([(2, [(1, LOST), (2, OTHER)])], True),
        ([(3, [(1, LOST), (2, LOST)])], False),  # the third has its vector
        ([(1, [(1, LOST)])] * 9, False),  # the same study again and again
        ([(2, [(1, LOST), (1, LOST)])], False),
        ([(1, [(1, LOST)]), (1, []), (1, [(2, LOST)])], False),
        ([(1, [(1, LOST)]), (1, [(2, OTHER)])], False),
        ([(3, [(1, TOLD), (2, TOLD), (3, TOLD)])], False),
        ([(2, [(1, LOST), (2, TOLD)]), (1, [(3, LOST)])], False),
    ],
)
def test_two_studies_in_a_row_tell_that_the_network_is_lost(
    batches: list[Batch], is_lost: bool
) -> None:
    faults, raised = NetworkFaults(), []
    for tried, found in batches:
        try:
            faults.note(tried, found)
        except NetworkLostError as lost:
            raised.append(str(lost))
    assert bool(raised) is is_lost
    assert all("no vector to any image of 2 studies" in told for told in raised)


class PoisonedEncoder(WatchedEncoder):
    """A forward pass with a poisonous image ends as one on a lost GPU does.

    Attributes:
        sticks: whether none ends well from then on.
        lost: whether that is so now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sticks = self.lost = False

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """The descriptors, once the gate is open."""
        found = super().infer(prepared)
        is_poisoned = not np.isfinite(found).all()
        self.lost = self.lost or (self.sticks and is_poisoned)
        if self.lost or is_poisoned:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return found


@pytest.fixture
def encoder() -> PoisonedEncoder:
    return PoisonedEncoder()


@pytest.fixture
def node(engine: Engine, tmp_path: Path, encoder: PoisonedEncoder) -> Iterator[WorkedNode]:
    soon = {"work": WorkSettings(first_wait_s=0.01)}
    with worked_node(engine, tmp_path, encoder=encoder, sections=soon) as made:
        yield made
        encoder.gate.set()


def _in_one_batch(node: WorkedNode, encoder: WatchedEncoder) -> None:
    """Six studies wait for a forward pass while another has it; then they go together."""
    encoder.gate.clear()
    node.queue(FIRST)
    wait_until(lambda: encoder.batches[-1:] == [1], "the first to be in the network")
    node.queue(*SIX)
    wait_until(lambda: len(encoder.prepared) == 7, "the others to be read")
    encoder.gate.set()


def _run_until_lost(node: WorkedNode, lost: list[str]) -> threading.Thread:
    def run() -> None:
        with pytest.raises(NetworkLostError) as caught:
            node.loop.run(threading.Event())
        lost.append(str(caught.value))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_of_a_lost_network_the_worker_ends_and_all_is_given_back_uncounted(
    node: WorkedNode, encoder: PoisonedEncoder
) -> None:
    """Then another worker works it all."""
    encoder.poisons = {f"{uid}.1.1" for uid in SIX}
    lost: list[str] = []
    thread = _run_until_lost(node, lost)
    _in_one_batch(node, encoder)
    thread.join(60)
    assert "of 6 studies (RuntimeError: CUDA error: unspecified launch failure)" in lost[0]
    first, *others = node.jobs()
    assert first in {("done", 1), ("queued", 0)}  # perhaps not written yet
    assert others == [("queued", 0)] * 6
    assert _reasons(node)[1:] == [SUSPECT] * 6
    encoder.poisons.clear()
    _work_anew(node)
    assert node.jobs() == [("done", 1)] * 7


def _reasons(node: WorkedNode) -> list[str | None]:
    with node.engine.connect() as connection:
        return list(connection.execute(text("SELECT reason FROM jobs ORDER BY id")).scalars())


def _is_over(node: WorkedNode) -> bool:
    return {state for state, _ in node.jobs()} <= {"done", "failed"}


def _work_anew(node: WorkedNode) -> None:
    """Another worker's loop, until all is over or its network is lost."""
    stop, ended = threading.Event(), threading.Event()
    with WorkerLoop(node.worker) as loop:

        def run() -> None:
            with suppress(NetworkLostError):
                loop.run(stop)
            ended.set()

        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: ended.is_set() or _is_over(node), "the worker to end")
        stop.set()
        thread.join()


def test_a_poisonous_image_among_good_ones_sets_its_study_aside(
    node: WorkedNode, encoder: PoisonedEncoder
) -> None:
    encoder.poisons = {"1.5.3.1.1"}
    with running(node.loop.run):
        _in_one_batch(node, encoder)
        wait_until(lambda: _is_over(node), "all to be worked")
    assert [uid for uid in (FIRST, *SIX) if node.state(uid)[0] != "indexed"] == ["1.5.3"]
    assert "CUDA error" in node.state("1.5.3")[1]
    assert node.jobs().count(("failed", 3)) == 1


def test_an_image_of_which_the_network_is_lost_is_set_aside_at_last(
    node: WorkedNode, encoder: PoisonedEncoder
) -> None:
    """As a fault in a kernel of the GPU does, which ends all that its process may do there."""
    encoder.poisons, encoder.sticks = {"1.5.0.1.1"}, True
    thread = _run_until_lost(node, [])
    _in_one_batch(node, encoder)
    thread.join(60)
    lives = 0
    while not _is_over(node):
        encoder.lost = False
        _work_anew(node)
        lives += 1
    assert [uid for uid in (FIRST, *SIX) if node.state(uid)[0] != "indexed"] == ["1.5.0"]
    assert lives <= 4
