"""Refining by marks on the page: offered when there are marks, taken back, read without script."""

import re

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import text

from storage import feedback
from tests.dicom_node.page_archive import QUERY, stored, ugly_archive
from tests.dicom_node.page_reader import Reader
from tests.dicom_node.test_page_accessible import findings

pytest_plugins = ["tests.dicom_node.page_browser"]

READER = "http:127.0.0.1"


def _mark(reader: Reader, **verdicts: feedback.Verdict) -> None:
    with reader.engine.begin() as connection:
        for number, verdict in verdicts.items():
            hit = f"1.2.{number.removeprefix('n')}"
            feedback.give(connection, query=QUERY, hit=hit, verdict=verdict, given_by=READER)


def test_marks_refine_the_order_and_are_taken_out_again(reader: Reader) -> None:
    page = reader.open(f"{QUERY}?modality=DX")
    refine = page.get_by_role("link", name="Refine by my marks")
    expect(refine).to_be_hidden()
    plain = reader.ranks()
    page.get_by_role("button", name="Hit 1 is not similar").click()
    refine.click()
    told = "Ordered by your marks: 0 studies to be more like, 1 study to be less like and left out."
    expect(page.locator(".account")).to_contain_text(told)
    expect(page.locator("#hits .card")).to_have_count(len(plain) - 1)
    assert reader.ranks() == plain[1:]
    expect(page.locator("#said")).to_contain_text("without the filters and the marks set here")
    page.get_by_role("link", name=re.compile("Remove the filter")).click()
    expect(page.locator(".account")).to_contain_text(told)
    expect(refine).to_be_hidden()
    page.get_by_role("link", name="Show without my marks").click()
    expect(page.locator("#hits .card")).to_have_count(10)
    assert plain[0] in reader.ranks()
    expect(refine).to_be_visible()


def test_what_is_marked_similar_leads(reader: Reader) -> None:
    _mark(reader, n10="similar")
    page = reader.open()
    assert reader.ranks()[0] == "1.2.1"
    page.get_by_role("link", name="Refine by my marks").click()
    expect(page.locator(".account")).to_contain_text("1 study to be more like")
    expect(page.locator("#hits .card")).to_have_count(10)
    assert reader.ranks()[0] != "1.2.1"
    assert "1.2.10" in reader.ranks()


def test_where_all_are_marked_down_it_says_so(reader: Reader) -> None:
    all_of: dict[str, feedback.Verdict] = dict.fromkeys(
        [f"n{number}" for number in range(1, 13)], "not similar"
    )
    _mark(reader, **all_of)
    page = reader.open(f"{QUERY}?refine=feedback")
    expect(page.locator(".account h2")).to_have_text("No similar study")
    expect(page.locator(".account")).to_contain_text("none that you did not mark down reaches")
    page.get_by_role("link", name="Show without my marks").click()
    expect(page.locator("#hits .card")).to_have_count(10)


def test_a_page_that_is_to_be_refined_without_marks_says_so(reader: Reader) -> None:
    page = reader.open(f"{QUERY}?refine=feedback", through_orthanc=True)
    expect(page.locator(".account")).to_contain_text("There are no marks of yours")
    expect(page.locator("#hits .card")).to_have_count(10)


def test_without_javascript_earlier_marks_refine(reader: Reader, browser: Browser) -> None:
    _mark(reader, n1="not similar")
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{reader.url}/ui/studies/{QUERY}")
        page.get_by_role("link", name="Refine by my marks").click()
        expect(page.locator("#hit-1")).to_have_attribute("data-hit", "1.2.2")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_fits_and_is_accessible_with_long_names(reader: Reader, theme: str) -> None:
    with reader.engine.begin() as connection:
        connection.execute(text("DELETE FROM studies"))
    stored(reader.engine, ugly_archive())
    _mark(reader, n2="similar", n3="not similar")
    reader.context.add_init_script(f"localStorage.setItem('likeness.theme', '{theme}')")
    for width, asked in ((1280, QUERY), (390, f"{QUERY}?refine=feedback")):
        reader.page.set_viewport_size({"width": width, "height": 800})
        page = reader.open(asked)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert findings(page) == []


def test_the_page_takes_no_studies_beside_its_own(reader: Reader) -> None:
    for name in ("also", "more", "less"):
        page = reader.open(f"{QUERY}?{name}=1.2.1")
        expect(page.locator("body")).to_contain_text("no such parameter")
    reader.faults.clear()  # of the 422
