"""Query and hit side by side, in headless Chromium: the right images, by mouse and by keyboard."""

import re

from playwright.sync_api import expect

from tests.dicom_node.page_archive import QUERY, TWO_VIEWS, stored, two_views_archive
from tests.dicom_node.page_reader import Reader

pytest_plugins = ["tests.dicom_node.page_browser"]


def test_side_by_side_opens_turns_and_gives_the_focus_back(reader: Reader) -> None:
    page = reader.open()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Query and hit 1")
    expect(dialog.locator(".window img")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("d")
    dialog = page.get_by_role("dialog", name="Query and hit 2")
    expect(dialog.get_by_role("button", name="Not similar")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert reader.focus() == "hit-2"
    assert reader.verdicts() == {"1.2.2": "not similar"}


def test_side_by_side_shows_the_image_that_was_compared(reader: Reader) -> None:
    stored(reader.engine, two_views_archive())
    page = reader.open(f"{TWO_VIEWS}?label=&k=20")
    (nearest, found_by_lateral) = (page.locator(f'[data-hit="1.4.{hit}"]') for hit in (1, 2))
    expect(nearest.locator(".against")).to_have_count(0)
    expect(found_by_lateral.locator(".against")).to_have_text("compared with DX CHEST LATERAL")
    nearest.locator(".picture").click()
    half = page.locator('[data-side="query"]')
    for image, view, hit in ((1, "PA", nearest), (2, "LATERAL", found_by_lateral)):
        page.keyboard.press("Escape")
        hit.locator(".picture").click()
        expect(half.locator(".kind")).to_have_text(f"DX CHEST {view}")
        address = re.compile(rf"/image\.png\?instance={re.escape(TWO_VIEWS)}\.1\.{image}$")
        expect(half.locator(".window img")).to_have_attribute("src", address)


def test_turning_to_a_hit_turns_the_query_where_need_be(reader: Reader) -> None:
    stored(reader.engine, two_views_archive())
    page = reader.open(f"{TWO_VIEWS}?k=20", through_orthanc=True)
    page.locator('[data-hit="1.4.1"] .picture').click()
    frame = page.locator('[data-side="query"] iframe')
    seen = [frame.get_attribute("src")]
    while not page.get_by_role("heading", name="Query and prior 1").count():
        page.keyboard.press("ArrowRight")
        seen.append(frame.get_attribute("src"))
    first, last = (f"../../viewer/{TWO_VIEWS}.1?instance={TWO_VIEWS}.1.{n}" for n in (1, 2))
    assert (seen[0], seen[-1], set(seen)) == (first, last, {first, last})


def test_side_by_side_as_pictures_instead_of_viewers(reader: Reader) -> None:
    page = reader.open(through_orthanc=True)
    page.locator("#hit-3 .picture").click()
    told = page.locator("#windowing")
    expect(told).to_have_text("Each viewer windows its image by itself.")
    page.keyboard.press("p")
    expect(told).to_contain_text("Both pictures by the same windowing rule")
    expect(page.get_by_role("button", name="Pictures")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    pictures = page.locator(".window img")
    assert [picture.get_attribute("src") for picture in pictures.all()] == [
        f"../../studies/{QUERY}/image.png?instance={QUERY}.1.1",
        "../../studies/1.2.4/image.png?instance=1.2.4.1.1",
    ]
    page.keyboard.press("p")
    expect(page.locator(".window iframe")).to_have_count(2)


def test_without_viewers_there_are_only_pictures(reader: Reader) -> None:
    page = reader.open()
    page.locator("#hit-3 .picture").click()
    expect(page.locator("[data-pictures]")).to_be_hidden()
    expect(page.locator("#windowing")).to_contain_text("Both pictures")


def test_what_keys_do_is_read_out(reader: Reader) -> None:
    page = reader.open()
    read_out = page.locator("main [role=status]")
    for key in ("j", "u"):
        page.keyboard.press(key)
    expect(read_out).to_have_text("Hit 1: marked as similar")
    page.keyboard.press("u")
    expect(read_out).to_have_text("Hit 1: verdict taken back")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    inside = page.locator("#sides [role=status]")
    expect(inside).to_have_text("Query and Hit 2")
    page.keyboard.press("d")
    expect(inside).to_have_text("Hit 2: marked as not similar")


def test_the_last_hit_keeps_the_focus_on_its_button(reader: Reader) -> None:
    page = reader.open(f"{QUERY}?k=2")
    page.locator("#prior-1 .picture").click()
    button = page.get_by_role("button", name="Next")
    button.click()
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_be_focused()
    button.click(force=True)
    expect(page.get_by_role("heading", name="Query and prior 2")).to_be_visible()


def test_side_by_side_in_two_viewers_of_orthanc(reader: Reader) -> None:
    page = reader.open(through_orthanc=True)
    page.locator("#hit-3 .picture").click()
    addresses = [frame.get_attribute("src") for frame in page.locator(".window iframe").all()]
    assert addresses == [
        f"../../viewer/{QUERY}.1?instance={QUERY}.1.1",
        "../../viewer/1.2.3.1?instance=1.2.3.1.1",
    ]
    frame = page.frame_locator('[data-side="hit"] iframe')
    expect(frame.get_by_role("heading")).to_have_text("Viewer")
    frame.locator("body").press("Escape")
    expect(page.locator("#sides")).to_be_hidden()
