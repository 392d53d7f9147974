"""A store's mark as a row of a collection in Milvus."""

from collections.abc import Mapping
from typing import Any

from storage.stores.store import Mark, Measured

FIELDS = {
    "watermark": "INT64",
    "longest": "DOUBLE",
    "breadth": "INT64",
    "recall": "DOUBLE",
    "measured": "INT64",
    "held": "INT64",
    "unsure": "INT64",
    "owner": "INT64",
}
"""Of the row, and their types."""


def row_of(mark: Mark) -> dict[str, Any]:
    """The fields of a mark."""
    return {
        "watermark": mark.watermark,
        "longest": mark.longest,
        "breadth": mark.measured.breadth,
        "recall": mark.measured.recall,
        "measured": mark.measured.count,
        "held": mark.held,
        "unsure": mark.unsure,
        "owner": mark.owner,
    }


def mark_of(row: Mapping[str, Any]) -> Mark:
    """What ``row_of`` wrote."""
    return Mark(
        watermark=int(row["watermark"]),
        longest=float(row["longest"]),
        measured=Measured(int(row["breadth"]), float(row["recall"]), int(row["measured"])),
        held=int(row["held"]),
        unsure=int(row["unsure"]),
        owner=int(row["owner"]),
    )
