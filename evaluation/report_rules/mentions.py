"""What a sentence says of each finding, in the manner of NegEx (Chapman et al., 2001).

A finding is as its phrase says unless a trigger reaches it: one that denies, one that hedges, or
one that speaks of other days. Triggers before a finding reach on to the end of the clause, those
behind it back to the verb before; of two before it, the first decides, so that "no findings to
suggest" denies and "probably without" hedges. What is hedged is uncertain whichever way it leans.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from evaluation.report_rules.phrases import plain
from evaluation.report_rules.rules import Finding, Kind, Rules
from storage.answer import Label

PRESENT, ABSENT, UNCERTAIN = 1, 0, -1
_GOES_ON = re.compile(r"(?<!\S)(?:or|nor)(?!\S)")
_LIST_GOES_ON = re.compile(r"(?<!\S)(?:or|nor|and)(?!\S)")
_SEPARATOR = re.compile(r"(?<!\S)(?:, and|and|,)(?!\S)")
_BREAK = re.compile(r"(?<!\S)[;()](?!\S)")
_RELATIVE = re.compile(r"(?:that|which|who|as|if|there)$")
_WITH = re.compile(r"(?<!\S)with(?!\S)")
_NO_COMPANY = re.compile(r"(?:consistent|compatible|associated|keeping|compared|suggestive)$")
_FRESH_START = re.compile(r"(?<!\S)(?:, and|and|,)(?: (?:a|an|the|interval))? (?=\S)")
_ALTERNATIVE = re.compile(r" or(?: [a-z0-9']+){0,2} ")


@dataclass(frozen=True)
class Span:
    """Where something stands in a clause."""

    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        """Whether the two share a character."""
        return self.start < other.end and other.start < self.end

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Mention:
    """A finding where it is named; ``value`` is None where nothing is said of this day."""

    label: Label
    span: Span
    value: int | None


@dataclass(frozen=True)
class _Trigger:
    kind: Kind
    span: Span
    before: bool


def labels_of_sentence(sentence: str, rules: Rules) -> list[Label]:
    """What one sentence says, in its order; the same finding may be said more than once."""
    text = plain(sentence)
    asked = text.endswith("?")
    found = [mention for clause in clauses(text, rules) for mention in _mentions(clause, rules)]
    return [
        replace(mention.label, value=UNCERTAIN if asked else mention.value)
        for mention in found
        if mention.value is not None
    ]


def clauses(text: str, rules: Rules) -> Iterator[str]:
    """A plain sentence in parts that no trigger reaches out of."""
    for part in _BREAK.split(text):
        at = 0
        for start in sorted({*(one.start() for one in rules.clauses.finditer(part)), len(part)}):
            yield from _by_verbs(part[at:start].strip(), rules)
            at = start


def _by_verbs(clause: str, rules: Rules) -> Iterator[str]:
    """Cuts before the subject of each further verb: "... is seen, and the effusion is ..."."""
    verbs = [one for one in rules.verbs.finditer(clause) if not _is_relative(clause, one.start())]
    at = 0
    for one, following in pairwise(verbs):
        separators = list(_SEPARATOR.finditer(clause, one.end(), following.start()))
        if separators:
            yield clause[at : separators[-1].start()].strip()
            at = separators[-1].start()
    yield clause[at:].strip()


def _is_relative(clause: str, verb: int) -> bool:
    """Whether the verb is of a relative clause, or of "there is" behind another verb."""
    return bool(_RELATIVE.search(clause[:verb].rstrip())) and verb > len("there ")


def _mentions(clause: str, rules: Rules) -> list[Mention]:
    triggers = _triggers(clause, rules)
    found = [
        Mention(finding.label, span, _judged(clause, span, value, triggers, rules))
        for finding in rules.findings
        for span, value in _named(clause, finding)
    ]
    found.sort(key=lambda mention: (mention.span.start, mention.label.name))
    return _alternatives(clause, found)


def _named(clause: str, finding: Finding) -> Iterator[tuple[Span, int]]:
    """Where a finding is named, and what the phrase says by itself; of phrases that overlap the
    longest."""
    others = [Span(*one.span()) for one in finding.other.finditer(clause)]
    there = [
        (Span(*one.span()), value)
        for value, phrases in finding.phrases.items()
        for one in phrases.finditer(clause)
    ]
    taken: list[Span] = []
    for span, value in sorted(there, key=lambda one: (-len(one[0]), one[0].start)):
        if not any(span.overlaps(other) for other in (*others, *taken)):
            taken.append(span)
            yield span, value


def _triggers(clause: str, rules: Rules) -> list[_Trigger]:
    """The triggers; of those that overlap the longest, and none within what is no denial."""
    there = [
        _Trigger(kind, Span(*one.span()), is_before)
        for is_before, kinds in ((True, rules.before), (False, rules.after))
        for kind, phrases in kinds.items()
        for one in phrases.finditer(clause)
    ]
    harmless = [Span(*one.span()) for one in rules.no_denial.finditer(clause)]
    kept: list[_Trigger] = []
    for one in sorted(there, key=lambda trigger: -len(trigger.span)):
        rivals = [other.span for other in kept if other.before is one.before]
        longer = [other.span for other in kept if len(other.span) > len(one.span)]
        if not any(one.span.overlaps(other) for other in (*rivals, *longer, *harmless)):
            kept.append(one)
    return kept


def _judged(
    clause: str, span: Span, value: int, triggers: Sequence[_Trigger], rules: Rules
) -> int | None:
    """What is said of a finding that is named here, by the triggers that reach it."""
    before = [one for one in triggers if one.before and _reaches_on(clause, one.span, span, rules)]
    after = [one for one in triggers if not one.before and _reaches_back(clause, one, span, rules)]
    first = min(before, key=lambda one: one.span.start, default=None)
    denied = (first and first.kind is Kind.DENIED) or any(
        one.kind is Kind.DENIED for one in after if first is None or first.kind is Kind.HEDGED
    )
    if any(one.kind is Kind.PASSED_OVER for one in before):
        return None
    if denied:
        # "the heart is not normal in size" says neither
        return ABSENT if value == PRESENT else None
    return UNCERTAIN if before or after else value


def _reaches_on(clause: str, trigger: Span, span: Span, rules: Rules) -> bool:
    if span.start <= trigger.start and trigger.end <= span.end:
        return True  # "heart is not enlarged"
    if trigger.end > span.start:
        return False
    between = clause[trigger.end : span.start]
    if rules.ends.search(between) or " : " in between:
        return False
    if any(not _NO_COMPANY.search(between[: w.start()].rstrip()) for w in _WITH.finditer(between)):
        return False
    return not _starts_afresh(clause, trigger.end, span.start, rules)


def _starts_afresh(clause: str, start: int, end: int, rules: Rules) -> bool:
    """Whether a list that a trigger began is over: ", small ..." with no "or" behind it."""
    for one in _FRESH_START.finditer(clause, start, end):
        if rules.anew.match(clause, one.end()):
            return True
        if rules.fresh.match(clause, one.end()) and not _GOES_ON.search(clause, one.end()):
            return True
    return False


def _reaches_back(clause: str, trigger: _Trigger, span: Span, rules: Rules) -> bool:
    if trigger.span.start < span.end:
        return False
    between = clause[span.end : trigger.span.start]
    if rules.verbs.search(between) or rules.ends.search(between):
        return False
    return "," not in between or bool(_LIST_GOES_ON.search(between))


def _alternatives(clause: str, found: list[Mention]) -> list[Mention]:
    """Of "atelectasis or pneumonia" neither is sure."""
    unsure = {
        mention
        for one, other in pairwise(found)
        if one.value == other.value == PRESENT and one.label.name != other.label.name
        if _ALTERNATIVE.fullmatch(clause[one.span.end : other.span.start])
        for mention in (one, other)
    }
    return [replace(one, value=UNCERTAIN) if one in unsure else one for one in found]
