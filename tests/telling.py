"""What a test tells whoever runs it, whether it passes or not."""

import sys

import pytest


def tell(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Writes to standard error, which also a worker beside others has in common with them all."""
    with capsys.disabled():
        sys.stderr.write(f"\n\n{text}\n")
        sys.stderr.flush()
