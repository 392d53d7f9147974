"""Several windows or VOI LUTs in one object: alternative views, of which one is embedded.

PS3.3 C.11.2.1 leaves the choice to the application. Senders do not agree on the order, and one
study must give one picture whoever sent it: so an explanation that names what the body part is
read for decides, and the first stands where none does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from encoders.body_part import Region, region_of

PREFERRED: dict[Region, tuple[str, ...]] = {
    "abdomen": ("ABD", "SOFT", "TISSUE", "MEDIAST"),
    "chest": ("LUNG", "PULMO"),
    "neck": ("NECK", "SOFT", "TISSUE"),
    "head": ("BRAIN", "HEAD", "CEREBR"),
    "bones": ("BONE", "OSTEO", "SPINE"),
}
"""Words in an explanation that suit a region of the body."""

NORMAL = ("NORMAL", "STANDARD", "DEFAULT")
"""Words that suit every body part: detectors name their views NORMAL, HARDER and SOFTER."""


@dataclass(frozen=True)
class Alternative:
    """Which of several views was taken.

    Attributes:
        index: from 0.
        count: how many there were.
        explanation: its own, shortened, or None.
        by: ``only one``, ``explanation`` or ``first``.
    """

    index: int
    count: int
    explanation: str | None
    by: str


def choose_alternative(
    explanations: Sequence[str | None], count: int, body_part: str | None
) -> Alternative:
    """Choose one of ``count`` views by their explanations, else the first.

    Args:
        explanations: Window Center & Width Explanation or LUT Explanation of each view; may be
            shorter than ``count``.
        count: at least 1.
        body_part: Body Part Examined, or None.
    """
    texts = [*explanations, *[None] * count][:count]
    if count == 1:
        return Alternative(0, 1, _short(texts[0]), "only one")
    for words in (_suiting(body_part), NORMAL):
        for index, explanation in enumerate(texts):
            if any(word in (explanation or "").upper() for word in words):
                return Alternative(index, count, _short(explanation), "explanation")
    return Alternative(0, count, _short(texts[0]), "first")


def _suiting(body_part: str | None) -> tuple[str, ...]:
    found = region_of(body_part)
    return PREFERRED[found[0]] if found is not None else ()


def _short(explanation: str | None) -> str | None:
    return explanation[:64] if explanation else None  # 64 characters is the limit of VR LO
