"""Lines of labels into the archive: placed, counted, and made the next version of their source."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.engine import Connection

from storage.answer import Label
from storage.label_files import Step
from storage.label_imports import Origin, Taken, other_versions, take_in
from storage.label_lines import LabelError, LabelLine, some_of
from storage.label_places import Placed, place

_VALUES = {1: "present", 0: "absent", -1: "uncertain"}


@dataclass
class Outcome:
    """What became of labels that came: of each source, by label, and what found no place."""

    taken: list[Taken] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)

    @property
    def said(self) -> int:
        """How many labels found their place."""
        return sum(taken.said for taken in self.taken)

    def add(self, taken: Taken, words: Iterable[Label]) -> None:
        """Notes one source's labels."""
        self.taken.append(taken)
        for label in words:
            self.counts.setdefault(label.name, Counter())[_VALUES[label.value]] += 1

    def note_unplaced(self, placed: Placed) -> None:
        """Notes what is not in the archive, or stands for several studies."""
        self.unplaced += placed.told()
        for told, found in ((self.unknown, placed.unknown), (self.ambiguous, placed.ambiguous)):
            for name, values in found.items():
                told.setdefault(name, []).extend(values)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "labels": self.said,
            "sources": [
                {**vars(taken), "unchanged": taken.said - taken.added - taken.changed}
                for taken in self.taken
            ],
            "counts": {
                name: {value: self.counts[name][value] for value in _VALUES.values()}
                for name in sorted(self.counts)
            },
            "unknown": self.unknown,
            "ambiguous": self.ambiguous,
        }


def take_lines(
    connection: Connection,
    lines: Sequence[LabelLine],
    origin: Origin,
    *,
    add: bool = False,
    step: Step | None = None,
) -> Outcome:
    """Takes in the labels of a file, each of the source that its line names, else of ``origin``.

    They are all that their source says, in place of what it said before; with ``add`` only what
    they say of the same findings is.

    Raises:
        LabelError: lines contradict each other, or the archive; nothing is written then.
    """
    by_source: dict[str, list[LabelLine]] = {} if lines else {origin.source: []}
    for line in lines:
        by_source.setdefault(line.source or origin.source, []).append(line)
    outcome = Outcome()
    for source, some in by_source.items():
        placed = _agreed(place(connection, some))
        whole = () if add else None
        of_source = replace(origin, source=source)
        taken = take_in(connection, placed.words, of_source, complete_for=whole, step=step)
        outcome.add(taken, placed.words.values())
        outcome.note_unplaced(placed)
    return outcome


def _agreed(placed: Placed) -> Placed:
    if placed.contradictions:
        raise LabelError(some_of(placed.contradictions))
    return placed


def take_studies(
    connection: Connection,
    said: Mapping[Origin, Sequence[LabelLine]],
    studies: Collection[str],
) -> Outcome:
    """Takes in all that sources say of some studies, by Study Instance UID.

    What they said of these studies before is superseded, by whatever version of their rules; what
    they say of others stands.
    """
    outcome = Outcome()
    looked_at = place(connection, [LabelLine(uid, Label("")) for uid in sorted(studies)])
    rows = [study for study, *_ in looked_at.words]
    for origin, lines in said.items():
        placed = place(connection, lines)
        earlier = other_versions(connection, origin.source)
        taken = take_in(connection, placed.words, origin, complete_for=rows, instead_of=earlier)
        outcome.add(taken, placed.words.values())
    outcome.note_unplaced(looked_at)
    return outcome
