"""A database that comes late or goes away: the node receives meanwhile, and works afterwards."""

import threading
from pathlib import Path

import pytest

from storage.embedded import EmbeddedServer
from tests.dicom_node.objects import radiograph, written
from tests.end_to_end.running import node_in


def test_a_node_receives_before_its_database_is_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # the server has a user of its own
    late = EmbeddedServer(tmp_path / "site" / "postgres")
    late.close()
    with node_in(tmp_path, extra=f"database_url = {late.url!r}") as node:
        node.launch()
        node.wait_until_it_says("receives on ")
        node.wait_until_it_says("the node waits for the database")
        node.store(written(tmp_path / "a.dcm", radiograph()))
        server = EmbeddedServer(tmp_path / "site" / "postgres")
        try:
            node.wait_until_ready()
            node.wait_until_worked(1)
            node.stop()
        finally:
            server.close()
    assert "study 1.2.826.0.1.1 is closed and queued" in node.log


@pytest.mark.parametrize("away_s", [0.0, pytest.param(60.0, marks=pytest.mark.long)])
def test_what_comes_while_the_database_is_away_is_worked_afterwards(
    tmp_path: Path, away_s: float
) -> None:
    tmp_path.chmod(0o755)
    folder = tmp_path / "site" / "postgres"
    server = EmbeddedServer(folder)
    with node_in(tmp_path, extra=f"database_url = {server.url!r}") as node:
        node.start()
        server.close()
        for number in range(5):
            image = radiograph(f"1.2.9.{number}.1.1", study=f"1.2.9.{number}")
            node.store(written(tmp_path / f"{number}.dcm", image))
        node.wait_until_it_says("intake waits for the database")
        threading.Event().wait(away_s)  # how long it is away is what is tried
        server = EmbeddedServer(folder)
        try:
            node.wait_until_worked(5)
            assert node.status()["studies"] == {"indexed": 5}
            assert node.likeness("verify").returncode == 0
            node.stop()
        finally:
            server.close()
    assert "intake goes on" in node.log


def test_a_node_that_waits_for_its_database_can_be_stopped(tmp_path: Path) -> None:
    with node_in(tmp_path, extra="database_url = 'postgresql://127.0.0.1:1/x'") as node:
        node.launch()
        node.wait_until_it_says("the node waits for the database")
        assert node.stop() == 0
