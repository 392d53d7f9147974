"""Structured Reports made for tests, item by item as PS3.3 C.17.3 has them."""

from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

BASIC_TEXT = "1.2.840.10008.5.1.4.1.1.88.11"
FINDINGS = Code("59776-5", "LN", "Findings")
FINDING = Code("121071", "DCM", "Finding")
HISTORY = Code("121060", "DCM", "History")


def coded(code: Code) -> Dataset:
    """An item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def item(
    kind: str,
    name: Code,
    value: str | Code | None = None,
    *children: Dataset,
    relation: str = "CONTAINS",
) -> Dataset:
    """A content item: CONTAINER, TEXT or CODE."""
    made = Dataset()
    made.RelationshipType, made.ValueType = relation, kind
    made.ConceptNameCodeSequence = [coded(name)]
    if isinstance(value, Code):
        made.ConceptCodeSequence = [coded(value)]
    elif value is not None:
        made.TextValue = value
    if children:
        made.ContentSequence = list(children)
    return made


def document(
    *items: Dataset, study: str = "1.2.3", uid: str = "1.2.3.9", **attributes: Any
) -> Dataset:
    """An SR document of a study."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.StudyInstanceUID = BASIC_TEXT, uid, study
    made.SeriesInstanceUID, made.Modality, made.ValueType = f"{study}.8", "SR", "CONTAINER"
    made.ContentSequence = list(items)
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def replacing(uid: str) -> list[Dataset]:
    """A Predecessor Documents Sequence (PS3.3 C.17.2.2) that names one document."""
    study, series, referenced = Dataset(), Dataset(), Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = BASIC_TEXT, uid
    series.SeriesInstanceUID, series.ReferencedSOPSequence = "1.2.3.8", [referenced]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = "1.2.3", [series]
    return [study]
