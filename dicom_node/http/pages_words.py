"""The words of the page: what is said of a study, a similarity, a search, a report."""

from collections.abc import Sequence
from datetime import datetime

from pydicom.valuerep import DA

from storage.answer import Answer, Hit, ImageReference, StudyRecord
from storage.reports import SendState

NOTICE = "Not a medical device. Similarity of images is no diagnosis."
PERCENTILE = (
    "Percentile: of this archive's pairs of images of this kind, from different patients, the "
    "share that is no more alike (estimated from a sample)."
)
COUNTS_OF = "Numbers: studies of this kind in the archive, whatever else is set."
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
    """A percentile as it stands on a card; 100.0 is left to what no pair surpasses."""
    if value is None:
        return "no percentile"
    return "99.9" if 99.9 < value < 100 else f"{value:.1f}"


def percentile_says(value: float | None) -> str:
    """What a percentile means."""
    if value is None:
        return "This archive is too small to say how near that is."
    return (
        f"{percentile(value)} % of this archive's pairs of images of this kind, from different "
        "patients, are no more alike (estimated from a sample)."
    )


def is_below(hit: Hit, level: float) -> bool:
    """Whether a hit does not reach the percentile from which on the archive calls it similar."""
    return hit.percentile is not None and hit.percentile < level


def headline(answer: Answer) -> str:
    """What was found."""
    if answer.hits:
        count = len(answer.hits)
        return "The nearest study" if count == 1 else f"The {count:,} nearest studies"
    return "No similar study fits the filters" if answer.filters else "No similar study"


def account(answer: Answer) -> str:
    """How the search went, or why there is no similar study: a sentence."""
    searched = _count(answer.searched, "comparable study", "comparable studies")
    searched += " of other patients" + (" that fit the filters" if answer.filters else "")
    if not answer.searched and answer.filters:
        return "0 studies were searched: no comparable study of another patient fits the filters."
    if not answer.searched:
        return "0 studies were searched: the archive has no comparable study of another patient."
    if not answer.hits and answer.refined is not None and answer.refined.less:
        return f"{searched} searched; none that you did not mark down reaches {_level(answer)}."
    if not answer.hits:
        nearest = "nearest that fits the filters" if answer.filters else "nearest"
        return f"{searched} searched; not even the {nearest} reaches {_level(answer)}."
    returned = f"{answer.asked:,} asked for, {len(answer.hits):,} returned"
    return f"{searched} searched, {returned}.{_how_many_below(answer)}{_by_slices(answer)}"


def refined(answer: Answer) -> str:
    """By which of the reader's marks the hits are ordered; empty where they are not."""
    by = answer.refined
    if by is None:
        return ""
    unused = _count(len(by.left_out), "marked study", "marked studies")
    rest = f" {unused} cannot be compared any more." if by.left_out else ""
    if not by.more and not by.less:
        return f"There are no marks of yours to order the hits by.{rest}"
    more, less = (_count(len(uids), "study", "studies") for uids in (by.more, by.less))
    left_out = " and left out" if by.less else ""
    return f"Ordered by your marks: {more} to be more like, {less} to be less like{left_out}.{rest}"


def _by_slices(answer: Answer) -> str:
    stage = answer.second_stage
    if stage is None or not stage.with_slices:
        return ""
    nearest = _count(stage.studies, "nearest study", "nearest studies")
    return f" Of the {nearest} {stage.with_slices:,} are in the order of their slices' likeness."


def _how_many_below(answer: Answer) -> str:
    below = sum(is_below(hit, answer.level) for hit in answer.hits)
    return f" Of these, {below:,} below {_level(answer)}." if below else ""


def _level(answer: Answer) -> str:
    return f"percentile {answer.level:g}, from which on this archive calls studies similar"


def priors(answer: Answer) -> str:
    """How many studies of the same patient there are, and how many are shown."""
    found, shown = answer.count_priors(), len(answer.priors)
    told = _count(found, "earlier or later study", "earlier or later studies")
    return f"{told} of this patient" + ("" if found == shown else f", the nearest {shown:,} shown")


SENDS = {
    "queued": "queued for {peer}",
    "running": "on its way to {peer}",
    "done": "stored by {peer}",
    "failed": "not taken by {peer}",
    "not committed": "stored by {peer}, not committed",
}
"""How a report stands with a peer; "not committed" is one that failed after it was taken."""


def sent(sends: Sequence[SendState]) -> str:
    """What became of a report on its way to peers; empty if nobody is to have it."""
    told = []
    for send in sends:
        state = "not committed" if send.state == "failed" and send.taken else send.state
        reason = f" ({send.reason})" if send.reason else ""
        told.append(SENDS[state].format(peer=send.peer) + reason)
    return clipped("; ".join(told))


def report_lists_now(k: int, differs: Sequence[str]) -> str:
    """What a report lists that is made now; empty if that is what the page shows.

    ``differs`` names what is set on the page and not in reports.
    """
    if not differs:
        return ""
    return f"The report lists the {k:,} nearest studies of the whole archive{_without(differs)}."


def report_lists_then(made: datetime | None, differs: Sequence[str]) -> str:
    """What a report lists that was made earlier, ``made`` being when, if that is known."""
    when = "earlier" if made is None else f"on {made.astimezone():%Y-%m-%d at %H:%M %Z}"
    return (
        f"The report was made {when}: it lists what was nearest then in the whole archive"
        f"{_without(differs)}."
    )


def _without(differs: Sequence[str]) -> str:
    return f", without the {' and the '.join(differs)} set here" if differs else ""


def clipped(text: str) -> str:
    """The text, cut where it is longer than anybody reads."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
