"""The words on the contact sheet, all in characters that can be drawn.

What is said of a study is what ``privacy`` lets a report say of it, and no more.
"""

from collections.abc import Iterable
from datetime import datetime

from pydicom.valuerep import DA

from dicom_node.report.device import Device
from dicom_node.report.lettering import drawable
from dicom_node.report.privacy import OLD, ShownStudy
from dicom_node.report.text import NOTICE
from storage.answer import Answer, ImageReference, Label, StudyRecord

OTHER_SCRIPT = "[in another script]"
PERCENTILE = (
    "Percentile: the share of this archive's pairs of different patients that are less alike."
)
_SIDES = frozenset("RLB")  # of PS3.3 C.7.6.16.2.8; U, unpaired, tells nothing
_SEXES = frozenset("MFO")


def headline(answer: Answer) -> str:
    """What was found, in three words."""
    if not answer.hits:
        return "No similar study"
    return _count(len(answer.hits), "similar study", "similar studies")


def account(answer: Answer) -> list[str]:
    """How the search went: under the headline, one sentence or two."""
    searched = _count(answer.searched, "comparable study", "comparable studies")
    level = f"percentile {answer.level:g}"
    if not answer.searched:
        lines = ["There was no comparable study of another patient to search."]
    elif not answer.hits:
        lines = [f"Of {searched} of other patients, none reaches {level} of similarity."]
    else:
        lines = [f"found among {searched} of other patients."]
    if answer.filters:
        filters = (f"{key} {value}" for key, value in sorted(answer.filters.items()))
        lines.append(f"Searched only: {drawable(', '.join(filters), OTHER_SCRIPT)}.")
    return lines


def limit(shown: int, listed: int, found: int) -> str:
    """How many there are, where not all are shown, and how many of those the report has."""
    if shown == found:
        return ""
    report = "all" if listed == found else f"{listed:,}"
    return f"the first {shown} of {found:,}; the report has {report}"


def percentile(study: ShownStudy) -> tuple[str, str]:
    """The name and the value of a percentile; the value is empty where there is none."""
    if study.percentile is None:
        return "no percentile", ""
    return "percentile", f"{study.percentile:.1f}"


def present_labels(labels: Iterable[Label]) -> str:
    """The labels that are present; absent and uncertain ones are not named."""
    return ", ".join(label_name(label) for label in labels if label.value == 1) or "no label"


def label_name(label: Label) -> str:
    """A label's name, or its code where the name is in another script."""
    code = drawable(f"{label.scheme} {label.code}") if label.scheme and label.code else ""
    return drawable(label.name) or code or "[label in another script]"


def label_counts(answer: Answer) -> list[tuple[str, int]]:
    """How many of the hits have each label as present, the most frequent first."""
    labels = {label.name: label for hit in answer.hits for label in hit.labels}
    return [(label_name(labels[name]), count) for name, count in answer.label_counts().items()]


def query_lines(study: StudyRecord, image: ImageReference) -> list[str]:
    """What is said of the study that was asked about."""
    subject = _subject(study.sex, study.age)
    return [_image_line(image), _joined(subject, _date(study.study_date))]


def study_lines(study: ShownStudy) -> list[str]:
    """What is said of a hit or a prior, in three lines: with its date or under its case number."""
    subject, similarity = _subject(study.sex, study.age), f"cosine {study.similarity:.3f}"
    if study.case_number is None:
        return [_image_line(study), _joined(subject, _date(study.study_date)), similarity]
    return [_image_line(study), _joined(subject, similarity), f"case {study.case_number}"]


def footer(answer: Answer, device: Device, created: datetime) -> tuple[str, list[str]]:
    """The notice, and who found this, with what and when."""
    space = answer.space
    node = f"{device.ae_title}, {device.model_name} {device.software_version}"
    encoder = f"encoder {space.encoder} {space.encoder_version}"
    made = drawable(_joined(node, encoder, f"space {space.id}"), OTHER_SCRIPT)
    return NOTICE, [PERCENTILE, _joined(f"{created:%Y-%m-%d %H:%M:%S}", made)]


def _image_line(shown: ShownStudy | ImageReference) -> str:
    """Modality, body part, view and side, such as "MG BREAST MLO L"."""
    side = shown.laterality if shown.laterality in _SIDES else None
    values = (shown.modality, shown.body_part, shown.view, side)
    return " ".join(drawable(value, OTHER_SCRIPT) for value in values if value)


def _subject(sex: str | None, age: int | str | None) -> str:
    told = f"{OLD}+" if isinstance(age, str) else age  # in words there is no more room
    years = "" if told is None else f"{told} y"
    return ", ".join(part for part in (sex if sex in _SEXES else "", years) if part)


def _date(value: str | None) -> str:
    """A date as ISO 8601 writes it; empty where it is missing or no date."""
    try:
        date = DA(value or "")
    except ValueError:
        return ""
    return f"{date:%Y-%m-%d}" if date else ""


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
