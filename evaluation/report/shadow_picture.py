"""How often nothing is similar, and drift beside it: a pair of bars for each value."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from evaluation.report.class_size import shortened
from evaluation.report.drawing import Picture, bar, drawn, line, titled, word
from evaluation.report.shadow_rows import ValueRow
from evaluation.report.words import number

WIDTH = 560.0
LEFT, PANEL, GAP, TOP, ROW, BAR = 164.0, 164.0, 50.0, 22.0, 22.0, 12.0
MOST_BARS = 24
"""More cannot be looked at; those of the most studies are drawn."""
SECOND = LEFT + PANEL + GAP
LONGEST = 21


def shadow_picture(rows: Sequence[ValueRow]) -> Picture:
    """Both shares lie from 0 to 1: of studies, and of the greatest difference of distributions."""
    shown = _shown(rows)
    title = "Nothing similar, and drift, by value"
    says = (
        "Left: the share of studies that would be told that nothing is similar. Right: how far "
        "new and earlier images differ in how similar their nearest are (Kolmogorov and Smirnov's "
        "distance, from 0 to 1); grey where no difference is shown (p of .05 or more, by Holm's "
        "correction): few images have large distances by chance."
    )
    if len(shown) < len(rows):
        says = f"The {len(shown)} of {len(rows)} values with the most studies. {says}"
    parts = [*_frame(len(shown))]
    for at, row in enumerate(shown):
        parts.append(titled(Markup().join(_bars(row, TOP + at * ROW)), _told(row)))
    return Picture(title, says, drawn(WIDTH, TOP + len(shown) * ROW + 20, title, parts))


def _shown(rows: Sequence[ValueRow]) -> list[ValueRow]:
    def size(row: ValueRow) -> int:
        return row.abstention.studies if row.abstention else 0

    kept = sorted(range(len(rows)), key=lambda at: -size(rows[at]))[:MOST_BARS]
    return [rows[at] for at in sorted(kept)]


def _frame(count: int) -> list[Markup]:
    end = TOP + count * ROW
    parts = []
    for left, name in ((LEFT, "nothing similar"), (SECOND, "drift")):
        parts.append(word("tick", left, TOP - 8, name))
        for share in (0, 0.5, 1):
            x = left + share * PANEL
            parts.append(line("grid", x, TOP, x, end))
            parts.append(word("tick middle", x, end + 14, number(share, 1)))
    return parts


def _bars(row: ValueRow, top: float) -> list[Markup]:
    y = top + (ROW - BAR) / 2
    parts = [word("end", LEFT - 8, y + BAR - 2, shortened(row.name, LONGEST))]
    if row.abstention is not None and not math.isnan(row.abstention.abstained):
        parts += _bar("hue-0", LEFT, y, row.abstention.abstained)
    if row.drift is not None and math.isnan(row.drift.p):
        parts.append(word("tick", SECOND + 4, y + BAR - 2, row.so))
    elif row.drift is not None:
        parts += _bar("hue-1" if row.drifted else "hue-none", SECOND, y, row.drift.distance)
    return parts


def _bar(hue: str, left: float, y: float, share: float) -> list[Markup]:
    end = left + share * PANEL
    return [
        bar(hue, left, y, max(share * PANEL, 1), BAR),
        word("tick", end + 4, y + BAR - 2, number(share, 2)),
    ]


def _told(row: ValueRow) -> str:
    told = [row.name]
    if row.abstention is not None:
        one = row.abstention
        told.append(f"{one.studies:,} studies, nothing similar {number(one.abstained)}")
    if row.drift is not None:
        other = row.drift
        told.append(f"{other.new:,} new images, {other.old:,} earlier, p {number(row.p_holm)}")
    return "; ".join(told)
