"""How verbs speak: data on stdout, talk on stderr."""

import json
import sys
from pathlib import Path
from typing import Any


def put(text: object) -> None:
    """Data, a line of it or more."""
    sys.stdout.write(f"{text}\n")


def put_json(value: Any) -> None:
    """Data as JSON."""
    put(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Talk."""
    sys.stderr.write(f"{text}\n")


def could_not(why: str) -> int:
    """Says why, and returns the exit code."""
    say(f"likeness: {why}")
    return 1


def write(path: Path, content: bytes) -> None:
    """Writes a file; ``-`` is stdout.

    Raises:
        OSError: it cannot be written; the message names the file.
    """
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        path.write_bytes(content)
    except OSError as fault:
        raise OSError(f"{path} cannot be written: {fault.strerror}") from fault
