"""SIGKILL to node and archives: every report that was made is in every archive, once.

``python -m benchmarks.delivery_kills`` does the same 200 times.
"""

import random
from pathlib import Path

import pytest

from tests.end_to_end.destinations import (
    Destination,
    Killer,
    account,
    settings_of,
    wait_until_delivered,
)
from tests.end_to_end.running import node_in
from tests.end_to_end.storm import Storm, wait_until_settled
from tests.waiting import wait_until


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.long)])
def test_every_report_is_in_every_archive_once_whatever_dies(tmp_path: Path, kills: int) -> None:
    archives = [Destination(name, tmp_path / name) for name in ("first", "second")]
    extra = settings_of(archives, ["STORM0", "STORM1"])
    with node_in(tmp_path, extra=extra) as node:
        for archive in archives:
            archive.start()
        try:
            node.start()
            storm = Storm.over(node, tmp_path / "sent", senders=2, rest_s=0.5)
            wait_until(lambda: any(archives[0].folder.iterdir()), "the first report", 60)
            killer = Killer(node, archives, random.Random(kills))
            while sum(killer.kills.values()) < kills:
                killer.kill(node_within_s=6, destination_within_s=2)
            node.wait_until_ready()
            storm.stop()
            wait_until_settled(node, 240)
            wait_until_delivered(node, 240)
            delivered = account(node, archives)
        finally:
            for archive in archives:
                archive.kill()
    assert delivered.reports >= 2
    assert delivered.faults == []
    assert delivered.objects == 2 * 2 * delivered.reports  # report and picture, in two archives
