"""Which files labels were read from, as one digest."""

import hashlib
from collections.abc import Collection
from pathlib import Path


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def together(digests: Collection[str]) -> str:
    """One digest of several files: that of their sorted digests, a line each; a lone file's own."""
    if len(digests) == 1:
        return next(iter(digests))
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
