"""Content trees as text that a person can read, and the trees that we agreed upon.

``python -m tests.dicom_node.golden_trees --write`` writes them anew; what changed is then to be
read in the diff.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import Dataset

from tests.dicom_node.answers import make
from tests.dicom_node.report_kinds import KINDS

FOLDER = Path(__file__).with_name("golden")
INDENT = "  "


def tree_text(report: Dataset) -> str:
    """The report: a head of who, what and which references, then a line for each content item."""
    head = (
        f"{report.SOPClassUID.name} {report.SOPInstanceUID}",
        f"patient {report.PatientID!r} {str(report.PatientName)!r}",
        f"study {report.StudyInstanceUID}, accession {report.AccessionNumber!r}",
        *_references("predecessor", report.get("PredecessorDocumentsSequence", ())),
        *_references("own study", report.get("CurrentRequestedProcedureEvidenceSequence", ())),
        *_references("other study", report.get("PertinentOtherEvidenceSequence", ())),
    )
    return "\n".join([*head, "", *_lines(report, ""), ""])


def _references(kind: str, studies: Sequence[Dataset]) -> Iterator[str]:
    for study in studies:
        for series in study.ReferencedSeriesSequence:
            for sop in series.ReferencedSOPSequence:
                yield (
                    f"{kind} {study.StudyInstanceUID} series {series.SeriesInstanceUID}: "
                    f"{sop.ReferencedSOPClassUID.name} {sop.ReferencedSOPInstanceUID}"
                )


def _lines(item: Dataset, indent: str) -> Iterator[str]:
    relation = item.get("RelationshipType", "ROOT")
    value = _value(item)
    shown = f" = {value}" if value else ""
    name = _code(item.ConceptNameCodeSequence[0])
    yield f"{indent}{relation} {item.ValueType} {name}{shown}{_template(item)}"
    for child in item.get("ContentSequence", ()):
        yield from _lines(child, indent + INDENT)


def _template(item: Dataset) -> str:
    templates = item.get("ContentTemplateSequence", ())
    return "".join(f" [TID {template.TemplateIdentifier}]" for template in templates)


def _code(item: Dataset) -> str:
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.URNCodeValue
    return f"{item.CodeMeaning} ({value}, {item.CodingSchemeDesignator})"


def _value(item: Dataset) -> str:
    kind = item.ValueType
    if kind == "CODE":
        return _code(item.ConceptCodeSequence[0])
    if kind == "NUM":
        measured = item.MeasuredValueSequence[0]
        unit = measured.MeasurementUnitsCodeSequence[0].CodeMeaning
        return f"{measured.get('FloatingPointValue', measured.NumericValue)} {{{unit}}}"
    if kind == "IMAGE":
        sop = item.ReferencedSOPSequence[0]
        frame = sop.get("ReferencedFrameNumber")
        of_frame = "" if frame is None else f" frame {frame}"
        return f"{sop.ReferencedSOPClassUID.name} {sop.ReferencedSOPInstanceUID}{of_frame}"
    plain = {"UIDREF": "UID", "DATE": "Date", "TEXT": "TextValue"}
    return str(item[plain[kind]].value) if kind in plain else ""


def main(arguments: Sequence[str]) -> int:
    if list(arguments) != ["--write"]:
        sys.stderr.write("usage: python -m tests.dicom_node.golden_trees --write\n")
        return 2
    for name, kind in KINDS.items():
        text = tree_text(make(kind.given, **kind.options))
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
