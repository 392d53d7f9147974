"""The columns of a label file: one line for each label, or one column for each (wide)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from storage.label_lines import PLACES, LabelError

LONG = ("label", "meaning", "value", "code", "scheme")
"""What a file with one line for each label has beside its places."""
_KNOWN = {name.replace("_", ""): name for name in (*PLACES, *LONG, "source")}


@dataclass(frozen=True)
class Columns:
    """Where each thing stands in a row; ``labels`` are the columns of a wide table by name."""

    known: Mapping[str, int]
    labels: Mapping[str, int]

    @property
    def wide(self) -> bool:
        """Whether there is one column for each label."""
        return bool(self.labels)

    def cell(self, row: Sequence[str], name: str) -> str:
        """A known column's cell, bare; empty where there is no such column."""
        at = self.known.get(name)
        return "" if at is None else row[at].strip()

    def places(self, row: Sequence[str]) -> dict[str, str]:
        """What a row is said of, by the names of ``PLACES``."""
        return {name: self.cell(row, name) for name in PLACES}


def columns_of(
    header: Sequence[str], *, wide: bool = False, leave_out: Collection[str] = ()
) -> Columns:
    """Which column is what, whatever capitals, blanks and underscores its name is written with.

    A file without a column ``label`` or ``meaning`` is wide: all columns that are neither a place
    nor the source, nor left out, are labels.

    Raises:
        LabelError: columns are missing, or one to be left out is not there.
    """
    missing = [name for name in leave_out if name not in header]
    if missing:
        raise LabelError(f"the header line has no {', '.join(missing)} to be left out")
    known: dict[str, int] = {}
    for at, name in enumerate(header):
        plain = _KNOWN.get("".join(filter(str.isalnum, name.casefold())))
        if plain and name not in leave_out:
            if plain in known:
                raise LabelError(f"{header[known[plain]]!r} and {name!r} are both {plain}")
            known[plain] = at
    if not known.keys() & set(PLACES):
        raise LabelError(f"the header line lacks one of {', '.join(reversed(PLACES))}")
    is_long = not wide and bool(known.keys() & {"label", "meaning"})
    return _long(known) if is_long else _wide(header, known, leave_out)


def _long(known: Mapping[str, int]) -> Columns:
    if "value" not in known:
        raise LabelError("the header line lacks value")
    return Columns(known, {})


def _wide(header: Sequence[str], known: Mapping[str, int], leave_out: Collection[str]) -> Columns:
    if odd := known.keys() & {"value", "code", "scheme"}:
        raise LabelError(f"the header line has {', '.join(sorted(odd))}, but no label")
    of_places = {name: at for name, at in known.items() if name in {*PLACES, "source"}}
    labels = {
        name: at
        for at, name in enumerate(header)
        if name and name not in leave_out and at not in of_places.values()
    }
    if not labels:
        raise LabelError("the header line lacks label and value, or a column for each label")
    return Columns(of_places, labels)
