"""A node that starts before its database: it receives at once, and works when the server comes."""

from pathlib import Path

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


def test_a_node_that_waits_for_its_database_can_be_stopped(tmp_path: Path) -> None:
    with node_in(tmp_path, extra="database_url = 'postgresql://127.0.0.1:1/x'") as node:
        node.launch()
        node.wait_until_it_says("the node waits for the database")
        assert node.stop() == 0
