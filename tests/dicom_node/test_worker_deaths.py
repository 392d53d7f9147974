"""A study that kills the worker's process: the others pay nothing for it."""

import multiprocessing
import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dicom_node.worker_loop import DEATHS
from encoders.encoder import Prepared
from encoders.image import GrayscaleImage
from storage.database import connect
from tests.dicom_node.worked import WatchedEncoder, worked_node

POISON = "1.5.7"
DEADLY = 66


class DeadlyEncoder(WatchedEncoder):
    """Ends its process at one image, as a fault in native code does."""

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """The descriptor, if it lives."""
        if image.key.startswith(POISON):
            os._exit(DEADLY)
        return super().prepare(image)


def _work(database_url: str, folder: Path) -> None:
    """A worker's process: until nothing is left to do."""
    engine = connect(database_url)
    stop = threading.Event()
    with worked_node(engine, folder, encoder=DeadlyEncoder()) as node:
        thread = threading.Thread(target=node.loop.run, args=(stop,))
        thread.start()
        while {state for state, _ in node.jobs()} & {"queued", "running"}:
            stop.wait(0.1)
        stop.set()
        thread.join()


def _lives(database_url: str, folder: Path) -> int:
    """How many processes it takes until all is done."""
    context = multiprocessing.get_context("spawn")
    for life in range(1, 3 * DEATHS):
        process = context.Process(target=_work, args=(database_url, folder))
        process.start()
        process.join()
        if process.exitcode == 0:
            return life
        assert process.exitcode == DEADLY
    raise AssertionError("it never ended")


@pytest.mark.long
def test_a_study_that_kills_the_worker_costs_the_others_no_try(
    database_url: str, engine: Engine, tmp_path: Path
) -> None:
    """It takes thirty with it the first time; from then on it dies alone, and is set aside."""
    others = [f"1.5.{number}" for number in range(31) if f"1.5.{number}" != POISON]
    with worked_node(engine, tmp_path, encoder=WatchedEncoder()) as node:
        node.queue(*others[:7], POISON, *others[7:])
        lives = _lives(database_url, tmp_path)
        assert node.state(POISON) == ("failed", f"the worker died {DEATHS} times working on it")
        assert [uid for uid in others if node.state(uid)[0] != "indexed"] == []
        states = node.jobs()
    assert states.count(("done", 1)) == 30
    assert DEATHS <= lives <= DEATHS + 2
