"""Content items (PS3.3 C.17.3.2) and the data sets in them, in plain pydicom.

highdicom checks and copies each item several times over, half of the time that a report takes;
it is kept as a judge in the tests, which have it read every tree back.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import format_number_as_ds

from dicom_node.report.codes import SHORT_STRING, clean, fit
from storage.answer import ImageReference


class Relation(StrEnum):
    """Relationship Type (0040,A010), from a content item to the one that holds it."""

    CONTAINS = "CONTAINS"
    CONCEPT_MOD = "HAS CONCEPT MOD"
    OBS_CONTEXT = "HAS OBS CONTEXT"
    ACQ_CONTEXT = "HAS ACQ CONTEXT"


def dataset(**values: Any) -> Dataset:
    """A data set of the elements, named by keyword; a list is a sequence.

    Setting them as attributes of a data set does the same in twice the time.
    """
    elements = ((*_element(keyword), value) for keyword, value in values.items())
    return Dataset({tag: DataElement(tag, vr, value) for tag, vr, value in elements})


@cache
def _element(keyword: str) -> tuple[BaseTag, str]:
    tag = Tag(keyword)
    return tag, dictionary_VR(tag)


def code_item(code: Code) -> Dataset:
    """An item of a code sequence (PS3.3 table 8.8-1), whose value goes where its length allows."""
    value = code.value
    if len(value) <= SHORT_STRING:
        place = "CodeValue"
    else:
        place = "URNCodeValue" if value.startswith(("urn:", "http:", "https:")) else "LongCodeValue"
    return dataset(
        **{place: value},
        CodingSchemeDesignator=code.scheme_designator,
        CodeMeaning=fit(code.meaning),
    )


def container(
    name: Code,
    children: Iterable[Dataset],
    *,
    relation: Relation | None = Relation.CONTAINS,
    template: str | None = None,
) -> Dataset:
    """A CONTAINER of the children; the root has no relation. ``template`` is a TID of PS3.16."""
    item = _item(
        relation,
        "CONTAINER",
        name,
        ContinuityOfContent="SEPARATE",
        ContentSequence=list(children),
    )
    if template is not None:
        made = dataset(MappingResource="DCMR", TemplateIdentifier=template)
        item.ContentTemplateSequence = [made]
    return item


def coded(relation: Relation, name: Code, value: Code) -> Dataset:
    """A CODE item."""
    return _item(relation, "CODE", name, ConceptCodeSequence=[code_item(value)])


def text(relation: Relation, name: Code, value: str) -> Dataset:
    """A TEXT item, never empty: Text Value is Type 1 (PS3.3 table C.18.2-1)."""
    return _item(relation, "TEXT", name, TextValue=clean(value) or "unknown")


def code_or_text(relation: Relation, name: Code, code: Code | None, words: str) -> Dataset:
    """A code where there is one, else the words as they came."""
    return text(relation, name, fit(words)) if code is None else coded(relation, name, code)


def number(
    relation: Relation, name: Code, value: float, unit: Code, children: Iterable[Dataset] = ()
) -> Dataset:
    """A NUM item. What 16 characters of a DS cannot hold is in Floating Point Value too, as
    PS3.3 table C.18.1-1 asks."""
    written = str(value) if isinstance(value, int) else format_number_as_ds(value)
    measured = dataset(NumericValue=written, MeasurementUnitsCodeSequence=[code_item(unit)])
    if float(written) != value:
        measured.FloatingPointValue = value
    item = _item(relation, "NUM", name, MeasuredValueSequence=[measured])
    if held := list(children):
        item.ContentSequence = held
    return item


def uid(relation: Relation, name: Code, value: str) -> Dataset:
    """A UIDREF item."""
    return _item(relation, "UIDREF", name, UID=value)


def date(relation: Relation, name: Code, value: str) -> Dataset:
    """A DATE item; ``value`` is a DA."""
    return _item(relation, "DATE", name, Date=value)


def image(name: Code, reference: ImageReference, children: Iterable[Dataset] = ()) -> Dataset:
    """An IMAGE item, of one frame where the instance has several (PS3.3 C.18.4)."""
    item = instance(name, reference.sop_class_uid, reference.sop_instance_uid)
    if reference.frame_number is not None:
        item.ReferencedSOPSequence[0].ReferencedFrameNumber = reference.frame_number
    if held := list(children):
        item.ContentSequence = held
    return item


def instance(name: Code, sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """An IMAGE item of a whole instance."""
    reference = sop_reference(sop_class_uid, sop_instance_uid)
    return _item(Relation.CONTAINS, "IMAGE", name, ReferencedSOPSequence=[reference])


def sop_reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """The SOP Instance Reference Macro (PS3.3 table 10-11)."""
    return dataset(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_instance_uid)


def _item(relation: Relation | None, value_type: str, name: Code, **values: Any) -> Dataset:
    if relation is not None:
        values["RelationshipType"] = relation.value
    return dataset(ValueType=value_type, ConceptNameCodeSequence=[code_item(name)], **values)
