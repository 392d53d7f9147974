"""Section 8.1.1 of PS3.2 annex A: the attributes that we write, read off what we really make."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pydicom.datadict import dictionary_description
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicom_node.conformance.markdown import literal, table
from dicom_node.received import STUDY_ATTRIBUTES

PRESENCE: Mapping[str, str] = MappingProxyType(
    {
        "ALWAYS": "always present with a value",
        "VNAP": "value not always present: of zero length where there is none",
        "ANAP": "attribute not always present",
        "EMPTY": "always of zero length",
    }
)
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "AUTO": "made for each document",
        "CONFIG": "from the settings",
        "COPY": "from the query, or another instance that is referred to, as it was received",
        "FIXED": "the same in every document of this version",
    }
)
"""What the abbreviations of PS3.2 A.8.1.1 mean here."""

_TREE = "ContentSequence"
"""Told by the table of the content tree instead."""
_BULK = frozenset({"OB", "OW", "SQ"})
_OF_OTHERS = frozenset(
    {
        "ReferencedFrameNumber",
        "ReferencedSOPClassUID",
        "ReferencedSOPInstanceUID",
        "SeriesInstanceUID",
        "StudyInstanceUID",
    }
)
"""Nested ones name other instances."""

_OF_THE_QUERY = frozenset(
    {*STUDY_ATTRIBUTES, "BodyPartExamined", "ImageLaterality"} - {"SpecificCharacterSet"}
)

Path = tuple[str, ...]
"""Keywords from the root of the data set down to an attribute."""
Modules = Mapping[str, Collection[str]]
"""Keywords by module."""


@dataclass
class _Written:
    """What several documents say of one attribute: ``values`` has one entry for each presence."""

    element: DataElement
    holders: int = 0
    values: list[str] = field(default_factory=list)

    @property
    def presence(self) -> str:
        if len(self.values) < self.holders:
            return "ANAP"
        if all(self.values):
            return "ALWAYS"
        return "VNAP" if any(self.values) else "EMPTY"

    @property
    def is_fixed(self) -> bool:
        return len({value for value in self.values if value}) <= 1


def attribute_table(
    caption: str,
    documents: Sequence[Dataset],
    modules: Modules,
    *,
    configured: Collection[str],
) -> str:
    """The table of an IOD's attributes, module by module, as ``documents`` have them.

    Args:
        caption: over the table.
        documents: of one SOP class, made by different nodes for different queries.
        modules: of the IOD, in the order of the table.
        configured: keywords whose values the settings give.
    """
    written = _written(documents)
    order = [*modules, OTHER]
    paths = sorted(written, key=lambda path: order.index(module_of(path, modules)))
    named = [module_of(path, modules) for path in paths]
    rows = [
        (
            module if at == named.index(module) else "",
            ">" * (len(path) - 1) + dictionary_description(path[-1]),
            str(written[path].element.tag).replace(" ", ""),
            str(written[path].element.VR),
            _value(path, written[path]),
            written[path].presence,
            _source(path, written[path], configured),
        )
        for at, (path, module) in enumerate(zip(paths, named, strict=True))
    ]
    columns = ("Module", "Attribute Name", "Tag", "VR", "Value", "Presence", "Source")
    return table(caption, columns, rows)


OTHER = "Other"


def module_of(path: Path, modules: Modules) -> str:
    """The module that an attribute, or the sequence that it lies in, belongs to."""
    return next((name for name, keywords in modules.items() if path[0] in keywords), OTHER)


def _written(documents: Sequence[Dataset]) -> dict[Path, _Written]:
    """Every attribute of the documents, what a sequence holds after the sequence."""
    found: dict[Path, _Written] = {}
    _gather((), documents, found)
    return found


def _gather(above: Path, holders: Sequence[Dataset], found: dict[Path, _Written]) -> None:
    tags = sorted({element.tag for holder in holders for element in holder})
    for tag in tags:
        elements = [holder[tag] for holder in holders if tag in holder]
        path = (*above, elements[0].keyword)
        found[path] = _Written(elements[0], len(holders), [_as_text(one) for one in elements])
        if elements[0].VR == "SQ" and elements[0].keyword != _TREE:
            _gather(path, [item for one in elements for item in one.value], found)


def _as_text(element: DataElement) -> str:
    if element.is_empty:
        return ""
    if element.VR in _BULK:
        return "present"
    return "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value)


def _value(path: Path, written: _Written) -> str:
    is_ours = written.is_fixed and path[0] not in _OF_THE_QUERY
    is_shown = is_ours and any(written.values) and written.element.VR not in _BULK
    return literal(next(filter(None, written.values))) if is_shown else ""


def _source(path: Path, written: _Written, configured: Collection[str]) -> str:
    if path[-1] in configured and len(path) == 1:
        return "CONFIG"
    if written.element.VR in _BULK or not any(written.values):
        return ""
    if path[0] in _OF_THE_QUERY:
        return "COPY"
    if written.is_fixed:
        return "FIXED"
    return "COPY" if len(path) > 1 and path[-1] in _OF_OTHERS else "AUTO"
