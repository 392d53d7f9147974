"""The rules as their file says them, ready to be applied."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Any

from evaluation.report_rules.phrases import pattern
from storage.answer import Label
from storage.labels import LabelError

ENGLISH = Path(str(resources.files("evaluation.report_rules"))) / "english.toml"
_KEYS = {
    "finding": {"name", "code", "scheme", "present", "absent", "uncertain", "other"},
    "reach": {"clauses", "ends", "fresh", "anew", "verbs"},
    "sections": {"read", "unread"},
    "no_denial": {"phrases"},
    "denied": {"before", "after"},
    "hedged": {"before", "after"},
    "passed_over": {"before", "after"},
}
"""Of each table of the file."""


class RulesError(LabelError):
    """A file of rules that cannot be used; the message names the key and what is wrong."""


class Kind(Enum):
    """What a trigger does to a finding in its reach."""

    DENIED = "denied"
    HEDGED = "hedged"
    PASSED_OVER = "passed_over"


@dataclass(frozen=True)
class Finding:
    """A label, and the phrases that say it is present, absent or uncertain; 1, 0 and -1.

    ``other`` are phrases that hold one of these and mean something else.
    """

    label: Label
    phrases: Mapping[int, re.Pattern[str]]
    other: re.Pattern[str]


@dataclass(frozen=True)
class Rules:
    """All that is known of a language's reports.

    Attributes:
        read, unread: heads of sections, plain.
        clauses: what begins another clause.
        ends: what a trigger does not reach over.
        fresh, anew: words that begin another finding in a list; the former where no "or" follows.
        verbs: what a trigger behind does not reach back over.
        no_denial: what looks like a denial and is none.
        before, after: triggers by what they do, where they stand before or behind a finding.
    """

    name: str
    version: int
    read: frozenset[str]
    unread: frozenset[str]
    clauses: re.Pattern[str]
    ends: re.Pattern[str]
    fresh: re.Pattern[str]
    anew: re.Pattern[str]
    verbs: re.Pattern[str]
    no_denial: re.Pattern[str]
    before: Mapping[Kind, re.Pattern[str]]
    after: Mapping[Kind, re.Pattern[str]]
    findings: tuple[Finding, ...]

    @property
    def source(self) -> str:
        """Who says the labels that these rules find, such as ``report rules 1``."""
        return f"{self.name} {self.version}"


def load(path: Path = ENGLISH) -> Rules:
    """Reads a file of rules, made as ``english.toml`` is.

    Raises:
        RulesError: it cannot be read, or something in it is missing, unknown or none.
    """
    try:
        return _rules(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as fault:
        raise RulesError(f"{path} cannot be read: {fault.strerror}") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise RulesError(f"{path} is no TOML: {fault}") from fault
    except KeyError as fault:
        raise RulesError(f"{path}: {fault.args[0]} is missing") from fault
    except (AttributeError, TypeError) as fault:
        raise RulesError(f"{path}: a value of the wrong kind: {fault}") from fault
    except RulesError as fault:
        raise RulesError(f"{path}: {fault}") from fault


def _rules(said: Mapping[str, Any]) -> Rules:
    for table, keys in _KEYS.items():
        for one in said[table] if table == "finding" else [said[table]]:
            if unknown := sorted(one.keys() - keys):
                raise RulesError(f"{table} {one.get('name', '')}: {', '.join(unknown)} is no key")
    words: Mapping[str, Sequence[str]] = said["words"]
    reach = {key: pattern(said["reach"][key], words) for key in said["reach"]}
    sides = {
        side: {kind: pattern(said[kind.value].get(side, ()), words) for kind in Kind}
        for side in ("before", "after")
    }
    return Rules(
        name=said["name"],
        version=int(said["version"]),
        read=frozenset(said["sections"]["read"]),
        unread=frozenset(said["sections"]["unread"]),
        clauses=reach["clauses"],
        ends=reach["ends"],
        fresh=reach["fresh"],
        anew=reach["anew"],
        verbs=reach["verbs"],
        no_denial=pattern(said["no_denial"]["phrases"], words),
        before=sides["before"],
        after=sides["after"],
        findings=tuple(_finding(one, words) for one in said["finding"]),
    )


def _finding(said: Mapping[str, Any], words: Mapping[str, Sequence[str]]) -> Finding:
    kinds = {-1: "uncertain", 0: "absent", 1: "present"}  # of phrases as long the first
    return Finding(
        label=Label(said["name"], 1, said.get("code"), said.get("scheme")),
        phrases={value: pattern(said.get(kind, ()), words) for value, kind in kinds.items()},
        other=pattern(said.get("other", ()), words),
    )
