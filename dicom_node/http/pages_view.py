"""What a page with an answer shows, as text and addresses: templates decide nothing of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from dicom_node.http import pages_links as links
from dicom_node.http import pages_words as words
from dicom_node.http.pages_filters import FilterForm, can_be_asked_for, filter_form
from dicom_node.reporting import Standing
from storage.answer import Answer, Hit, ImageReference, Label, StudyRecord
from storage.facets import Facets
from storage.feedback import Verdict
from storage.filters import Filters

MOST_LABELS = 6
"""Labels on a card; all of them stand in its details."""
MOST_COUNTS = 12
"""Labels that are counted among the hits; the rest is a click away."""
EAGER = 12
"""Cards whose pictures are fetched at once; the rest as they come into sight."""


@dataclass(frozen=True)
class ShownLabel:
    """A label that is present, or uncertain; an absent one is not shown."""

    name: str
    uncertain: bool


@dataclass(frozen=True)
class ShownStudy:
    """A study with its picture. Never a name or an id of a patient.

    ``viewer`` is the address of the web viewer where there is one.
    """

    uid: str
    picture: str
    viewer: str | None
    kind: tuple[str, ...]
    subject: str
    day: str


@dataclass(frozen=True)
class Card:
    """A hit or a prior. ``verdict`` is what this reader said of it."""

    shown: ShownStudy
    rank: int
    percentile: str
    percentile_says: str
    cosine: str
    labels: tuple[ShownLabel, ...]
    more_labels: tuple[ShownLabel, ...]
    verdict: Verdict | None
    page: str
    eager: bool


@dataclass(frozen=True)
class LabelCount:
    """How many hits have a label; ``page`` is the page's address narrowed to it."""

    name: str
    hits: int
    page: str | None


@dataclass(frozen=True)
class ReportLinks:
    """Where the report is, whether there is one, and where it went."""

    address: str
    picture: str
    is_made: bool
    has_picture: bool
    sent: str


@dataclass(frozen=True)
class AnswerPage:
    """The whole page. ``viewer`` is what its left half shows, None if that is closed."""

    query: ShownStudy
    headline: str
    account: str
    hits: tuple[Card, ...]
    priors: tuple[Card, ...]
    priors_told: str
    label_counts: tuple[LabelCount, ...]
    more_label_counts: tuple[LabelCount, ...]
    form: FilterForm
    space: Mapping[str, str]
    report: ReportLinks
    filters_json: str
    feedback: str
    viewer: str | None


@dataclass(frozen=True)
class Asking:
    """What the address of the page says; ``has_viewer`` where it is shown through Orthanc."""

    k: int | None
    filters: Filters
    viewer_series: str | None
    has_viewer: bool

    @property
    def kept(self) -> links.Parameters:
        """The parameters that stay when filters change."""
        k = [] if self.k is None else [("k", str(self.k))]
        return k if self.viewer_series is None else [*k, ("viewer", self.viewer_series)]


def answer_page(
    answer: Answer,
    asking: Asking,
    *,
    facets: Facets,
    verdicts: Mapping[str, Verdict],
    standing: Standing,
) -> AnswerPage:
    """The page of an answer.

    Args:
        answer: what was found.
        asking: how it was asked for.
        facets: what the filters can be set to.
        verdicts: what this reader said of hits, by their Study Instance UIDs.
        standing: the study with the report on it, if there is one.
    """
    uid, counts = answer.query.study_instance_uid, tuple(_label_counts(answer, asking))
    return AnswerPage(
        query=_shown(answer.query, answer.image, asking),
        headline=words.headline(answer),
        account=words.account(answer),
        hits=_cards(answer.hits, asking, verdicts),
        priors=_cards(answer.priors, asking, {}),
        priors_told=words.priors(answer),
        label_counts=counts[:MOST_COUNTS],
        more_label_counts=counts[MOST_COUNTS:],
        form=filter_form(
            *(uid, asking.filters, facets),
            k=answer.asked,
            kept=asking.kept,
            numbered=asking.has_viewer,
        ),
        space=_space(answer),
        report=_report(standing),
        filters_json=json.dumps(dict(answer.filters)),
        feedback=links.feedback(),
        viewer=_left_half(answer, asking),
    )


def _shown(study: StudyRecord, image: ImageReference, asking: Asking) -> ShownStudy:
    uid, series = study.study_instance_uid, image.series_instance_uid
    return ShownStudy(
        uid=uid,
        picture=links.picture(uid, image),
        viewer=links.viewer(series, image) if asking.has_viewer else None,
        kind=words.image_kind(image),
        subject=words.subject(study),
        day=words.day(study.study_date),
    )


def _left_half(answer: Answer, asking: Asking) -> str | None:
    """The viewer of the series that the reader came from, or the query's picture without one."""
    if asking.viewer_series is None:
        return None
    image, series = answer.image, asking.viewer_series
    if not asking.has_viewer:
        return links.picture(answer.query.study_instance_uid, image)
    return links.viewer(series, image if image.series_instance_uid == series else None)


def _cards(
    hits: Sequence[Hit], asking: Asking, verdicts: Mapping[str, Verdict]
) -> tuple[Card, ...]:
    return tuple(_card(hit, asking, verdicts) for hit in hits)


def _card(hit: Hit, asking: Asking, verdicts: Mapping[str, Verdict]) -> Card:
    labels = _labels(hit.labels)
    uid = hit.study.study_instance_uid
    return Card(
        shown=_shown(hit.study, hit.image, asking),
        rank=hit.rank,
        percentile=words.percentile(hit.percentile),
        percentile_says=words.percentile_says(hit.percentile),
        cosine=f"{hit.similarity:.4f}",
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


def _label_counts(answer: Answer, asking: Asking) -> Iterator[LabelCount]:
    uid, filters = answer.query.study_instance_uid, asking.filters
    pairs = links.filter_parameters(filters)
    for name, count in answer.label_counts().items():
        wish = [*pairs, ("label", name), *asking.kept]
        narrowed = links.page(uid, wish, numbered=asking.has_viewer)
        offered = not filters.labels and can_be_asked_for(name)
        yield LabelCount(words.clipped(name), count, narrowed if offered else None)


def _space(answer: Answer) -> dict[str, str]:
    """How the answer came about, by the names under which a reader is told."""
    told = {
        "level": f"percentile {answer.level:g} for the nearest study",
        "image chosen": answer.image.slice_rule or "by its kind",
        **{name.replace("_", " "): str(value) for name, value in asdict(answer.space).items()},
    }
    return {("space" if name == "id" else name): words.clipped(v) for name, v in told.items() if v}


def _report(standing: Standing) -> ReportLinks:
    address, report = links.report(standing.study.study_instance_uid), standing.report
    return ReportLinks(
        address=address,
        picture=f"{address}/picture",
        is_made=report is not None,
        has_picture=report is not None and report.has_picture,
        sent=words.sent(standing.sends),
    )
