"""Labels from the attributes of DICOM files: diagnoses, and what a study was asked for.

A diagnosis is said; a reason for the study is a question. So what a reason names is uncertain,
and what it denies is not said at all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from dicom_node.labelling.digests import digest_of
from dicom_node.received import MALFORMED
from encoders.deflated import read_header
from encoders.elements import explain, items, text, texts
from encoders.image import PixelError
from evaluation.report_rules.reading import labels_of, strongest
from evaluation.report_rules.rules import Rules
from storage.answer import Label
from storage.label_files import Step
from storage.label_lines import LabelError, LabelLine

ATTRIBUTES = (
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "ReasonForVisit",
    "ReasonForVisitCodeSequence",
    "ReasonForStudy",
    "ReasonForTheRequestedProcedure",
    "ReasonForRequestedProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence",
)
"""What is read where nobody says other (PS3.3 C.7.2.2, C.4.11, Table 10-9), at the root and in the
Request Attributes Sequence (0040,0275)."""
_TEXTS = frozenset({"CS", "LO", "LT", "SH", "ST", "UC", "UT"})


@dataclass
class ReadAttributes:
    """What the files of each study say, by Study Instance UID.

    ``others`` counts files that are no DICOM, ``faults`` tells of those that could not be read.
    """

    said: dict[str, list[Label]] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)

    def lines(self) -> list[LabelLine]:
        """Each study's labels, each once: of several words the strongest."""
        return [
            LabelLine(uid, label)
            for uid in sorted(self.said)
            for label in strongest(self.said[uid])
        ]


def checked(keywords: Sequence[str]) -> tuple[str, ...]:
    """Attributes that labels may be read from; all of ``ATTRIBUTES`` where none is named.

    Raises:
        LabelError: the standard has no such keyword, or its value is neither text nor codes.
    """
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise LabelError(f"{keyword} is no keyword of PS3.6, such as {ATTRIBUTES[0]}")
        if dictionary_VR(tag) not in {*_TEXTS, "SQ"}:
            raise LabelError(f"{keyword} holds neither text nor codes")
    return tuple(keywords) or ATTRIBUTES


def read_attributes(
    paths: Iterable[Path], keywords: Sequence[str], rules: Rules, step: Step | None = None
) -> ReadAttributes:
    """Reads the headers of files; texts by the rules, codes as they are."""
    read = ReadAttributes()
    for path in paths:
        try:
            dataset = read_header(path)
            uid = text(dataset, "StudyInstanceUID")
            if uid is None:
                raise LabelError("StudyInstanceUID (0020,000D) is missing")
            read.said.setdefault(uid, []).extend(labels_of_dataset(dataset, keywords, rules))
            read.digests.append(digest_of(path))
        except InvalidDicomError:
            read.others["no DICOM files"] += 1
        except (LabelError, PixelError) as fault:
            read.faults.append(f"{path}: {fault}")
        except MALFORMED as fault:
            read.faults.append(f"{path} cannot be read: {explain(fault)}")
        if step is not None:
            step(1)
    return read


def labels_of_dataset(dataset: Dataset, keywords: Sequence[str], rules: Rules) -> list[Label]:
    """What one data set says under these keywords, at its root and of its requests.

    Raises:
        PixelError: an element cannot be parsed.
    """
    places = [dataset, *items(dataset, "RequestAttributesSequence")]
    return [
        label
        for place in places
        for keyword in keywords
        for label in _of_attribute(place, keyword, rules)
    ]


def _of_attribute(dataset: Dataset, keyword: str, rules: Rules) -> Iterator[Label]:
    if keyword not in dataset:
        return
    if dictionary_VR(keyword) == "SQ":
        found = [label for item in items(dataset, keyword) if (label := _coded(item))]
    else:
        found = labels_of([". ".join(texts(dataset, keyword))], rules)
    is_question = keyword.startswith("ReasonFor")
    for label in found:
        if not is_question:
            yield label
        elif label.value != 0:
            yield replace(label, value=-1)


def _coded(item: Dataset) -> Label | None:
    """A code item (PS3.3 8.8) as a label; None where it has no value."""
    keywords = ("CodeValue", "LongCodeValue", "URNCodeValue")
    value = next((found for keyword in keywords if (found := text(item, keyword))), None)
    if value is None:
        return None
    scheme = text(item, "CodingSchemeDesignator")
    return Label(text(item, "CodeMeaning") or value, 1, value if scheme else None, scheme)
