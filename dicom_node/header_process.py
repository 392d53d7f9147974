"""The process that reads headers for ``dicom_node.header_reader``."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from dicom_node.received import UnreadableError, read_received
from encoders.bounded_child import Answer, RefusedError, answer_requests


def read(request: Any) -> Answer:
    """Answer ``[path, name]`` with the fields of a ``ReceivedInstance``.

    Raises:
        RefusedError: the file cannot be taken in.
    """
    path, name = request
    try:
        received = read_received(Path(path), name)
    except UnreadableError as fault:
        raise RefusedError(str(fault)) from fault
    said = {field.name: getattr(received, field.name) for field in dataclasses.fields(received)}
    return {**said, "received_at": received.received_at.isoformat()}, None


if __name__ == "__main__":
    answer_requests(read, sys.argv[1:])
