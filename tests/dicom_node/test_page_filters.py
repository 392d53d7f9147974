"""The form of the filters: what it offers, what is chosen, how one is taken back."""

from datetime import date

import pytest
from sqlalchemy import Engine, text

from dicom_node.http import pages_links as links
from dicom_node.http.asked import MOST_CHARACTERS
from dicom_node.http.pages_facets import RecentFacets
from dicom_node.http.pages_filters import FilterForm, Option, filter_form
from storage.facets import Choice, Facets
from storage.filters import NO_FILTERS, Filters
from tests.dicom_node.page_archive import SPACE, MadeStudy, add, good_archive, stored
from tests.waiting import wait_until

FACETS = Facets(
    modalities=(Choice("DX", 7), Choice("CR", 3)),
    sexes=(Choice("F", 6), Choice("<b>", 3), Choice("M", 1)),
    labels=(Choice("A & B", 2), Choice("x" * (MOST_CHARACTERS + 1), 1), Choice("two\nlines", 1)),
)


def form(filters: Filters = NO_FILTERS, kept: links.Parameters = ()) -> FilterForm:
    return filter_form("1.2", filters, FACETS, k=10, kept=kept)


def test_it_offers_what_can_be_asked_for() -> None:
    groups = {group.name: [option.value for option in group.options] for group in form().groups}
    assert groups == {"modality": ["DX", "CR"], "label": ["A & B"]}
    assert [option.text for option in form().sexes] == ["female", "male"]


def test_what_is_chosen_stands_there_even_if_nobody_has_it() -> None:
    (modality, _) = form(Filters(modalities=("CR", "XA"))).groups
    assert modality.options == (
        Option("XA", "XA", 0, chosen=True),
        Option("DX", "DX", 7, chosen=False),
        Option("CR", "CR", 3, chosen=True),
    )


def test_a_chip_keeps_all_the_others() -> None:
    filters = Filters(modalities=("CR", "DX"), sex="F", age_min=40, labels=("A & B",))
    chips = form(filters, kept=[("k", "5"), ("viewer", "1.2.3")]).chips
    assert [(chip.title, chip.text) for chip in chips] == [
        ("Modality", "CR"),
        ("Modality", "DX"),
        ("Label", "A & B"),
        ("Sex", "female"),
        ("Age from", "40"),
    ]
    assert chips[0].without == (
        "./1.2?modality=DX&label=A%20%26%20B&sex=F&age_min=40&k=5&viewer=1.2.3"
    )


def test_through_orthanc_what_comes_twice_has_a_number() -> None:
    filters = Filters(modalities=("CR", "DX"), sex="F")
    *_, sex = filter_form("1.2", filters, FACETS, k=10, kept=[("k", "5")], numbered=True).chips
    assert sex.without == "./1.2?modality.0=CR&modality.1=DX&k=5"


def test_clearing_keeps_what_is_no_filter() -> None:
    shown = form(Filters(date_from=date(2024, 1, 2)), kept=[("k", "5"), ("viewer", "1.2.3")])
    assert shown.clear == "./1.2?k=5&viewer=1.2.3"
    assert shown.kept == [("viewer", "1.2.3")]
    assert shown.values == {"date_from": "2024-01-02"}


@pytest.mark.parametrize(
    ("study", "address"),
    [("1.2", "./1.2?k=1"), ("a b/../c", "./a%20b%2F..%2Fc?k=1"), ('"><x>', "./%22%3E%3Cx%3E?k=1")],
)
def test_addresses_hold_nothing_raw(study: str, address: str) -> None:
    assert links.page(study, [("k", "1")]) == address


def _modalities(recent: RecentFacets) -> tuple[Choice, ...]:
    return recent.of(SPACE.id, ["radiograph"]).modalities


def test_choices_are_counted_again_only_after_a_while_and_behind_the_reader(engine: Engine) -> None:
    stored(engine, good_archive())
    now = 0.0
    recent = RecentFacets(engine, patience_s=30, clock=lambda: now)
    assert _modalities(recent) == (Choice("DX", 11), Choice("CR", 4))
    with engine.begin() as connection:
        add(connection, MadeStudy("1.7.1", 0.5, modality="CR"))
    now = 29.0
    assert _modalities(recent)[1] == Choice("CR", 4)
    now = 30.0
    assert _modalities(recent)[1] == Choice("CR", 4)  # the old ones, while it counts
    wait_until(lambda: _modalities(recent)[1] == Choice("CR", 5), "the new count")


def test_a_page_does_not_wait_for_the_count_of_a_large_archive(engine: Engine) -> None:
    stored(engine, good_archive())
    recent = RecentFacets(engine, patience_s=0.05)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE embeddings IN ACCESS EXCLUSIVE MODE"))
        assert recent.of(SPACE.id, ["radiograph"]) == Facets()
    wait_until(lambda: _modalities(recent) == (Choice("DX", 11), Choice("CR", 4)), "the count")
