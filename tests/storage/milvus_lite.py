"""Milvus Lite's server: what tests speak to where a site has a cluster."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.outages import StoreError
from storage.stores.milvus_server import Address, MilvusServer
from tests.waiting import wait_until

_START_S = 60


@contextmanager
def milvus_lite(folder: Path, port: int) -> Iterator[Address]:
    """A server of its own, up for the block; what it says goes to a file in the folder."""
    address = Address(f"http://127.0.0.1:{port}", timeout_s=20)
    command = [sys.executable, "-m", "milvus_lite", "server"]
    with (folder / "milvus.log").open("a") as said:
        process = subprocess.Popen(
            [
                *command,
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--data-dir",
                str(folder / "data"),
            ],
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: _answers(address), "Milvus Lite to answer", _START_S)
            yield address
        finally:
            process.terminate()
            process.wait(20)


def _answers(address: Address) -> bool:
    try:
        MilvusServer(Address(address.uri, timeout_s=1)).close()
    except StoreError:
        return False
    return True
