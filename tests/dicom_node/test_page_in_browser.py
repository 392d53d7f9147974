"""The page in headless Chromium: read, filtered, judged, walked through by keyboard."""

import re

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import text

from tests.dicom_node.archive_of_made import set_state
from tests.dicom_node.page_archive import (
    BROKEN_ATTRIBUTE,
    QUERY,
    RIGHT_TO_LEFT,
    SCRIPT,
    MadeStudy,
    add,
    good_archive,
    stored,
    ugly_archive,
)
from tests.dicom_node.page_reader import Reader

pytest_plugins = ["tests.dicom_node.page_browser"]

NEAREST = [f"1.2.{number}" for number in range(1, 11)]
"""As ``good_archive`` makes them, of twelve that it has."""


UNDER_APPLY = """
[...document.querySelectorAll("#filters .fields :is(input, select)")].filter((field) => {
  field.focus();
  const apply = document.querySelector(".submit").getBoundingClientRect();
  return field.getBoundingClientRect().bottom > apply.top;
}).map((field) => `${field.name} ${field.value}`)"""
"""The fields that "Apply" hides while they have the focus (WCAG 2.4.11)."""


def test_the_hits_stand_in_their_order_and_priors_apart(reader: Reader) -> None:
    page = reader.open()
    assert reader.ranks() == NEAREST
    expect(page.locator(".account")).to_contain_text(
        "12 comparable studies of other patients searched, 10 asked for, 10 returned."
    )
    expect(page.locator(".priors .card")).to_have_count(2)
    expect(page.locator(".priors")).to_contain_text("2 earlier or later studies of this patient")


def test_a_card_says_what_is_known_of_a_hit(reader: Reader) -> None:
    first = reader.open().locator("#hit-1")
    expect(first.locator(".kind")).to_have_text("DX CHEST PA")
    expect(first.locator(".who")).to_have_text("M, 41 y · 2021-03-01")
    expect(first.locator(".labels li").nth(2)).to_have_text("Atelectasis ?, uncertain")
    expect(first).not_to_contain_text("Pneumothorax")
    expect(first.locator("h3 .score")).to_have_text(re.compile(r"percentile \d+\.\d"))


def test_all_pictures_are_shown(reader: Reader) -> None:
    page = reader.open()
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert sizes == [96] * 13


def test_a_filter_narrows_and_its_chip_takes_it_back(reader: Reader) -> None:
    page = reader.open()
    page.get_by_role("group", name="Modality").get_by_label("CR").check()
    page.get_by_label("Number of hits").fill("3")
    page.get_by_role("button", name="Apply").click()
    assert reader.ranks() == ["1.2.3", "1.2.6", "1.2.9"]
    assert page.url.partition("?")[2] == "modality=CR&k=3"
    page.get_by_role("link", name="Remove the filter Modality CR").click()
    assert reader.ranks() == NEAREST[:3]


def test_several_choices_get_through_orthanc(reader: Reader) -> None:
    page = reader.open(f"{QUERY}?sex=M", through_orthanc=True)
    labels = page.get_by_role("group", name="Label")
    for name in ("Effusion", "Cardiomegaly"):
        labels.get_by_label(name).check()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".chip")).to_have_count(3)
    page.get_by_role("link", name="Remove the filter Sex male").click()
    expect(page.locator(".chip")).to_have_count(2)
    assert reader.ranks() == NEAREST


def test_filters_that_leave_nothing_offer_to_clear_them(reader: Reader) -> None:
    page = reader.open(f"{QUERY}?sex=O&modality=CT")
    expect(page.locator(".none")).to_contain_text("0 studies were searched")
    page.get_by_role("link", name="Clear the filters").click()
    assert reader.ranks() == NEAREST


