"""An upgrade after which the space in use cannot be worked in, and images have no pixels any more.

Nobody can send a hospital's archive again in a night: it goes on with what can be embedded.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dicom_node.changeover import telling
from dicom_node.changeover.left_behind import may_be_left_behind, way_out
from dicom_node.changeover.progress import Lack, NodeProgress, tell_node, tell_waiting
from dicom_node.changeover.start import MustEmbedAgainError
from dicom_node.identity import device_uid
from dicom_node.settings import EncoderSettings
from dicom_node.worker_process import start_worker
from storage.changeover import LEFT_BEHIND
from storage.spaces import Maker
from tests.conftest import find_free_port
from tests.dicom_node.changeover_archive import (
    OLDER,
    become_older,
    run_to_its_end,
    study_uid,
    used,
    want,
    wanted,
    work,
)
from tests.dicom_node.receivers import peer_at
from tests.dicom_node.worked import WorkedNode, worked_node
from tests.storage.made import NODE

WAY_OUT = "--incomplete` goes on without them; sent again they are embedded"


@pytest.fixture
def node(engine: Engine, tmp_path: Path) -> Iterator[WorkedNode]:
    """Three studies worked by an earlier version; of one there are no pixels any more."""
    with worked_node(engine, tmp_path / "a") as made:
        work(made, range(3))
        for kept in made.worker.settings.kept_images_folder.glob("*/*"):
            kept.unlink()
        next(made.worker.spool.folder.rglob("*.dcm")).unlink()
        become_older(engine)
        yield made


def _upgrade(node: WorkedNode) -> str:
    with pytest.raises(MustEmbedAgainError) as waits:
        start_worker(node.engine, node.worker.settings)
    return str(waits.value)


def _fill(node: WorkedNode) -> None:
    run_to_its_end(node.engine, node.worker.settings, node=node.worker.node)


def test_it_goes_on_without_what_has_no_pixels(
    node: WorkedNode, caplog: pytest.LogCaptureFixture
) -> None:
    _upgrade(node)
    _fill(node)
    assert used(node.engine).id == node.worker.space.id
    assert "now without 1 of 3 images" in caplog.text
    assert "1 studies of which it has none are set aside" in caplog.text
    states = sorted(node.state(study_uid(number)) for number in range(3))
    assert [state for state, _ in states] == ["failed", "indexed", "indexed"]
    assert states[0][1].startswith(LEFT_BEHIND)
    start_worker(node.engine, node.worker.settings)


def test_an_archive_that_is_only_away_is_waited_for(
    node: WorkedNode, caplog: pytest.LogCaptureFixture
) -> None:
    """And the way out is told wherever it is told that the worker waits, and once in the log."""
    away = peer_at(find_free_port(), ae_title="ARCHIVE")
    changed = {"encoder": EncoderSettings(fetch_from="pacs"), "peers": (away,)}
    settings = node.worker.settings.model_copy(update=changed)
    assert "--incomplete" not in _upgrade(node)
    for _ in range(2):
        run_to_its_end(node.engine, settings, node=node.worker.node)
    assert used(node.engine).id == OLDER
    assert WAY_OUT in _upgrade(node)
    with node.engine.connect() as connection:
        assert WAY_OUT in telling.spaces_text(connection)
    assert "1 of 3 images cannot be embedded at present (" in caplog.text
    assert caplog.text.count(WAY_OUT) == 2  # once by each process


def test_who_asked_for_it_says_when_it_may_go_on_without(
    node: WorkedNode, caplog: pytest.LogCaptureFixture
) -> None:
    want(node.engine, node.worker.space, Maker("baseline"))
    _upgrade(node)
    _fill(node)
    assert used(node.engine).id == OLDER
    assert [entry.levelno for entry in caplog.records if WAY_OUT in entry.message] == [
        logging.ERROR
    ]


DONE = NodeProgress("", lacking=(Lack("gone", 1, "1.2"),), at_end=True)


@pytest.mark.parametrize(
    ("other", "ago", "waits", "may"),
    [
        (DONE, 0, True, True),
        (DONE, 0, False, False),
        (replace(DONE, at_end=False), 0, True, False),
        (replace(DONE, fault="no weights"), 0, True, False),
        (replace(DONE, lacking=(Lack("away", 2, "1.2", passing=1),)), 0, True, False),
        (replace(DONE, at_end=False), 6, False, True),
    ],
)
def test_all_nodes_that_run_must_wait_and_be_at_their_end(
    node: WorkedNode, other: NodeProgress, ago: int, waits: bool, may: bool
) -> None:
    _upgrade(node)
    engine, space = node.engine, node.worker.space.id
    now = datetime.now(UTC)
    tell_node(engine, space, node.worker.node, replace(DONE, at=now.isoformat()))
    tell_node(engine, space, NODE, replace(other, at=(now - timedelta(minutes=ago)).isoformat()))
    tell_waiting(engine, OLDER, NODE, "no encoder" if waits else None)
    found = wanted(engine)
    assert found is not None
    assert may_be_left_behind(used(engine), found) is may


def test_what_another_node_received_is_waited_for(node: WorkedNode, tmp_path: Path) -> None:
    """It has not begun; its images cannot be said to be gone until it says so itself."""
    other = node.worker.settings.model_copy(update={"data_folder": tmp_path / "b"})
    with pytest.raises(MustEmbedAgainError):
        start_worker(node.engine, other)
    run_to_its_end(node.engine, other, node=device_uid(other.data_folder))
    assert used(node.engine).id == OLDER
    assert "it was received by another node" in (way_out(wanted(node.engine)) or "")
    _upgrade(node)
    _fill(node)
    run_to_its_end(node.engine, other, node=device_uid(other.data_folder))  # tried once more
    assert used(node.engine).id == node.worker.space.id
