"""Section 8.3 of PS3.2 annex A: the codes and templates that our reports are made of."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from dicom_node.conformance.content_tree import content_table
from dicom_node.conformance.markdown import Section, literal, paragraphs, table
from dicom_node.report.codes import SCHEME, Private

CONTEXT_GROUPS: tuple[tuple[str, str, str], ...] = (
    ("33", "Modality", "Modality of an image"),
    ("100", "Quantitative Diagnostic Imaging Procedures", "Procedure reported"),
    ("240", "Present-Absent", "value of a label that has a code"),
    ("244", "Laterality", "side of an image"),
    ("4010", "DX View", "view of an image"),
    ("4014", "View for Mammography", "view of an image"),
    ("4031", "Common Anatomic Regions", "Target Region of an image"),
    ("6104", "Abnormal Opacity Finding or Feature", "the label mass, where it came without a code"),
    ("7202", "Source Image Purposes of Reference", "Source Image Sequence of the picture"),
    ("7455", "Sex", "sex of a similar study's patient"),
)  # fmt: skip
"""Number, name, and what its codes are used for."""

TEMPLATES: tuple[tuple[str, str, str], ...] = (
    ("1500", "Measurement Report", "the whole report"),
    ("1204", "Language of Content Item and Descendants", "English"),
    ("1001", "Observation Context", "of the report"),
    ("1002", "Observer Context", "the observer is a device"),
    ("1004", "Device Observer Identifying Attributes", "this node"),
    ("1600", "Image Library", "images of the query, of the hits, of the priors"),
    ("1601", "Image Library Entry", "one image"),
    ("1602", "Image Library Entry Descriptors", "modality, target region, view, side"),
    ("1501", "Measurement and Qualitative Evaluation Group", "the search; each hit; each prior"),
    ("4019", "Algorithm Identification", "the encoder and the parameters of the search"),
    ("4108", "Tracking Identifier", "of each group; stable for one report"),
    ("1006", "Subject Context", "that a similar study's subject is another patient"),
    ("1007", "Subject Context, Patient", "sex and age of a similar study's patient"),
)
"""Number, name, and what it is used for."""


def terminology(reports: Sequence[Dataset]) -> Section:
    """Context groups, templates, private codes, as ``reports`` have them."""
    return Section(
        "Coded Terminology and Templates",
        parts=(
            Section("Context Groups", _context_groups()),
            Section("Template Specifications", _templates(reports)),
            Section("Private Code Definitions", _private_codes(reports)),
        ),
    )


def _context_groups() -> str:
    rows = [(f"CID {number}", name, use) for number, name, use in CONTEXT_GROUPS]
    return paragraphs(
        "None can be configured. CID 100 is extended by Mammography and Ultrasonography (SCT). "
        "Where no code of a group fits what the image says, its own words are written as TEXT. "
        "Labels have the codes that the site gave with them, of SNOMED CT, RadLex or any other "
        "scheme; of those without one, names of common findings have the finding's code (SCT, "
        "DCM), and the rest is TEXT.",
        table("Context groups", ("Context Group", "Name", "Used For"), rows),
    )


def _templates(reports: Sequence[Dataset]) -> str:
    rows = [(f"TID {number}", name, use) for number, name, use in TEMPLATES]
    return paragraphs(
        table("Templates of PS3.16", ("Template", "Name", "Used For"), rows),
        "TID 1500, 1501 and 1602 are extensible; the items that this node adds to them are those "
        "named by private codes, and the Summary, which tells the answer in a sentence. There "
        "are no private templates. The whole tree:",
        content_table("Content tree of a report", reports),
        "*Times* says how often an item stands in the one that holds it.",
    )


def _private_codes(reports: Sequence[Dataset]) -> str:
    uses = dict.fromkeys(use for report in reports for use in _uses(report))
    rows = []
    for entry in Private:
        code = entry.value
        used = [use for value, use in uses if value == code.value]
        rows.append((code.value, code.meaning, "; ".join(used) or "not with these settings"))
    return paragraphs(
        f"The standard has no codes for image similarity. One private coding scheme, {SCHEME}, "
        "holds what is missing; every report describes it in Coding Scheme Identification "
        "Sequence (0008,0110). A published code never changes its meaning. Definitions stand "
        "in `docs/private-codes.md`.",
        table(f"Codes of {SCHEME}", ("Code Value", "Code Meaning", "Used As"), rows),
    )


def _uses(item: Dataset) -> Iterator[tuple[str, str]]:
    """Our codes in a tree, each with the part that it plays there."""
    for child in item.get("ContentSequence", ()):
        names = child.get("ConceptNameCodeSequence", [])
        for code in names:
            if code.CodingSchemeDesignator == SCHEME:
                yield code.CodeValue, f"name of {child.ValueType}"
        for code in child.get("ConceptCodeSequence", ()):
            if code.CodingSchemeDesignator == SCHEME:
                yield code.CodeValue, f"value of {literal(names[0].CodeMeaning)}"
        yield from _uses(child)
