"""Pictures of ``benchmarks.index_engines``: time by size, and recall behind filters.

Run ``python -m benchmarks.index_plot ROWS.json PICTURE.svg`` on what its ``--json`` wrote.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

OURS, OTHERS = "-", "--"
Looks = dict[str, dict[str, Any]]
MARKS = "osv^D*PX<>hdp8"


def draw(tables: Sequence[dict[str, Any]], file: Path) -> None:
    """Draws the tables: one picture for each dimension, and one of the filters."""
    dimensions = sorted({table["dimension"] for table in tables})
    figure, axes = plt.subplots(
        1, len(dimensions) + 1, figsize=(5.5 * (len(dimensions) + 1), 4.8), squeeze=False
    )
    engines = list(dict.fromkeys(row["engine"] for table in tables for row in table["rows"]))
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    looks: Looks = {
        engine: {
            "marker": MARKS[number % len(MARKS)],
            "color": colours[number % len(colours)],
            "linestyle": OURS if engine.startswith("ours") else OTHERS,
        }
        for number, engine in enumerate(engines)
    }
    for place, dimension in zip(axes[0], dimensions, strict=False):
        _times(place, [table for table in tables if table["dimension"] == dimension], looks)
        place.set_title(f"one question, {dimension} numbers")
    _filters(axes[0][-1], tables[-1], looks)
    told = [place.get_legend_handles_labels() for place in axes[0]]
    named = {
        name: handle for handles, names in told for handle, name in zip(handles, names, strict=True)
    }
    figure.legend(
        named.values(), named.keys(), loc="lower center", ncols=5, fontsize="small", frameon=False
    )
    figure.tight_layout(rect=(0, 0.16, 1, 1))
    figure.savefig(file)
    plt.close(figure)


def _times(place: Axes, tables: Sequence[dict[str, Any]], looks: Looks) -> None:
    for engine, look in looks.items():
        points = [
            (table["count"], row["p50_ms"])
            for table in sorted(tables, key=lambda entry: int(entry["count"]))
            for row in table["rows"]
            if row["engine"] == engine
        ]
        if points:
            place.loglog(*zip(*points, strict=True), label=engine, **look)
    place.set_xlabel("vectors")
    place.set_ylabel("median, ms")
    place.grid(visible=True, which="major", alpha=0.3)


def _filters(place: Axes, table: dict[str, Any], looks: Looks) -> None:
    for row in table["rows"]:
        if row["filtered"]:
            shares = [1.0, *map(float, row["filtered"])]
            recalls = [row["recall"], *(entry["recall"] for entry in row["filtered"].values())]
            place.semilogx([100 * share for share in shares], recalls, **looks[row["engine"]])
    place.set_xlabel("what a filter leaves, %")
    place.set_ylabel("recall@10")
    place.set_ylim(0, 1.05)
    place.set_title(f"recall behind filters, {table['count']:,} x {table['dimension']}")
    place.grid(visible=True, alpha=0.3)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text())["tables"], Path(sys.argv[2]))
