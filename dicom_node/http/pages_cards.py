"""The cards of a page: one for each hit and each prior, and the query as they show it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dicom_node.http import pages_links as links
from dicom_node.http import pages_words as words
from dicom_node.http.pages_asking import Asking
from storage.answer import Answer, Hit, ImageReference, Label, StudyRecord
from storage.feedback import Verdict

MOST_LABELS = 6
"""Labels on a card; all of them stand in its details."""
EAGER = 12
"""Cards whose pictures are fetched at once; the rest as they come into sight."""


@dataclass(frozen=True)
class ShownLabel:
    """A label that is present, or uncertain; an absent one is not shown."""

    name: str
    uncertain: bool


@dataclass(frozen=True)
class ShownImage:
    """Where an image is seen. ``viewer`` is the web viewer's address where there is one."""

    picture: str
    viewer: str | None
    kind: tuple[str, ...]


@dataclass(frozen=True)
class ShownStudy:
    """A study with one image of it. Never a name or an id of a patient."""

    uid: str
    image: ShownImage
    subject: str
    day: str


@dataclass(frozen=True)
class Card:
    """A hit or a prior. ``verdict`` is what this reader said of it.

    ``against`` is the query's image that it was compared with, and ``against_other`` says that
    this is not the one that stands for the query, ``against_alike`` that it is of the same kind.
    ``below`` says of a hit that the archive does not call it similar. ``slices`` is the likeness
    of the slices, empty where they were not compared.
    """

    shown: ShownStudy
    against: ShownImage
    against_other: bool
    against_alike: bool
    rank: int
    percentile: str
    percentile_says: str
    below: str
    cosine: str
    slices: str
    labels: tuple[ShownLabel, ...]
    more_labels: tuple[ShownLabel, ...]
    verdict: Verdict | None
    page: str
    eager: bool


def hit_cards(answer: Answer, asking: Asking, verdicts: Mapping[str, Verdict]) -> tuple[Card, ...]:
    """The hits, as ``verdicts`` judge them by their Study Instance UIDs."""
    return tuple(_cards(answer, answer.hits, asking, verdicts, level=answer.level))


def prior_cards(answer: Answer, asking: Asking) -> tuple[Card, ...]:
    """The same patient's other studies; whatever their percentile, nobody calls them similar."""
    return tuple(_cards(answer, answer.priors, asking, {}, level=0.0))


def shown(study: StudyRecord, image: ImageReference, asking: Asking) -> ShownStudy:
    """A study with one image of it."""
    return ShownStudy(
        uid=study.study_instance_uid,
        image=_image(study, image, asking),
        subject=words.subject(study),
        day=words.day(study.study_date),
    )


def _image(study: StudyRecord, image: ImageReference, asking: Asking) -> ShownImage:
    return ShownImage(
        picture=links.picture(study.study_instance_uid, image),
        viewer=links.viewer(image.series_instance_uid, image) if asking.has_viewer else None,
        kind=words.image_kind(image),
    )


def _cards(
    answer: Answer,
    hits: Sequence[Hit],
    asking: Asking,
    verdicts: Mapping[str, Verdict],
    *,
    level: float,
) -> Iterator[Card]:
    for hit in hits:
        labels, uid = _labels(hit.labels), hit.study.study_instance_uid
        against = hit.query_image or answer.image
        yield Card(
            shown=shown(hit.study, hit.image, asking),
            against=_image(answer.query, against, asking),
            against_other=against != answer.image,
            against_alike=words.image_kind(against) == words.image_kind(answer.image),
            rank=hit.rank,
            percentile=words.percentile(hit.percentile),
            percentile_says=words.percentile_says(hit.percentile),
            below=f"below the level ({level:g})" if words.is_below(hit, level) else "",
            cosine=f"{hit.similarity:.4f}",
            slices="" if hit.slice_similarity is None else f"{hit.slice_similarity:.4f}",
            labels=labels[:MOST_LABELS],
            more_labels=labels[MOST_LABELS:],
            verdict=verdicts.get(uid),
            page=links.page(uid),
            eager=hit.rank <= EAGER,
        )


def _labels(labels: Sequence[Label]) -> tuple[ShownLabel, ...]:
    """Each once: what one source calls present is not shown as uncertain for another's sake."""
    present = dict.fromkeys(label.name for label in labels if label.value == 1)
    uncertain = dict.fromkeys(label.name for label in labels if label.value == -1)
    return (
        *(ShownLabel(words.clipped(name), uncertain=False) for name in present),
        *(
            ShownLabel(words.clipped(name), uncertain=True)
            for name in uncertain
            if name not in present
        ),
    )
