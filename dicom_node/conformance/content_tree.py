"""The content tree of reports as a table, read off reports that were really made (PS3.3 C.17.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from dicom_node.conformance.made_up import LABEL_SCHEME
from dicom_node.conformance.markdown import literal, table

_GROUP, _FINDING = "125007", "121071"
"""Measurement Group and Finding (DCM): groups are told apart by what they find."""


@dataclass
class _Item:
    """A content item in its place, as several trees have it.

    Attributes:
        relation, kind, name: Relationship Type, Value Type and concept name.
        finding: of a measurement group.
        counts: how often it stands in each of the items above it.
        values: what it says each time.
        below: the items under it.
    """

    relation: str
    kind: str
    name: str
    finding: str
    counts: list[int] = field(default_factory=list)
    values: set[str] = field(default_factory=set)
    below: list["_Item"] = field(default_factory=list)

    @property
    def multiplicity(self) -> str:
        least, most = min(self.counts), max(self.counts)
        if most > 1:
            return "0-n" if least == 0 else "1-n"
        return "1" if least == 1 else "0-1"


_Key = tuple[str, str, str, str]


def content_table(caption: str, reports: Sequence[Dataset]) -> str:
    """The items that the reports are made of, in the order of the documents, each place once."""
    rows = [
        (
            ">" * depth + item.kind,
            item.relation,
            item.name + (f", finding {item.finding}" if item.finding else ""),
            item.multiplicity,
            next(iter(item.values)) if len(item.values) == 1 else "",
        )
        for depth, item in _flat(_items(reports), 0)
    ]
    root = ("CONTAINER", "", _concept(reports[0]), "1", "")
    columns = ("Value Type", "Relationship", "Concept Name", "Times", "Value or Unit, where fixed")
    return table(caption, columns, [root, *rows])


def _flat(items: Sequence[_Item], depth: int) -> Iterator[tuple[int, _Item]]:
    for item in items:
        yield depth + 1, item
        yield from _flat(item.below, depth + 1)


def _items(holders: Sequence[Dataset]) -> list[_Item]:
    """What stands below the holders, which are the same place of several trees."""
    lists = [[*holder.get("ContentSequence", ())] for holder in holders]
    keys = dict.fromkeys(_key(one) for ones in lists for one in ones)
    return [_item(key, lists) for key in keys]


def _item(key: _Key, lists: Sequence[Sequence[Dataset]]) -> _Item:
    found = [[one for one in ones if _key(one) == key] for ones in lists]
    each = [one for ones in found for one in ones]
    counts = [len(ones) for ones in found]
    return _Item(*key, counts, {_value(one) for one in each}, _items(each))


def _key(item: Dataset) -> _Key:
    kind = str(item.ValueType)
    relation = str(item.RelationshipType)
    return relation, kind, _concept(item), _finding(item)


def _concept(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return _code(names[0]) if names else ""


def _code(code: Dataset) -> str:
    if code.CodingSchemeDesignator == LABEL_SCHEME:
        return "the label's own code"
    value = code.get("CodeValue") or code.get("LongCodeValue") or code.get("URNCodeValue")
    return f"({value}, {code.CodingSchemeDesignator}, {literal(code.CodeMeaning)})"


def _finding(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    if not names or names[0].CodeValue != _GROUP:
        return ""
    found = [one for one in item.ContentSequence if _is_finding(one)]
    return _code(found[0].ConceptCodeSequence[0]) if found else ""


def _is_finding(item: Dataset) -> bool:
    names = item.get("ConceptNameCodeSequence")
    return bool(names) and item.ValueType == "CODE" and names[0].CodeValue == _FINDING


def _value(item: Dataset) -> str:
    """A code, or a unit; what else an item says is never the same for long."""
    if item.ValueType == "CODE":
        return _code(item.ConceptCodeSequence[0])
    if item.ValueType == "NUM" and item.MeasuredValueSequence:
        return _code(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0])
    return ""
