"""The process that reads headers is started with each node, and again after each death: lightly."""

import subprocess
import sys


def test_it_does_not_load_the_database() -> None:
    code = (
        "import sys, dicom_node.header_process\n"
        "print(*{'sqlalchemy', 'faiss', 'scipy', 'torch'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout == "\n"
