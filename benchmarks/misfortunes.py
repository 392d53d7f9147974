"""What befalls a receiving node, and what it costs: the long forms of ``test_misfortunes``.

Run ``python -m benchmarks.misfortunes``. Each misfortune gets a receiving process of its own.
After each the node answers C-ECHO, every instance that was acknowledged is in its spool and
nothing else is, and nothing half written is left; the run fails where that is not so.
"""

import argparse
import logging
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from time import monotonic

from benchmarks.machine import as_list, provenance
from tests.conftest import find_free_port
from tests.dicom_node import misfortunes
from tests.dicom_node.misfortunes import MB, Suffered, Watched, suffer
from tests.dicom_node.receiving import receiver

PATIENCE_S = 2.0
"""Of the node with the silent, instead of the half minute and the five minutes of the defaults."""


def table(scale: float) -> dict[str, Callable[[Watched], None]]:
    """Return the misfortunes by what they are; ``scale`` 1 is what the promise speaks of."""

    def times(count: int) -> int:
        return max(int(count * scale), 1)

    return {
        f"{times(10_000)} mutated PDU streams": partial(
            misfortunes.mutated_streams, count=times(10_000)
        ),
        f"{times(500)} idle connections": partial(misfortunes.idle_connections, count=times(500)),
        f"{times(100)} times half a PDU, then silence": partial(
            misfortunes.half_a_pdu, count=times(100)
        ),
        f"{times(500)} connections that say nothing": partial(
            misfortunes.silence, count=times(500)
        ),
        f"{times(1000)} aborts in mid-instance": partial(misfortunes.aborts, count=times(1000)),
        f"one instance of {times(200)} MB": partial(
            misfortunes.large_instance, size=times(200) * MB
        ),
        f"a study of {times(5000)} instances, one association": partial(
            misfortunes.study, count=times(5000)
        ),
        f"{times(10_000)} associations, one after the other": partial(
            misfortunes.associations, count=times(10_000)
        ),
    }


def suffered(misfortune: Callable[[Watched], None], folder: Path) -> tuple[Suffered, float]:
    """Return what it cost, and how many seconds it took."""
    patience = {"idle_timeout_s": PATIENCE_S, "request_timeout_s": PATIENCE_S}
    with receiver(folder, find_free_port(), **patience) as (_, node):
        (pid,) = [child.pid for child in active_children() if child.pid is not None]
        began = monotonic()
        cost = suffer(Watched(node, pid), misfortune)
        return cost, monotonic() - began


def rows(scale: float) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| misfortune | seconds | RSS at most, MB | RSS after, MB | descriptors after |"
    yield "|---|---|---|---|---|"
    for name, misfortune in table(scale).items():
        with tempfile.TemporaryDirectory() as folder:
            cost, seconds = suffered(misfortune, Path(folder))
        cells = (f"{seconds:.1f}", f"{cost.peak / MB:+.1f}", f"{cost.after / MB:+.1f}")
        yield f"| {name} | {' | '.join(cells)} | {cost.descriptors:+d} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers; 1 is all")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print("\n".join(as_list(provenance("benchmarks.misfortunes"))), end="\n\n")
    for line in rows(arguments.scale):
        print(line, flush=True)


if __name__ == "__main__":
    main()
