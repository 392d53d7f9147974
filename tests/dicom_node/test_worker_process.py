"""A worker's first word to its node, whatever its start comes to."""

from collections.abc import Callable
from multiprocessing import Pipe

import pytest

from dicom_node.changeover.start import MustEmbedAgainError
from dicom_node.child_process import Tether
from dicom_node.rounds import StoppedWaitingError
from dicom_node.worker_process import ready_with
from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderError
from encoders.registry import create
from storage.outages import UnreachableError

Start = Callable[[], CheckedEncoder]


def _start(*faults: Exception) -> Start:
    """A start that fails so, and then succeeds."""
    left = list(faults)

    def start() -> CheckedEncoder:
        if left:
            raise left.pop(0)
        return create("baseline")

    return start


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.rounds.WAIT_S", 0.01)


def _said(start: Start, *, stopped: bool = False) -> tuple[str, bool]:
    """The first word, and whether there is an encoder."""
    ours, theirs = Pipe(duplex=False)
    ends, end = Pipe(duplex=False)
    with ours, theirs, ends, end:
        tether = Tether(theirs, ends)
        if stopped:
            tether.stop.set()
        encoder = ready_with(start, tether)
        return ours.recv(), encoder is not None


def test_with_its_encoder_it_is_ready() -> None:
    assert _said(_start()) == ("", True)


@pytest.mark.parametrize("fault", [EncoderError("no weights"), ValueError("no weights")])
def test_without_one_it_says_why(fault: Exception) -> None:
    assert _said(_start(fault)) == ("no weights", False)


def test_an_outage_at_the_start_does_not_keep_the_node_from_starting(quick: None) -> None:
    away = UnreachableError("refused")
    assert _said(_start(away, away, away)) == ("", True)


def test_during_an_outage_it_can_be_stopped(quick: None) -> None:
    with pytest.raises(StoppedWaitingError):
        _said(_start(*[UnreachableError("refused")] * 1000), stopped=True)


def test_a_worker_that_must_wait_is_ready() -> None:
    with pytest.raises(MustEmbedAgainError):
        _said(_start(MustEmbedAgainError("its weights are gone", in_use="a")))
