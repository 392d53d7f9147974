"""From a report's text to the sentences that tell what was found: no history, no questions."""

import re
from collections.abc import Iterator

from evaluation.report_rules.rules import Rules

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_NEW_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*\N{BULLET}]|\d{1,2}[.)][ \t]|[A-Z][A-Za-z /]{1,30}:))")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ABBREVIATION = re.compile(r"\b(?:vs|e\.g|i\.e|dr|mr|mrs|ms|approx|resp|fig|st)\.$", re.IGNORECASE)


def sentences(text: str, rules: Rules) -> Iterator[str]:
    """The sentences of the sections that are read, in their order.

    A text that names no section is read whole. A section that is not read ends where another
    begins, or at an empty line behind it.
    """
    for part in _read_parts(text.replace("\r\n", "\n").replace("\r", "\n"), rules):
        for paragraph in _BLANK_LINE.split(part):
            for item in _NEW_ITEM.split(paragraph):
                yield from _sentences_of(" ".join(item.split()))


def _read_parts(text: str, rules: Rules) -> Iterator[str]:
    heads = _heads(rules)
    at, reading = 0, True
    for found in heads.finditer(text):
        yield _readable(text[at : found.start()], reading)
        head = " ".join((found["first"] or found["further"]).casefold().split())
        at, reading = found.end(), head in rules.read
    yield _readable(text[at:], reading)


def _readable(part: str, reading: bool) -> str:
    if reading:
        return part
    behind = _BLANK_LINE.split(part.lstrip(), maxsplit=1)[1:]
    return behind[0] if behind else ""


def _heads(rules: Rules) -> re.Pattern[str]:
    longest_first = sorted(rules.read | rules.unread, key=lambda head: (-len(head), head))
    heads = "|".join(r"\s+".join(map(re.escape, head.split())) for head in longest_first)
    return re.compile(
        rf"(?:^|\n)[ \t]*(?P<first>{heads})[ \t]*(?::|(?=\n|$))"
        rf"|(?:(?<=[.!?])|(?<=[.!?]\s))\s*(?P<further>{heads})[ \t]*:",
        re.IGNORECASE,
    )


def _sentences_of(text: str) -> Iterator[str]:
    waiting = ""
    for part in _SENTENCE_END.split(text):
        waiting = f"{waiting} {part}".strip()
        if not _ABBREVIATION.search(waiting):
            if waiting:
                yield waiting
            waiting = ""
    if waiting:
        yield waiting
