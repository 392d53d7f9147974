"""The words of the page: what is said of a study, a similarity, a search, a report."""

from collections.abc import Sequence

from pydicom.valuerep import DA

from storage.answer import Answer, ImageReference, StudyRecord
from storage.reports import SendState

NOTICE = "Not a medical device. Similarity of images is no diagnosis."
PERCENTILE = (
    "Percentile: the share of this archive's pairs of different patients that are less alike."
)
LONGEST = 300
"""Characters that a page shows of a text that came from outside."""
_SIDES = frozenset("RLB")  # PS3.3 C.7.6.16.2.8; U, unpaired, tells nothing
_SEXES = {"F": "female", "M": "male", "O": "other"}
"""Patient's Sex, PS3.3 C.7.1.1."""


def image_kind(image: ImageReference) -> tuple[str, ...]:
    """Modality, body part, view and side, such as MG, BREAST, MLO, L.

    Apart, because each may be in a script of its own direction.
    """
    side = image.laterality if image.laterality in _SIDES else None
    told = (image.modality, image.body_part, image.view, side)
    return tuple(clipped(value) for value in told if value) or ("image",)


def subject(study: StudyRecord) -> str:
    """Sex and age, such as "F, 61 y"; empty where the study tells neither."""
    years = "" if study.age is None else f"{study.age} y"
    known = study.sex if study.sex in _SEXES else ""
    return ", ".join(part for part in (known, years) if part)


def sex(code: str) -> str:
    """A sex in words; what the standard does not define stays as it is."""
    return _SEXES.get(code, clipped(code))


def day(value: str | None) -> str:
    """A Study Date (PS3.5 6.2, VR DA) as ISO 8601 writes it; empty if missing or no date."""
    try:
        date = DA(value or "")
    except ValueError:
        return ""
    return f"{date:%Y-%m-%d}" if date else ""


def percentile(value: float | None) -> str:
    """A percentile as it stands on a card."""
    return "no percentile" if value is None else f"{value:.1f}"


def percentile_says(value: float | None) -> str:
    """What a percentile means."""
    if value is None:
        return "This archive is too small to say how near that is."
    return f"Closer than {value:.1f} % of the pairs of different patients in this archive."


def headline(answer: Answer) -> str:
    """What was found."""
    if not answer.hits:
        return "No similar study"
    return _count(len(answer.hits), "similar study", "similar studies")


def account(answer: Answer) -> str:
    """How the search went, or why there is no similar study: a sentence."""
    searched = _count(answer.searched, "comparable study", "comparable studies")
    if not answer.searched and answer.filters:
        return "0 studies were searched: no comparable study of another patient fits the filters."
    if not answer.searched:
        return "0 studies were searched: the archive has no comparable study of another patient."
    if not answer.hits:
        return (
            f"{searched} of other patients searched; not even the nearest reaches percentile "
            f"{answer.level:g}, from which on this archive calls studies similar."
        )
    returned = f"{answer.asked:,} asked for, {len(answer.hits):,} returned"
    return f"{searched} of other patients searched, {returned}."


def priors(answer: Answer) -> str:
    """How many studies of the same patient there are, and how many are shown."""
    found, shown = answer.count_priors(), len(answer.priors)
    told = _count(found, "earlier or later study", "earlier or later studies")
    return f"{told} of this patient" + ("" if found == shown else f", the nearest {shown:,} shown")


_SENDS = {
    "queued": "queued for {peer}",
    "running": "on its way to {peer}",
    "done": "stored by {peer}",
    "failed": "not taken by {peer}",
}


def sent(sends: Sequence[SendState]) -> str:
    """What became of a report on its way to peers; empty if nobody is to have it."""
    told = [
        _SENDS[send.state].format(peer=send.peer) + (f" ({send.reason})" if send.reason else "")
        for send in sends
    ]
    return clipped("; ".join(told))


def clipped(text: str) -> str:
    """The text, cut where it is longer than anybody reads."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
