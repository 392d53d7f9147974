"""What lines of labels are said of, found in the archive: study, series or instance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal_column, select
from sqlalchemy.engine import Connection

from storage.answer import Label
from storage.label_lines import PLACES, LabelError, LabelLine, some_of
from storage.tables import Instance, Series, Study

Key = tuple[int, str, str, str]
"""What a label is said of, as a ``Place``, and its name."""
AT_ONCE = 50_000
_PLURALS = {
    "sop_instance_uid": "instances",
    "series_instance_uid": "series",
    "study_instance_uid": "studies",
    "accession_number": "accession numbers",
}
_NOTHING: ColumnElement[str] = literal_column("''")
# Accession Number (0008,0050), in the DICOM JSON model (PS3.18 F.2)
_ACCESSION = cast(func.btrim(Study.attributes["00080050"]["Value"][0].astext), Text)
_QUERIES: Mapping[str, tuple[ColumnElement[str], Select[str, int, str, str]]] = {
    "sop_instance_uid": (
        Instance.sop_instance_uid.expression,
        select(
            Instance.sop_instance_uid,
            Series.study_id,
            Series.series_instance_uid,
            Instance.sop_instance_uid,
        ).join(Series, Series.id == Instance.series_id),
    ),
    "series_instance_uid": (
        Series.series_instance_uid.expression,
        select(Series.series_instance_uid, Series.study_id, Series.series_instance_uid, _NOTHING),
    ),
    "study_instance_uid": (
        Study.study_instance_uid.expression,
        select(Study.study_instance_uid, Study.id, _NOTHING, _NOTHING),
    ),
    "accession_number": (_ACCESSION, select(_ACCESSION, Study.id, _NOTHING, _NOTHING)),
}


class Place(NamedTuple):
    """A study's row, a series and an instance; the latter two empty where a label is of more."""

    study: int
    series: str
    instance: str


@dataclass(frozen=True)
class Placed:
    """Labels by what they are said of; of two with one name the last.

    ``unknown`` lists what is not in this archive, ``ambiguous`` what stands for several studies,
    each by its column's name and in the order of the lines. ``contradictions`` tells of lines
    that say different things of one finding.
    """

    words: dict[Key, Label] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        """What could not be placed, for people."""
        reasons = ((self.unknown, "not in this archive"), (self.ambiguous, "of several studies"))
        return [
            f"{len(values)} {_PLURALS[name]} are {why}, such as {values[0]}"
            for found, why in reasons
            for name, values in found.items()
        ]


def place(connection: Connection, lines: Sequence[LabelLine]) -> Placed:
    """Finds the studies, series and instances that lines name.

    A series or an instance alone is enough; an accession number stands for its study where there
    is but one.

    Raises:
        LabelError: a line names a series or an instance beside a study or series that is not its.
    """
    decisive = [line.place() for line in lines]
    found = {name: _find(connection, name, decisive) for name in PLACES}
    uids = {line.study_instance_uid: None for line in lines if line.study_instance_uid}
    studies = _find(connection, "study_instance_uid", [("study_instance_uid", uid) for uid in uids])
    placed, wrong = Placed(), []
    first: dict[Key, int] = {}
    for line, (name, value) in zip(lines, decisive, strict=True):
        there = found[name].get(value, [])
        places = [one for one in there if _fits(line, one, studies)]
        if there and not places:
            wrong.append(f"line {line.line}: {name} {value} is of another study or series")
        elif len(places) == 1:
            _keep(placed, first, (*places[0], line.label.name), line)
        else:
            (placed.ambiguous if places else placed.unknown).setdefault(name, []).append(value)
    if wrong:
        raise LabelError(some_of(wrong))
    for lost in (placed.unknown, placed.ambiguous):
        lost.update({name: list(dict.fromkeys(values)) for name, values in lost.items()})
    return placed


def _keep(placed: Placed, first: dict[Key, int], key: Key, line: LabelLine) -> None:
    before = placed.words.get(key)
    if before is not None and before != line.label:
        name, value = line.place()
        placed.contradictions.append(
            f"lines {first[key]} and {line.line} say {before.value} and {line.label.value} of "
            f"{line.label.name} in {name} {value}"
            if before.value != line.label.value
            else f"lines {first[key]} and {line.line} give {line.label.name} two codes"
        )
    first.setdefault(key, line.line)
    placed.words[key] = line.label


def _fits(line: LabelLine, found: Place, studies: Mapping[str, Sequence[Place]]) -> bool:
    """Whether the coarser places that a line gives beside its finest are that one's, too."""
    if found.series and line.series_instance_uid not in {"", found.series}:
        return False
    named = line.study_instance_uid
    return not named or any(found.study == one.study for one in studies.get(named, ()))


def _find(
    connection: Connection, name: str, decisive: Iterable[tuple[str, str]]
) -> dict[str, list[Place]]:
    """What the archive has of one kind of place, by UID or number."""
    wanted = list(dict.fromkeys(value for which, value in decisive if which == name))
    column, rows = _QUERIES[name]
    found: dict[str, list[Place]] = {}
    for at in range(0, len(wanted), AT_ONCE):
        some = wanted[at : at + AT_ONCE]
        matching = connection.execute(rows.where(column == func.any(some)))
        for value, study, series, instance in matching:
            found.setdefault(value, []).append(Place(study, series, instance))
    return found
