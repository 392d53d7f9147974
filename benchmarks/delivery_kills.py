"""SIGKILL two hundred times, now to the node, now to the archives that its reports go to.

Run ``python -m benchmarks.delivery_kills``. A real node (embedded PostgreSQL, a temporary folder)
receives from two ``storescu`` and sends each report with its picture to two ``storescp``. At random
moments all processes of the node, or one of the archives, are killed and started again. In the
end every report in the node's database is looked for in both archives, element for element, and
every object of the archives in the database.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks.machine import as_list, provenance
from tests.end_to_end.destinations import (
    Destination,
    Killer,
    account,
    settings_of,
    wait_until_delivered,
)
from tests.end_to_end.running import node_in
from tests.end_to_end.storm import Storm, wait_until_settled

CALLERS = ("STORM0", "STORM1")
NODE_WITHIN_S = 6.0
"""A node is ready some 3 s after its start: half of the kills fall into starting."""
ARCHIVE_WITHIN_S = 2.0
REST_S = 0.5
SETTLED_WITHIN_S = 3600.0


def run(folder: Path, kills: int, seed: int) -> tuple[str, list[str]]:
    """The line of the table, and the faults."""
    began = time.monotonic()
    archives = [Destination(name, folder / name) for name in ("first", "second")]
    with node_in(folder, extra=settings_of(archives, CALLERS)) as node:
        for archive in archives:
            archive.start()
        try:
            node.start()
            storm = Storm.over(
                node, folder / "sent", senders=len(CALLERS), seed=seed, rest_s=REST_S
            )
            killer = Killer(node, archives, random.Random(seed))
            for _ in tqdm(range(kills), disable=None):
                killer.kill(node_within_s=NODE_WITHIN_S, destination_within_s=ARCHIVE_WITHIN_S)
            node.wait_until_ready()
            storm.stop()
            wait_until_settled(node, SETTLED_WITHIN_S)
            wait_until_delivered(node, SETTLED_WITHIN_S)
            found = account(node, archives)
        finally:
            for archive in archives:
                archive.kill()
    minutes = (time.monotonic() - began) / 60
    cells = (
        *(killer.kills["node"], killer.kills["destination"], found.reports, found.objects),
        *(len(found.missing), len(found.unknown), f"{minutes:.0f}"),
    )
    return "| " + " | ".join(map(str, cells)) + " |", found.faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print("\n".join(as_list(provenance("benchmarks.delivery_kills"))) + "\n")
    print(
        "| kills of the node | of the archives | reports made | objects in the archives "
        "| missing | unknown | minutes |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the embedded server has a user of its own
        row, faults = run(Path(folder), chosen.kills, chosen.seed)
    print(row)
    for fault in faults[:50]:
        print(f"- {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
