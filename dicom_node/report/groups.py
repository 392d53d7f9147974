"""The measurement groups (PS3.16 TID 1501): one of the search, one of each study that it found."""

import math
import uuid
from collections.abc import Iterable, Sequence

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicom_node.report.codes import (
    Private,
    body_part_code,
    clean,
    laterality_code,
    modality_code,
    sex_code,
    view_code,
)
from dicom_node.report.filing import ReportError
from dicom_node.report.findings import concept_of, presence
from dicom_node.report.items import (
    Relation,
    code_or_text,
    coded,
    container,
    date,
    image,
    number,
    text,
    uid,
)
from dicom_node.report.privacy import ShownStudy
from dicom_node.report.text import parameters
from storage.answer import Answer, ImageReference, Label, SpaceSummary

STUDIES = Code("{studies}", "UCUM", "studies")
NO_PERCENTILE = "not available: the archive is too small to say"


def search_group(answer: Answer, report_uid: str) -> Dataset:
    """How the search was made (TID 4019), over how many studies, and what came of it."""
    outcome = Private.SIMILAR_FOUND if answer.hits else Private.NONE_FOUND
    return _group(
        [
            *_tracking(report_uid, "Similarity search"),
            coded(Relation.CONTAINS, codes.DCM.Finding, outcome.value),
            *_algorithm(answer.space, parameters(answer)),
            _count(Private.SEARCHED, answer.searched),
            _count(Private.ASKED, answer.asked),
            _count(Private.RETURNED, len(answer.hits)),
            *_label_counts(answer),
            image(codes.DCM.SourceOfMeasurement, answer.image),
        ]
    )


def study_group(
    study: ShownStudy, kind: Private, *, space: SpaceSummary, report_uid: str
) -> Dataset:
    """TID 1501 for a study: rank, percentile, similarity, labels, what it is, its image.

    ``kind`` is ``Private.SIMILAR_STUDY`` or ``Private.PRIOR_STUDY``. Never a name, an id or a
    free description: those would put another patient's identity into this patient's record.

    Raises ``ReportError`` for a similarity or percentile that is no number.
    """
    name = f"{kind.value.meaning} {study.rank}"
    others = kind is Private.SIMILAR_STUDY
    source = [] if study.image is None else [image(codes.DCM.SourceOfMeasurement, study.image)]
    return _group(
        [
            *_tracking(report_uid, name),
            coded(Relation.CONTAINS, codes.DCM.Finding, kind.value),
            *(_other_patient(name) if others else ()),
            *_sex_and_age(study),
            *_algorithm(space),
            *_measurements(study),
            *(_label(label) for label in study.labels),
            *_which_study(study),
            *descriptors(study),
            *source,
        ]
    )


def descriptors(shown: ImageReference | ShownStudy) -> list[Dataset]:
    """TID 1602, image library entry descriptors: modality, target region, laterality, view."""
    body_part, view = shown.body_part or "", shown.view or ""
    side = laterality_code(shown.laterality)
    facts = (
        (codes.DCM.Modality, modality_code(shown.modality), shown.modality),
        (codes.DCM.TargetRegion, body_part_code(body_part), body_part),
        (codes.DCM.ImageLaterality, side, side.meaning if side else ""),
        (codes.DCM.ImageView, view_code(view), view),
    )
    return [
        code_or_text(Relation.ACQ_CONTEXT, name, code, words)
        for name, code, words in facts
        if clean(words)
    ]


def _group(children: Iterable[Dataset]) -> Dataset:
    return container(codes.DCM.MeasurementGroup, children, template="1501")


def _tracking(report_uid: str, identifier: str) -> list[Dataset]:
    """TID 4108. The UID comes from the report's own and the rank (PS3.5 B.2): it can be repeated,
    and tells nothing of the study."""
    derived = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{report_uid}/{identifier}').int}"
    return [
        text(Relation.OBS_CONTEXT, codes.DCM.TrackingIdentifier, identifier),
        uid(Relation.OBS_CONTEXT, codes.DCM.TrackingUniqueIdentifier, derived),
    ]