def test_the_keyboard_walks_through_the_hits(reader: Reader) -> None:
    page = reader.open()
    walked = []
    for key in ("j", "ArrowRight", "k", "ArrowDown", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
        walked.append(reader.focus())
    assert walked == ["hit-1", "hit-2", "hit-1", "hit-5", "hit-1", "hit-1"]


@pytest.mark.parametrize("with_modifier", ["Control+s", "Alt+t"])
def test_keys_are_left_alone_in_fields_and_with_modifiers(
    reader: Reader, with_modifier: str
) -> None:
    page = reader.open()
    page.keyboard.press(with_modifier)
    page.keyboard.press("f")
    page.get_by_label("Number of hits").focus()
    for key in ("s", "t", "v", "?", "j"):
        page.keyboard.press(key)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("data-scores", "shown")
    expect(page.locator("#viewing")).to_be_hidden()
    expect(page.locator("#keys")).to_be_hidden()


def test_the_key_of_filters_goes_to_the_first_of_them(reader: Reader) -> None:
    page = reader.open(f"{QUERY}?viewer={QUERY}.1")
    page.keyboard.press("f")
    expect(page.locator("#filters input[name=modality]").first).to_be_focused()


def test_single_keys_can_be_turned_off(reader: Reader) -> None:
    page = reader.open()
    page.keyboard.press("?")
    page.get_by_label("Turn single keys off").check()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_thumbs_are_kept_and_taken_back(reader: Reader) -> None:
    page = reader.open()
    page.get_by_role("button", name="Hit 2 is similar").click()
    expect(page.locator('#hit-2 [aria-pressed="true"]')).to_have_count(1)
    assert reader.verdicts() == {"1.2.2": "similar"}
    page.reload()
    thumb = page.get_by_role("button", name="Hit 2 is similar")
    expect(thumb).to_have_attribute("aria-pressed", "true")
    thumb.click()
    expect(thumb).to_have_attribute("aria-pressed", "false")
    assert reader.verdicts() == {}


def test_thumbs_by_keyboard_go_to_the_hit_in_focus(reader: Reader) -> None:
    page = reader.open()
    for key in ("j", "u", "j", "d"):
        page.keyboard.press(key)
    expect(page.locator('#hits [aria-pressed="true"]')).to_have_count(2)
    assert reader.verdicts() == {"1.2.1": "similar", "1.2.2": "not similar"}


def test_a_verdict_that_is_not_kept_says_so(reader: Reader) -> None:
    page = reader.open()
    with reader.engine.begin() as connection:
        connection.execute(text("DELETE FROM studies WHERE study_instance_uid = '1.2.1'"))
    page.get_by_role("button", name="Hit 1 is similar").click()
    expect(page.locator("#hit-1 .fault")).to_contain_text(
        "This verdict was not kept: study 1.2.1 is not in this archive"
    )
    expect(page.locator('#hit-1 [aria-pressed="true"]')).to_have_count(0)
    assert [fault for fault in reader.faults if "404" not in fault] == []
    reader.faults.clear()  # the browser tells of the 404, too


@pytest.mark.parametrize(
    ("key", "attribute", "at_first", "then"),
    [("s", "data-scores", "shown", "hidden"), ("t", "data-theme", "dark", "light")],
)
def test_what_a_reader_chose_is_kept(
    reader: Reader, key: str, attribute: str, at_first: str, then: str
) -> None:
    page = reader.open()
    expect(page.locator("html")).to_have_attribute(attribute, at_first)
    page.keyboard.press(key)
    page.reload()
    expect(page.locator("html")).to_have_attribute(attribute, then)


def test_hidden_scores_leave_the_rank(reader: Reader) -> None:
    page = reader.open()
    page.keyboard.press("s")
    expect(page.locator("#hit-1 .rank")).to_be_visible()
    for score in page.locator(".score").all():
        expect(score).to_be_hidden()


def test_the_viewer_stands_beside_the_hits(reader: Reader) -> None:
    page = reader.open(f"{QUERY}?viewer={QUERY}.1", through_orthanc=True)
    expect(page.frame_locator("#viewing iframe").get_by_role("heading")).to_have_text("Viewer")
    width = page.evaluate("document.getElementById('viewing').offsetWidth / innerWidth")
    assert width == pytest.approx(0.5, abs=0.05)
    page.keyboard.press("v")
    expect(page.locator("#viewing")).to_be_hidden()
    assert reader.ranks() == NEAREST


def test_a_node_that_went_away_is_said_so_in_words(reader: Reader) -> None:
    page = reader.open()
    page.route("**/feedback", lambda route: route.abort())
    page.route("**/report", lambda route: route.abort())
    page.get_by_role("button", name="Hit 1 is similar").click()
    fault = page.locator("#hit-1 .fault")
    expect(fault).to_have_text("This verdict was not kept: the node does not answer")
    page.get_by_role("button", name="Send report to PACS").click()
    expect(page.locator("#said")).to_have_text("No report: the node does not answer")
    reader.faults.clear()  # the browser tells of both


def test_what_was_ticked_and_not_applied_is_forgotten(reader: Reader) -> None:
    page = reader.open()
    box = page.get_by_role("group", name="Modality").get_by_label("CR")
    box.check()
    page.get_by_role("link", name="Effusion").first.click()
    page.wait_for_url("**label=Effusion")
    page.go_back()
    expect(box).not_to_be_checked()


def test_what_must_be_seen_is_in_sight_at_once(reader: Reader) -> None:
    with reader.engine.begin() as connection:
        for number in range(30):  # a list of choices longer than the window
            add(connection, MadeStudy(f"1.8.{number}", -0.5, labels=[f"Label {number}"]))
    page = reader.open(f"{QUERY}?k=9")
    page.get_by_role("button", name="Send report to PACS").click()
    expect(page.locator("#said")).to_contain_text("queued")
    apply = page.get_by_role("button", name="Apply")
    expect(apply).to_be_in_viewport(ratio=1)
    expect(page.locator(".notice")).to_be_in_viewport(ratio=1)
    assert page.evaluate(UNDER_APPLY) == []
    expect(page.locator("#filters .hint")).to_contain_text("studies of this kind in the archive")


def test_a_study_that_is_awaited_shows_its_answer_when_it_is_done(reader: Reader) -> None:
    with reader.engine.begin() as connection:
        set_state(connection, QUERY, "queued")
    page = reader.open()
    expect(page.get_by_role("heading")).to_have_text("This study is not indexed yet")
    with reader.engine.begin() as connection:
        set_state(connection, QUERY, "indexed")
    expect(page.locator("#hits .card")).to_have_count(10, timeout=10_000)


def test_an_unknown_study_can_be_sent_from_orthanc(reader: Reader) -> None:
    page = reader.open("1.9.9", through_orthanc=True)
    page.get_by_role("button", name="Send this study to the node now").click()
    expect(page.locator("#said")).to_contain_text("This study: waiting to be sent.")
    assert reader.orthancs_side.sent == ["1.9.9"]
    stored(reader.engine, [MadeStudy("1.9.9", 0.5)])
    expect(page.locator("#hits .card")).to_have_count(10, timeout=10_000)
    assert [fault for fault in reader.faults if "404" not in fault] == []
    reader.faults.clear()  # until it is there it is not: the browser tells of the 404


def test_without_javascript_hits_are_read_and_filters_work(
    reader: Reader, browser: Browser
) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{reader.url}/ui/studies/{QUERY}")
        expect(page.locator(".thumb:visible")).to_have_count(0)
        expect(page.locator("#download")).to_be_hidden()  # nothing to be had, and no way to make it
        page.get_by_role("group", name="View").get_by_label("AP").check()
        page.get_by_role("button", name="Apply").click()
        expect(page.locator("#hits .card")).to_have_count(4)
        assert page.locator("#hit-1 .picture").get_attribute("href") == (
            "../../studies/1.2.3/image.png?instance=1.2.3.1.1"
        )


@pytest.mark.parametrize("shape", [(1280, 800), (3840, 2160), (390, 800)])
def test_ugly_texts_are_shown_as_they_are_and_widen_nothing(
    reader: Reader, shape: tuple[int, int]
) -> None:
    with reader.engine.begin() as connection:
        connection.execute(text("DELETE FROM studies"))
    stored(reader.engine, ugly_archive())
    reader.page.set_viewport_size({"width": shape[0], "height": shape[1]})
    page = reader.open()
    assert sorted(page.locator("#hit-1 .labels bdi").all_inner_texts()) == sorted(
        [SCRIPT, BROKEN_ATTRIBUTE]
    )
    assert page.locator("#query .kind bdi").all_inner_texts() == ["DX", RIGHT_TO_LEFT, SCRIPT]
    expect(page.locator("#hit-8 .no-picture")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#hit-2").bounding_box()["height"] < 1000  # type: ignore[index]


def test_nothing_moves_when_pictures_arrive(reader: Reader) -> None:
    tops = "[...document.querySelectorAll('.card')].map((card) => card.offsetTop)"
    page = reader.page
    page.route("**/image.png*", lambda route: route.abort())
    reader.open()
    without = page.evaluate(tops)
    page.unroute("**/image.png*")
    reader.open()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(tops) == without
    assert len(without) == len(good_archive()) - 3
    reader.faults.clear()  # of the pictures that were kept back
