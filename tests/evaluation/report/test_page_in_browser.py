"""The page in headless Chromium, from the disk: both themes, narrow and wide, keys, and paper."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from evaluation.report.compose import compose
from evaluation.report.writing import write
from tests.evaluation.report.made import MADE_WITH, everything

pytest_plugins = ["tests.dicom_node.page_browser"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    made = everything(folder)
    return write(compose(made, MADE_WITH), made.collection, folder)[-1].as_uri()


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(browser: Browser, file: str, theme: str) -> Iterator[Page]:
    """The page; at the end it has asked for nothing, and complained of nothing."""
    told: list[str] = []
    with browser.new_context(
        color_scheme="dark" if theme == "dark" else "light", viewport={"width": 1400, "height": 900}
    ) as context:
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith("data:") else told.append(asked.url),
        )
        page.goto(file)
        yield page
        assert told == [file]


def everything_open(page: Page) -> None:
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")


def test_nothing_of_the_collection_runs(opened: Page) -> None:
    assert opened.title().startswith("Evaluation of ugly </script>")
    assert opened.locator("script").count() == 1


def test_it_is_accessible(opened: Page) -> None:
    everything_open(opened)
    violations = Axe().run(opened).response["violations"]
    found = [
        f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}"
        for one in violations
        if one["impact"] in {"serious", "critical", "moderate"}
    ]
    assert found == []


@pytest.mark.parametrize("width", [380, 768, 1400])
def test_only_tables_are_wider_than_the_window(opened: Page, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    everything_open(opened)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_pictures_are_shown(opened: Page) -> None:
    shown = opened.locator(".panel .frame svg").first
    box = shown.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) > 50
    grey = opened.evaluate(
        "document.querySelector('.store image').href.baseVal.startsWith('data:image/jpeg')"
    )
    assert grey is True


def test_pairs_are_chosen_with_keys(opened: Page) -> None:
    browser = opened.locator("[data-browser]").nth(1)  # of the system that errs
    cells = browser.locator("details.cell")
    every = cells.count()
    assert every > 4
    asked = browser.locator("select").first
    asked.focus()
    opened.keyboard.press("ArrowDown")
    shown = [one for one in cells.all() if one.is_visible()]
    assert 0 < len(shown) < every
    assert {one.get_attribute("data-asked") for one in shown} == {"0"}
    pairs = sum(int(one.get_attribute("data-pairs") or 0) for one in shown)
    assert browser.locator("[role=status]").inner_text() == f"{pairs} pairs"


def test_a_cell_of_the_table_opens_its_pairs(opened: Page) -> None:
    browser = opened.locator("[data-browser]").nth(1)
    link = browser.locator("a[data-cell]").last
    link.focus()
    opened.keyboard.press("Enter")
    target = opened.locator(f"[id='{link.get_attribute('data-cell')}']")
    assert target.is_visible()
    visible = [one for one in browser.locator("details.cell").all() if one.is_visible()]
    assert len(visible) == 1


def test_without_its_script_the_page_still_shows_the_pairs(browser: Browser, file: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(file)
        assert not page.locator(".choose").first.is_visible()
        page.locator("[data-browser]").nth(1).locator("a[data-cell]").first.click()
        assert page.locator(".pairs:target").is_visible()


@pytest.mark.parametrize("landscape", [False, True])
def test_no_table_is_cut_on_paper(opened: Page, landscape: bool) -> None:
    everything_open(opened)
    opened.emulate_media(media="print")
    # A4 less the margins, at 96 dots an inch
    width = int(((297 if landscape else 210) - 24) / 25.4 * 96)
    opened.set_viewport_size({"width": width, "height": 900})
    wide = opened.evaluate(
        """width => [...document.querySelectorAll("body *")]
          .filter(one => one.getBoundingClientRect().right > width + 1
            && !one.closest(".unseen, .store") && one.checkVisibility())
          .map(one => one.tagName + "." + one.getAttribute("class"))""",
        width,
    )
    assert wide == []
    pdf = opened.pdf(format="A4", landscape=landscape, prefer_css_page_size=False)
    assert pdf.startswith(b"%PDF")


def test_paper_is_white_in_either_theme(opened: Page) -> None:
    opened.emulate_media(media="print")
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
