"""A worker's first word to its node, whatever its start comes to."""

from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dicom_node.changeover.start import MustEmbedAgainError
from dicom_node.child_process import Tether
from dicom_node.rounds import StoppedWaitingError
from dicom_node.settings import EncoderSettings, Settings
from dicom_node.worker_process import _work, ready_with
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


def test_what_is_compiled_is_compiled_after_the_word(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes minutes, which the node does not wait; whether there is an encoder it knows."""
    made: list[tuple[bool, bool]] = []
    ours, theirs = Pipe(duplex=False)
    ends, end = Pipe(duplex=False)

    def make(_: Engine, asked: Settings, *, node: str) -> CheckedEncoder:
        made.append((asked.encoder.compile, ours.poll()))
        if asked.encoder.compile:
            raise EncoderError(f"no compiler at {node}")
        return create("baseline")

    monkeypatch.setattr("dicom_node.worker_process.encoder_to_work_with", make)
    settings = Settings(data_folder=tmp_path, encoder=EncoderSettings(compile=True))
    with ours, theirs, ends, end, pytest.raises(EncoderError, match="no compiler at"):
        _work(Tether(theirs, ends), settings, database_url)
    assert made == [(False, False), (True, True)]
