"""Text and coded findings out of a Structured Report (PS3.3 C.17.3; PS3.16 TID 1500, TID 2000).

Read are the text and code items of what was found and concluded. Left out is the context (who
observed, what procedure) and every section that rules leave out of a text, too: history, request,
comparison, recommendations, told by its code or by its heading.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from evaluation.report_rules.phrases import plain
from evaluation.report_rules.rules import Rules
from storage.answer import Label

DOCUMENTS = frozenset(
    f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in ("11", "22", "33", "34", "35")
)
"""Basic Text, Enhanced, Comprehensive, Comprehensive 3D and Extensible SR (PS3.4 B.5)."""
OWN_SCHEME = "99LIKENESS"
"""Of our answers (docs/private-codes.md), whose labels are those of other studies."""

_CONTEXT = frozenset({"HAS CONCEPT MOD", "HAS OBS CONTEXT", "HAS ACQ CONTEXT"})
_UNREAD = frozenset(  # CID 7001 and CID 7002, in the codes of today and of earlier editions
    {
        *((value, "LN") for value in ("11329-0", "55752-0", "18785-6", "55115-0", "55111-9")),
        *((value, "LN") for value in ("55114-3", "18834-2", "18783-1", "55108-5", "29549-3")),
        *((value, "LN") for value in ("73569-6", "73568-8", "55113-5", "55109-3")),
        *((value, "DCM") for value in ("121060", "121062", "121064", "121065", "121066", "121068")),
        *((value, "DCM") for value in ("121069", "121074", "121075", "121109", "121110", "121180")),
    }
)
_FINDINGS = (
    Code("121071", "DCM", "Finding"),
    Code("121073", "DCM", "Impression"),
    Code("121077", "DCM", "Conclusion"),
    Code("59776-5", "LN", "Findings"),
    Code("19005-8", "LN", "Impressions"),
    Code("55110-1", "LN", "Conclusions"),
)
_PRESENCE = (  # CID 240, CID 241, CID 250, and Absent as earlier editions had it
    (Code("52101004", "SCT", "Present"), 1),
    (Code("10828004", "SCT", "Positive"), 1),
    (Code("272519000", "SCT", "Absent"), 0),
    (Code("2667000", "SCT", "Absent"), 0),
    (Code("260385009", "SCT", "Negative"), 0),
    (Code("373068000", "SCT", "Undetermined"), -1),
    (Code("82334004", "SCT", "Indeterminate"), -1),
)


class NoReportError(ValueError):
    """A data set that is no report to be read; the message says what it is instead."""


@dataclass(frozen=True)
class ReportDocument:
    """What a report says, and of which study.

    ``replaces`` are the SOP Instance UIDs of the documents that it takes the place of.
    """

    study_instance_uid: str
    sop_instance_uid: str = ""
    texts: tuple[str, ...] = ()
    coded: tuple[Label, ...] = ()
    replaces: frozenset[str] = field(default=frozenset())


def read_document(dataset: Dataset, rules: Rules) -> ReportDocument:
    """The text and the coded findings of a Structured Report, as they stand.

    Raises:
        NoReportError: it is no SR document of findings, or an answer of this program.
        AttributeError, ValueError and others that pydicom raises: it is damaged.
    """
    sop_class = str(dataset.get("SOPClassUID", ""))
    if sop_class not in DOCUMENTS:
        raise NoReportError(f"no report of findings (SOP class {sop_class or 'missing'})")
    texts: list[str] = []
    coded: list[Label] = []
    for item in _read_items(dataset, rules):
        kind = item.get("ValueType")  # an item by reference has none (PS3.3 C.17.3.2.5)
        if kind == "TEXT":
            texts.append(str(item.get("TextValue") or ""))
        elif kind == "CODE":
            coded += _finding(item)
    study = str(dataset.get("StudyInstanceUID") or "").strip()
    if not study:
        raise NoReportError("a report without Study Instance UID (0020,000D)")
    return ReportDocument(
        study,
        str(dataset.get("SOPInstanceUID") or "").strip(),
        tuple(text for text in texts if text.strip()),
        tuple(coded),
        frozenset(_predecessors(dataset)),
    )


def _read_items(parent: Dataset, rules: Rules) -> Iterator[Dataset]:
    for item in parent.get("ContentSequence") or ():
        if str(item.get("RelationshipType", "")) in _CONTEXT:
            continue
        name = _code(item, "ConceptNameCodeSequence")
        if name is not None and name.scheme_designator == OWN_SCHEME:
            raise NoReportError("an answer of Likeness, whose labels are of other studies")
        if _is_of(parent, item) or (name is not None and _is_unread(name, rules)):
            continue
        yield item
        yield from _read_items(item, rules)


def _is_of(parent: Dataset, item: Dataset) -> bool:
    """Whether an item says of its parent, a finding, whether it is present."""
    name = _code(parent, "ConceptNameCodeSequence")
    is_finding = name is not None and name in _FINDINGS and parent.get("ValueType") == "CODE"
    return is_finding and _presence(_code(item, "ConceptCodeSequence")) is not None


def _is_unread(name: Code, rules: Rules) -> bool:
    return (name.value, name.scheme_designator) in _UNREAD or plain(name.meaning) in rules.unread


def _finding(item: Dataset) -> list[Label]:
    """The label of a code item: a finding, or a concept that is said to be present or absent."""
    name, value = _code(item, "ConceptNameCodeSequence"), _code(item, "ConceptCodeSequence")
    if name is None or value is None:
        return []
    if name in _FINDINGS:
        said = [_presence(_code(child, "ConceptCodeSequence")) for child in _children(item)]
        return [_label(value, next((one for one in said if one is not None), 1))]
    presence = _presence(value)
    return [] if presence is None else [_label(name, presence)]


def _children(item: Dataset) -> Iterator[Dataset]:
    yield from item.get("ContentSequence") or ()


def _presence(code: Code | None) -> int | None:
    if code is None:
        return None
    return next((value for one, value in _PRESENCE if one == code), None)


def _label(code: Code, value: int) -> Label:
    return Label(code.meaning or code.value, value, code.value, code.scheme_designator)


def _code(item: Dataset, keyword: str) -> Code | None:
    """The first code of a sequence (PS3.3 8.8), None where there is none."""
    for code in item.get(keyword) or ():
        value = code.get("CodeValue") or code.get("LongCodeValue") or code.get("URNCodeValue")
        if value:
            scheme, meaning = code.get("CodingSchemeDesignator"), code.get("CodeMeaning")
            return Code(str(value), str(scheme or ""), str(meaning or ""))
    return None


def _predecessors(dataset: Dataset) -> Iterator[str]:
    for study in dataset.get("PredecessorDocumentsSequence") or ():
        for series in study.get("ReferencedSeriesSequence") or ():
            for document in series.get("ReferencedSOPSequence") or ():
                yield str(document.get("ReferencedSOPInstanceUID", ""))