def _algorithm(space: SpaceSummary, settings: Sequence[str] = ()) -> list[Dataset]:
    """TID 4019, algorithm identification."""
    said = [
        (codes.DCM.AlgorithmName, space.encoder),
        (codes.DCM.AlgorithmVersion, space.encoder_version),
        *((codes.DCM.AlgorithmParameters, setting) for setting in settings),
    ]
    return [text(Relation.CONCEPT_MOD, name, words) for name, words in said]


def _label_counts(answer: Answer) -> list[Dataset]:
    """How many of the similar studies carry each label, the label as the count's modifier."""
    labels = {label.name: label for hit in answer.hits for label in hit.labels}
    name = Private.LABEL.value
    return [
        _count(
            Private.WITH_LABEL,
            count,
            [code_or_text(Relation.CONCEPT_MOD, name, concept_of(labels[label]), label)],
        )
        for label, count in answer.label_counts().items()
    ]


def _count(name: Private, value: int, children: Iterable[Dataset] = ()) -> Dataset:
    return number(Relation.CONTAINS, name.value, value, STUDIES, children)


def _measurements(study: ShownStudy) -> list[Dataset]:
    """Rank first and the bare cosine last, as a reader should weigh them."""
    name, contains = Private.PERCENTILE.value, Relation.CONTAINS
    if study.percentile is None:
        percentile = text(contains, name, NO_PERCENTILE)
    else:
        value = _finite(study, study.percentile)
        percentile = number(contains, name, value, codes.UCUM.Percent)
    similarity = _finite(study, study.similarity)
    return [
        number(contains, Private.RANK.value, study.rank, codes.UCUM.NoUnits),
        percentile,
        number(contains, Private.SIMILARITY.value, similarity, codes.UCUM.NoUnits),
    ]


def _finite(study: ShownStudy, value: float) -> float:
    if not math.isfinite(value):
        which = study.study_instance_uid or study.case_number
        raise ReportError(
            f"study {which} has {value} for similarity or percentile, "
            "which a report cannot hold: embed the study again"
        )
    return float(value)


def _label(label: Label) -> Dataset:
    """A coded qualitative evaluation where the label has a code, a line of text where not."""
    concept, value = concept_of(label), presence(label.value)
    if concept is not None:
        return coded(Relation.CONTAINS, concept, value)
    line = f"{clean(label.name)}: {value.meaning.lower()}"
    return text(Relation.CONTAINS, Private.LABEL.value, line)


def _other_patient(name: str) -> list[Dataset]:
    """TID 1006: the group's subject is not the report's patient, so that a reader who goes by
    codes alone does not take its labels for findings in the report's patient."""
    return [
        coded(Relation.OBS_CONTEXT, codes.DCM.SubjectClass, codes.DCM.Patient),
        text(Relation.OBS_CONTEXT, codes.DCM.SubjectID, f"Patient of {name.lower()}"),
    ]


def _sex_and_age(study: ShownStudy) -> list[Dataset]:
    """TID 1007, of the patient at the time of the study."""
    items = []
    sex = sex_code(study.sex)
    if sex is not None:
        items.append(coded(Relation.OBS_CONTEXT, codes.DCM.SubjectSex, sex))
    age, name = study.age, codes.DCM.SubjectAge
    if isinstance(age, str):
        items.append(text(Relation.OBS_CONTEXT, name, age))
    elif age is not None:
        items.append(number(Relation.OBS_CONTEXT, name, age, codes.UCUM.Year))
    return items


def _which_study(study: ShownStudy) -> list[Dataset]:
    items = []
    if study.case_number is not None:
        items.append(text(Relation.ACQ_CONTEXT, Private.CASE_NUMBER.value, study.case_number))
    if study.study_instance_uid is not None:
        items.append(
            uid(Relation.ACQ_CONTEXT, codes.DCM.StudyInstanceUID, study.study_instance_uid)
        )
    if study.study_date is not None:
        items.append(date(Relation.ACQ_CONTEXT, codes.DCM.StudyDate, study.study_date))
    return items
