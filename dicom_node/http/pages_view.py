"""What a page with an answer shows, as text and addresses: templates decide nothing of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from dicom_node.http import pages_links as links
from dicom_node.http import pages_words as words
from dicom_node.http.pages_asking import REFINED, Asking
from dicom_node.http.pages_cards import Card, ShownStudy, hit_cards, prior_cards, shown
from dicom_node.http.pages_filters import FilterForm, can_be_asked_for, filter_form
from dicom_node.http.pages_report import ReportLinks
from storage.answer import Answer
from storage.facets import Facets
from storage.feedback import Verdict

MOST_COUNTS = 12
"""Labels that are counted among the hits; the rest is a click away."""


@dataclass(frozen=True)
class LabelCount:
    """How many hits have a label; ``page`` is the page's address narrowed to it."""

    name: str
    hits: int
    page: str | None


@dataclass(frozen=True)
class MarkLinks:
    """The page's address refined by the reader's marks, and without them.

    ``offered`` says whether there are marks to refine by, that this answer does not go by yet;
    ``plain`` is empty where it goes by none. ``told`` says what it goes by.
    """

    refine: str
    offered: bool
    plain: str
    told: str


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
    marks: MarkLinks
    viewer: str | None


def answer_page(
    answer: Answer,
    asking: Asking,
    *,
    facets: Facets,
    verdicts: Mapping[str, Verdict],
    report: ReportLinks,
) -> AnswerPage:
    """The page of an answer.

    Args:
        answer: what was found.
        asking: how it was asked for.
        facets: what the filters can be set to.
        verdicts: what this reader said of hits, by their Study Instance UIDs.
        report: where the report is, and what became of it.
    """
    uid, counts = answer.query.study_instance_uid, tuple(_label_counts(answer, asking))
    return AnswerPage(
        query=shown(answer.query, answer.image, asking),
        headline=words.headline(answer),
        account=words.account(answer),
        hits=hit_cards(answer, asking, verdicts),
        priors=prior_cards(answer, asking),
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
        report=report,
        filters_json=json.dumps(dict(answer.filters)),
        feedback=links.feedback(),
        marks=_marks(answer, asking, verdicts),
        viewer=_left_half(answer, asking),
    )


def _marks(answer: Answer, asking: Asking, verdicts: Mapping[str, Verdict]) -> MarkLinks:
    uid, filters = answer.query.study_instance_uid, links.filter_parameters(asking.filters)
    plain = [*filters, *asking.kept_plain]
    numbered = asking.has_viewer
    return MarkLinks(
        refine=links.page(uid, [*plain, REFINED], numbered=numbered),
        offered=bool(verdicts) and not asking.is_refined,
        plain=links.page(uid, plain, numbered=numbered) if asking.is_refined else "",
        told=words.refined(answer),
    )


def _left_half(answer: Answer, asking: Asking) -> str | None:
    """The viewer of the series that the reader came from, or the query's picture without one."""
    if asking.viewer_series is None:
        return None
    image, series = answer.image, asking.viewer_series
    if not asking.has_viewer:
        return links.picture(answer.query.study_instance_uid, image)
    return links.viewer(series, image if image.series_instance_uid == series else None)


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
