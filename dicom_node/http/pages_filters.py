"""The filters of the page: the form with its choices, and a chip for each that is set."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dicom_node.http import pages_links as links
from dicom_node.http import pages_words as words
from dicom_node.http.asked import MOST_CHARACTERS, MOST_HITS, SEXES
from storage.facets import Choice, Facets
from storage.filters import Filters


def can_be_asked_for(value: str) -> bool:
    """Whether the HTTP service takes a value of a filter; no other is offered."""
    return len(value) <= MOST_CHARACTERS and value.isprintable()


@dataclass(frozen=True)
class Option:
    """One value that can be chosen, and how many studies have it."""

    value: str
    text: str
    studies: int
    chosen: bool


@dataclass(frozen=True)
class Group:
    """The choices of one kind, under the parameter ``name``."""

    name: str
    title: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Chip:
    """A filter that is set; ``without`` is the page's address without it."""

    title: str
    text: str
    without: str


@dataclass(frozen=True)
class FilterForm:
    """What the form shows. ``clear`` is the page's address with no filter at all.

    ``kept`` are parameters that are no filters and stay; ``numbered`` as ``pages_links.page`` says.
    """

    action: str
    groups: tuple[Group, ...]
    sexes: tuple[Option, ...]
    values: dict[str, str]
    k: int
    kept: links.Parameters
    chips: tuple[Chip, ...]
    clear: str
    numbered: bool
    most_hits: int = MOST_HITS


_TITLES = {
    "modality": "Modality",
    "body_part": "Body part",
    "view": "View",
    "label": "Label",
    "sex": "Sex",
    "age_min": "Age from",
    "age_max": "Age to",
    "date_from": "Date from",
    "date_to": "Date to",
}


def filter_form(
    study_uid: str,
    filters: Filters,
    facets: Facets,
    *,
    k: int,
    kept: links.Parameters,
    numbered: bool = False,
) -> FilterForm:
    """The form of a study's page.

    Args:
        study_uid: the study asked with.
        filters: those that are set.
        facets: what can be chosen.
        k: how many hits are asked for.
        kept: parameters that stay whatever is chosen, ``k`` among them if it was given.
        numbered: parameters that come several times need numbers, as through Orthanc.
    """
    others = [(name, value) for name, value in kept if name != "k"]
    return FilterForm(
        action=links.page(study_uid),
        groups=tuple(_groups(filters, facets)),
        sexes=_options(
            [choice for choice in facets.sexes if choice.value in SEXES],
            [filters.sex] if filters.sex else [],
            words.sex,
        ),
        values=dict(filters.told()),
        k=k,
        kept=others,
        chips=tuple(_chips(study_uid, filters, kept, numbered=numbered)),
        clear=links.page(study_uid, kept),
        numbered=numbered,
    )


def _groups(filters: Filters, facets: Facets) -> Iterator[Group]:
    kinds = {
        "modality": (facets.modalities, filters.modalities),
        "body_part": (facets.body_parts, filters.body_parts),
        "view": (facets.views, filters.views),
        "label": (facets.labels, filters.labels),
    }
    for name, (choices, chosen) in kinds.items():
        options = _options(choices, chosen)
        if options:
            yield Group(name, _TITLES[name], options)


def _options(
    choices: Sequence[Choice],
    chosen: Sequence[str],
    told: Callable[[str], str] = words.clipped,
) -> tuple[Option, ...]:
    """The choices, with those chosen that nobody has: they stand first, to be taken back."""
    known = {choice.value for choice in choices}
    unknown = [Option(value, told(value), 0, True) for value in chosen if value not in known]
    return (
        *unknown,
        *(
            Option(choice.value, told(choice.value), choice.studies, choice.value in chosen)
            for choice in choices
            if can_be_asked_for(choice.value)
        ),
    )


def _chips(
    study_uid: str, filters: Filters, kept: links.Parameters, *, numbered: bool
) -> Iterator[Chip]:
    pairs = links.filter_parameters(filters)
    for name, value in pairs:
        rest = [pair for pair in pairs if pair != (name, value)]
        text = words.sex(value) if name == "sex" else words.clipped(value)
        without = links.page(study_uid, [*rest, *kept], numbered=numbered)
        yield Chip(_TITLES[name], text, without)
