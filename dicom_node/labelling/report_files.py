"""Reports from files: Structured Reports, text files, and tables of texts."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from dicom_node.labelling.digests import digest_of
from dicom_node.received import MALFORMED
from encoders.deflated import read_header
from encoders.elements import explain
from evaluation.report_rules.reading import labels_of, strongest
from evaluation.report_rules.rules import Rules
from evaluation.report_rules.structured import NoReportError, ReportDocument, read_document
from storage.csv_rows import CsvError, read_rows
from storage.label_files import Step
from storage.label_lines import LabelLine

TEXT_COLUMNS = ("text", "report")
UNDEFINED = 0xFFFFFFFF
"""The length of what ends with a delimiter (PS3.5 7.1.1)."""
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass
class ReadReports:
    """The reports of some files.

    ``others`` counts the files that are no reports, by what they are; ``faults`` tells of those
    that could not be read. ``digests`` are SHA-256 of the files that were, in hexadecimal.
    """

    documents: list[ReportDocument] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)

    @property
    def studies(self) -> set[str]:
        """The Study Instance UIDs of the reports."""
        return {document.study_instance_uid for document in self.documents}


def read_reports(paths: Iterable[Path], rules: Rules, step: Step | None = None) -> ReadReports:
    """Reads DICOM SR files, ``STUDY_INSTANCE_UID.txt``, and CSV with a text for each study.

    What is no report is counted; what cannot be read is told, and the others are read.
    """
    read = ReadReports()
    for path in paths:
        try:
            read.documents += list(_documents(path, rules))  # all of a file, or none
            read.digests.append(digest_of(path))
        except (NoReportError, InvalidDicomError) as fault:
            other = isinstance(fault, InvalidDicomError)
            read.others["no DICOM file, .txt or .csv" if other else str(fault)] += 1
        except CsvError as fault:
            read.faults.append(str(fault))
        except MALFORMED as fault:
            read.faults.append(f"{path} cannot be read: {explain(fault)}")
        if step is not None:
            step(1)
    return read


def _documents(path: Path, rules: Rules) -> Iterator[ReportDocument]:
    kind = path.suffix.casefold()
    if kind == ".txt":
        yield _of_text_file(path)
    elif kind == ".csv":
        yield from _of_table(path)
    else:
        yield read_document(_whole(read_header(path)), rules)


def _whole(dataset: Dataset) -> Dataset:
    """The data set, as long as its elements say: pydicom passes over an end that is missing.

    Raises:
        EOFError: the file ends within an element.
    """
    for tag in dataset.keys():  # noqa: SIM118  (a data set iterates over elements, which parses them)
        element: Any = dataset.get_item(tag)
        if not isinstance(element, RawDataElement) or element.value is None:
            continue
        if len(element.value) < element.length != UNDEFINED:
            raise EOFError(f"the file ends within {tag}")
    return dataset


def _of_text_file(path: Path) -> ReportDocument:
    if not _UID.fullmatch(path.stem):
        raise CsvError(f"{path} is not named by its study: STUDY_INSTANCE_UID.txt")
    try:
        return ReportDocument(path.stem, texts=(path.read_text(encoding="utf-8-sig"),))
    except UnicodeDecodeError as fault:
        raise CsvError(f"{path} is not UTF-8 text: {fault}") from fault


def _of_table(path: Path) -> Iterator[ReportDocument]:
    table = read_rows(path)
    plain = ["".join(filter(str.isalnum, name.casefold())) for name in table.header]
    texts = [at for at, name in enumerate(plain) if name in TEXT_COLUMNS]
    if "studyinstanceuid" not in plain or len(texts) != 1:
        raise CsvError(f"{path}: the header line lacks study_instance_uid, or one column text")
    study = plain.index("studyinstanceuid")
    for number, row in table.rows:
        uid = row[study].strip()
        if not _UID.fullmatch(uid):
            raise CsvError(f"{path}: line {number}: {uid[:70]!r} is no study_instance_uid")
        yield ReportDocument(uid, texts=(row[texts[0]],))


def lines_of(
    documents: Sequence[ReportDocument], rules: Rules
) -> tuple[list[LabelLine], list[LabelLine]]:
    """The labels of each study: those that the rules find in its texts, and the coded ones.

    A document that another one replaces (PS3.3 C.17.2.2, predecessor) says nothing.
    """
    replaced = {uid for document in documents for uid in document.replaces}
    by_study: dict[str, list[ReportDocument]] = {}
    for document in documents:
        if not document.sop_instance_uid or document.sop_instance_uid not in replaced:
            by_study.setdefault(document.study_instance_uid, []).append(document)
    found, coded = [], []
    for uid, some in sorted(by_study.items()):
        texts = [text for document in some for text in document.texts]
        found += [LabelLine(uid, label) for label in labels_of(texts, rules)]
        codes = strongest(label for document in some for label in document.coded)
        coded += [LabelLine(uid, label) for label in codes]
    return found, coded
