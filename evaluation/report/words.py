"""Numbers and rules in the words of the page."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from evaluation.collection import RECEIVED
from evaluation.figures import DRAWS, Figure
from evaluation.report.answered import headline_part
from evaluation.tasks import Rules, Task
from storage.vectors.metric import Metric

NOTHING = "-"
SIGNIFICANT = 0.05
MEANS = {
    "micro": "over queries",
    "class_mean": "class mean",
    "class_inverse": "inverse frequency",
}
_APART = {
    "patient": "Images of the query's own patient never answer it.",
    "study": "Images of the query's own study never answer it, but other studies of its patient "
    "do: a looser rule than leaving out the patient, and figures are higher by it.",
    "image": "Only the query itself never answers it, while other images of its patient do: a "
    "looser rule than leaving out the patient, and figures are higher by it.",
}
_UNCERTAIN = {
    "ignore": "Images for which a label is uncertain neither ask for that label nor answer.",
    "positive": "An uncertain label counts as positive.",
    "negative": "An uncertain label counts as negative.",
}
_RELATIVES = (
    ("of the same", "", ""),
    ("has ", "that ", ""),
    ("any ", "that has ", " with the query"),
)
"""What stands before and after a task's words, by how these begin."""
_SIMILARITIES = {
    Metric.COSINE: "cosine of the angle",
    Metric.INNER_PRODUCT: "inner product",
    Metric.L2: "Euclidean distance with its sign turned",
    Metric.HAMMING: "differing bits with the sign turned",
}


def number(value: float, digits: int = 3) -> str:
    """As tables print it: without the 0 before the point; a dash where there is none."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def interval(low: float, high: float, digits: int = 3) -> str:
    """Of 95 %."""
    return f"{number(low, digits)} to {number(high, digits)}" if math.isfinite(low) else NOTHING


def p_value(p: float) -> str:
    """Three digits, and no zero that is none."""
    return "<\u00a0.001" if p < 0.001 else number(p)


def conclusion(difference: float, p: float) -> str:
    """What a corrected p says of two systems."""
    if not math.isfinite(p):
        return "cannot be told"
    if p >= SIGNIFICANT:
        return "no difference shown"
    return "the first is better" if difference > 0 else "the second is better"


def count(value: int) -> str:
    """With thousands set apart."""
    return f"{value:,}"


def counted(value: int, one: str, many: str = "") -> str:
    """As ``1 query``, ``2 queries``."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def similarity(metric: str) -> str:
    """What the number beside a hit is."""
    return _SIMILARITIES[Metric(metric)]


def rules(given: Rules) -> Iterator[str]:
    """Yield the rules of the game, a sentence each."""
    yield _APART[given.apart]
    if given.query_splits or given.index_splits:
        yield _splits("ask", given.query_splits)
        yield _splits("may answer", given.index_splits)
    else:
        yield "All images ask, and all may answer."
    yield _UNCERTAIN[given.uncertain]
    yield (
        f"Intervals are of 95 %, by {DRAWS:,} draws of whole patients (bootstrap), each with what "
        "his images ask and what they answer. Chance is what an order drawn by lot is expected to "
        f"have on the same labels. Seed {given.seed}."
    )


def measured(name: str, value: float) -> str:
    """A value of a number of the collection, times as date and time (UTC)."""
    return moment(value) if name == RECEIVED else f"{value:g}"


def moment(seconds: float) -> str:
    """Seconds since 1970 as date and time (UTC); a dash where there is none."""
    if not math.isfinite(seconds):
        return NOTHING
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def p_says(p: float) -> str:
    """As it stands in a sentence."""
    told = p_value(p)
    return f"p {told}" if told.startswith("<") else f"p = {told}"


def asked(task: Task) -> str:
    """What a task asks, in one sentence; what is kept apart is part of what it says."""
    part = headline_part(task)
    if not np.isin(part.qrels.gains, (0, 1)).all():
        return f"Relevance is graded: {task.says}."
    for start, before, after in _RELATIVES:
        if task.says.startswith(start):
            return f"Relevant is an image {before}{task.says}{after}."
    return f"Relevant: {task.says}."


def against_chance(figure: Figure) -> str:
    """How far above chance, with its interval."""
    lift = number(figure.value - figure.chance)
    sign = "" if lift.startswith("-") or lift == NOTHING else "+"
    return f"{sign}{lift}"


def _splits(what: str, splits: tuple[str, ...]) -> str:
    if not splits:
        return f"Images of all splits {what}."
    named = ", ".join(splits)
    return f"Images of the split{'s' if len(splits) > 1 else ''} {named} {what}."
