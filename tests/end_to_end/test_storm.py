"""SIGKILL under four senders: what was acknowledged is searchable, nothing is lost or twice.

``python -m benchmarks.kills`` does the same 200 times.
"""

from pathlib import Path

import pytest

from tests.end_to_end.running import node_in
from tests.end_to_end.storm import Storm, draw_account, wait_until_settled
from tests.waiting import wait_until


@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", ["node", "PostgreSQL"])
@pytest.mark.parametrize("kills", [1, pytest.param(30, marks=pytest.mark.long)])
def test_what_was_acknowledged_is_searchable_whatever_dies(
    tmp_path: Path, what: str, kills: int
) -> None:
    with node_in(tmp_path) as node:
        node.start()
        storm = Storm.over(node, tmp_path / "sent", seed=kills)
        wait_until(lambda: len(storm.acknowledged) >= 4, "the storm to begin")
        while storm.kills[what] < kills:
            if what == "node":
                storm.kill_node(within_s=6)
            else:
                storm.kill_postgres(within_s=3)
        node.wait_until_ready()
        storm.stop()
        wait_until_settled(node, 240)
        account = draw_account(node, storm.acknowledged)
        assert account.acknowledged >= 4
        assert account.faults == []
        assert node.likeness("verify").returncode == 0
