"""SIGKILL two hundred times under four DCMTK senders, as a Markdown table.

Run ``python -m benchmarks.kills``. A real node (embedded PostgreSQL, a temporary folder) receives
from four ``storescu`` at once, small radiographs and CT series of eight slices. All processes of
the node, or in a second run the first process of its PostgreSQL, are killed at random moments;
the node is started again, PostgreSQL is left to the node. In the end every SOP instance that was
answered with 0x0000 is looked for, and ``likeness verify`` compares index and database.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from benchmarks.machine import as_list, provenance
from tests.end_to_end.running import node_in
from tests.end_to_end.storm import Account, Storm, draw_account, wait_until_settled
from tests.waiting import wait_until

NODE_WITHIN_S = 6.0
"""A node is ready some 3 s after its start: half of the kills fall into starting and adopting."""
POSTGRES_WITHIN_S = 3.0
SETTLED_WITHIN_S = 1800.0


@dataclass(frozen=True)
class Outcome:
    """One run: what was killed how often, and what became of what was acknowledged."""

    what: str
    kills: int
    account: Account
    verify: str
    duration_s: float

    @property
    def row(self) -> str:
        """Its line of the table."""
        account = self.account
        found = account.acknowledged - len(account.not_searchable)
        cells = (
            *(self.what, self.kills, account.acknowledged, found, account.studies),
            *(account.embeddings, len(account.faults), self.verify, f"{self.duration_s / 60:.0f}"),
        )
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


def run(what: str, kills: int, seed: int) -> Outcome:
    """Kills the node or its PostgreSQL so often, and draws the account."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, node_in(Path(folder)) as node:
        Path(folder).chmod(0o755)  # the embedded server has a user of its own
        node.start()
        storm = Storm.over(node, Path(folder) / "sent", seed=seed)
        wait_until(lambda: len(storm.acknowledged) >= 4, "the storm to begin")
        kill: dict[str, Callable[[], None]] = {
            "node": lambda: storm.kill_node(within_s=NODE_WITHIN_S),
            "PostgreSQL": lambda: storm.kill_postgres(within_s=POSTGRES_WITHIN_S),
        }
        with tqdm(total=kills, desc=what, disable=None) as progress:
            while storm.kills[what] < kills:
                kill[what]()
                progress.update(storm.kills[what] - progress.n)
        node.wait_until_ready()
        storm.stop()
        wait_until_settled(node, SETTLED_WITHIN_S)
        account = draw_account(node, storm.acknowledged)
        verified = node.likeness("verify")
        verify = "clean" if verified.returncode == 0 else verified.stdout.strip()
    return Outcome(what, kills, account, verify, time.monotonic() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--what", choices=("node", "PostgreSQL"), action="append")
    chosen = parser.parse_args()
    print("\n".join(as_list(provenance("benchmarks.kills"))) + "\n")
    print(
        "| killed | times | acknowledged | of them searchable | studies | vectors | faults "
        "| verify | minutes |\n|---|---|---|---|---|---|---|---|---|"
    )
    faults: list[str] = []
    for what in chosen.what or ("node", "PostgreSQL"):
        outcome = run(what, chosen.kills, chosen.seed)
        print(outcome.row, flush=True)
        faults += outcome.account.faults
    for fault in faults:
        print(f"- {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
