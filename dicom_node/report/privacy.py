"""What a report may say of a study: everything but names, or nothing that tells which study it is.

The content tree is made of what comes out here and of nothing else, so that it cannot tell what
it was not given.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.valuerep import DA

from dicom_node.report.codes import body_part_term, modality_code, view_term
from dicom_node.report.filing import CaseNumber, is_valid
from storage.answer import Answer, Hit, ImageReference, Label

OLD = 90
"""Years. Where a study must not be told, ages from here on are one group, as in "age 90 or older"
of 45 CFR 164.514(b)(2)(i)(C): so few people are in it that the number alone could name one."""


@dataclass(frozen=True)
class ShownStudy:
    """A similar study or a prior, as far as a report may tell of it.

    Either ``study_instance_uid`` and ``image`` say which study and image it is, or ``case_number``
    stands in their place. ``age`` is in years, or in words where the number is not told;
    ``study_date`` is a DA.
    """

    rank: int
    similarity: float
    percentile: float | None
    labels: tuple[Label, ...]
    modality: str
    body_part: str | None
    view: str | None
    laterality: str | None
    sex: str | None
    age: int | str | None
    study_instance_uid: str | None = None
    study_date: str | None = None
    image: ImageReference | None = None
    case_number: str | None = None


def may_be_told(made_under: str, now: str) -> bool:
    """Whether a report that was made under one setting of ``report.privacy`` may be handed out
    under another: where studies of other patients must not be told, none that tells them."""
    return now == "identified" or made_under == "pseudonymous"


def similar_studies(answer: Answer, case_number: CaseNumber | None) -> list[ShownStudy]:
    """The studies of other patients in order of rank: by their UIDs, or by case numbers alone
    where ``case_number`` gives those."""
    if case_number is None:
        return [_identified(hit) for hit in by_rank(answer.hits)]
    return [_pseudonymous(hit, case_number) for hit in by_rank(answer.hits)]


def priors(answer: Answer) -> list[ShownStudy]:
    """The patient's own other studies in order of rank. They are in the patient's own record."""
    return [_identified(hit) for hit in by_rank(answer.priors)]


def by_rank(hits: Iterable[Hit]) -> list[Hit]:
    """Hits in the order that a reader expects, whatever order they came in."""
    return sorted(hits, key=lambda hit: hit.rank)


def grouped_age(age: int | None) -> int | str | None:
    """An age in years that can be told of anybody: from ``OLD`` on in words."""
    return f"{OLD} or more" if age is not None and age >= OLD else age


def _identified(hit: Hit) -> ShownStudy:
    return ShownStudy(
        hit.rank,
        hit.similarity,
        hit.percentile,
        hit.labels,
        modality=hit.image.modality,
        body_part=hit.image.body_part,
        view=hit.image.view,
        laterality=hit.image.laterality,
        sex=hit.study.sex,
        age=hit.study.age,
        study_instance_uid=hit.study.study_instance_uid,
        study_date=_date(hit.study.study_date),
        image=hit.image,
    )


def _pseudonymous(hit: Hit, case_number: CaseNumber) -> ShownStudy:
    # Words that are no defined term of the standard may be anything, a name among them: what is
    # told is the term that was found in them, and never the words.
    image = hit.image
    return ShownStudy(
        hit.rank,
        hit.similarity,
        hit.percentile,
        hit.labels,
        modality=image.modality if modality_code(image.modality) else "",
        body_part=body_part_term(image.body_part),
        view=view_term(image.view),
        laterality=image.laterality,
        sex=hit.study.sex,
        age=grouped_age(hit.study.age),
        case_number=case_number(hit.study.study_instance_uid),
    )


def _date(value: str | None) -> str | None:
    """The date of a study, or None where it is missing or not a date."""
    return value if value and is_valid(value, DA) else None
