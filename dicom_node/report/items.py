"""The content items of a report's groups: what is said of one study, one image, one label."""

import math
from collections.abc import Iterable

from highdicom import sr
from highdicom.sr import RelationshipTypeValues as Relation
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.valuerep import DA

from dicom_node.report.codes import (
    Private,
    body_part_code,
    clean,
    concept_of,
    fit,
    modality_code,
    presence,
    sex_code,
    view_code,
)
from dicom_node.report.filing import ReportError
from storage.answer import Answer, Hit, ImageReference, Label

STUDIES = Code("{studies}", "UCUM", "studies")
NO_PERCENTILE = "not available: the archive is too small to say"


def by_rank(hits: Iterable[Hit]) -> list[Hit]:
    """Hits in the order that a reader expects, whatever order they came in."""
    return sorted(hits, key=lambda hit: hit.rank)


def study_items(hit: Hit) -> list[sr.ContentItem]:
    """All that is said of a study. Never a name, an id or a free description of it: those would
    put another patient's identity into this patient's record."""
    study_uid = sr.UIDRefContentItem(
        codes.DCM.StudyInstanceUID, hit.study.study_instance_uid, Relation.HAS_ACQ_CONTEXT
    )
    labels = [_label(label) for label in hit.labels]
    facts = [study_uid, *_study_date(hit), *image_facts(hit.image), *_subject(hit)]
    return [*_measurements(hit), *labels, *facts, source_image(hit.image)]


def label_counts(answer: Answer) -> list[sr.ContentItem]:
    """How many of the similar studies carry each label, the label as the count's modifier."""
    labels = {label.name: label for hit in answer.hits for label in hit.labels}
    items = []
    for name, count in answer.label_counts().items():
        item = number(Private.WITH_LABEL.value, count, STUDIES)
        item.ContentSequence = [
            _coded(Private.LABEL.value, concept_of(labels[name]), name, Relation.HAS_CONCEPT_MOD)
        ]
        items.append(item)
    return items


def image_facts(image: ImageReference) -> list[sr.ContentItem]:
    """TID 1602, image library entry descriptors: modality, target region and view."""
    body_part = image.body_part or ""
    facts = (
        (codes.DCM.Modality, modality_code(image.modality), image.modality),
        (codes.DCM.TargetRegion, body_part_code(body_part), body_part),
        (codes.DCM.ImageView, view_code(image.view), image.view or ""),
    )
    return [
        _coded(name, code, value, Relation.HAS_ACQ_CONTEXT)
        for name, code, value in facts
        if clean(value)
    ]


def source_image(image: ImageReference) -> sr.SourceImageForMeasurementGroup:
    """The image, and its frame where it has several, that a group speaks of."""
    frames = None if image.frame_number is None else [image.frame_number]
    return sr.SourceImageForMeasurementGroup(image.sop_class_uid, image.sop_instance_uid, frames)


def number(name: Code, value: float, unit: Code) -> sr.NumContentItem:
    """A NUM item. highdicom writes a count as "3.0"; a reader expects "3"."""
    item = sr.NumContentItem(name, value, unit, relationship_type=Relation.CONTAINS)
    if isinstance(value, int):
        item.MeasuredValueSequence[0].NumericValue = str(value)
    return item


def text(name: Code, value: str, relation: Relation) -> sr.TextContentItem:
    """A TEXT item, never empty: Text Value is Type 1 (PS3.3 C.17.3)."""
    return sr.TextContentItem(name, clean(value) or "unknown", relation)


def _measurements(hit: Hit) -> list[sr.ContentItem]:
    """Rank first and the bare cosine last, as a reader should weigh them."""
    if hit.percentile is None:
        percentile = text(Private.PERCENTILE.value, NO_PERCENTILE, Relation.CONTAINS)
    else:
        value = _finite(hit, hit.percentile)
        percentile = number(Private.PERCENTILE.value, value, codes.UCUM.Percent)
    return [
        number(Private.RANK.value, hit.rank, codes.UCUM.NoUnits),
        percentile,
        number(Private.SIMILARITY.value, _finite(hit, hit.similarity), codes.UCUM.NoUnits),
    ]


def _finite(hit: Hit, value: float) -> float:
    if not math.isfinite(value):
        raise ReportError(
            f"study {hit.study.study_instance_uid} has {value} for similarity or percentile, "
            "which a report cannot hold: embed the study again"
        )
    return float(value)


def _label(label: Label) -> sr.ContentItem:
    """A coded qualitative evaluation where the label has a code, a line of text where not."""
    concept, value = concept_of(label), presence(label.value)
    if concept is not None:
        return sr.CodeContentItem(concept, value, Relation.CONTAINS)
    line = f"{clean(label.name)}: {value.meaning.lower()}"
    return text(Private.LABEL.value, line, Relation.CONTAINS)


def _subject(hit: Hit) -> list[sr.ContentItem]:
    """TID 1007: sex and age of the similar study's patient, who is not the report's."""
    items: list[sr.ContentItem] = []
    sex = sex_code(hit.study.sex)
    if sex is not None:
        items.append(sr.CodeContentItem(codes.DCM.SubjectSex, sex, Relation.HAS_OBS_CONTEXT))
    if hit.study.age is not None:
        years = number(codes.DCM.SubjectAge, hit.study.age, codes.UCUM.Year)
        years.RelationshipType = Relation.HAS_OBS_CONTEXT.value
        items.append(years)
    return items


def _study_date(hit: Hit) -> list[sr.ContentItem]:
    """The date of a study, left out where it is missing or not a date."""
    try:
        date = DA(hit.study.study_date or "")
    except ValueError:
        return []
    if not date:
        return []
    return [sr.DateContentItem(codes.DCM.StudyDate, date, Relation.HAS_ACQ_CONTEXT)]


def _coded(name: Code, code: Code | None, value: str, relation: Relation) -> sr.ContentItem:
    """A code where there is one, else the words as they came."""
    if code is None:
        return text(name, fit(value), relation)
    return sr.CodeContentItem(name, code, relation)
