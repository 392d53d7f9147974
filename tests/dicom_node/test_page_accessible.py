"""The page under axe-core, in both themes and in every state: nothing serious, nothing critical."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from sqlalchemy import text

from tests.dicom_node.archive_of_made import set_state
from tests.dicom_node.page_archive import QUERY, stored, ugly_archive
from tests.dicom_node.page_reader import Reader

pytest_plugins = ["tests.dicom_node.page_browser"]

STATES = {
    "the answer": (QUERY, ""),
    "filters that are set": (f"{QUERY}?modality=DX&sex=F&age_min=40&label=Effusion", ""),
    "the viewer beside it": (f"{QUERY}?viewer={QUERY}.1", ""),
    "side by side": (QUERY, "j Enter"),
    "side by side as pictures": (QUERY, "j Enter p"),
    "the list of keys": (QUERY, "?"),
    "hidden scores": (QUERY, "s"),
    "nothing found": (f"{QUERY}?modality=CT", ""),
    "not indexed": ("1.2.1", ""),
    "failed": ("1.2.2", ""),
    "unknown": ("1.9.9", ""),
    "filters that are none": (f"{QUERY}?age_min=old", ""),
}


def findings(page: Page) -> list[str]:
    """What axe-core calls serious or critical, with what it found so."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{found['id']}: {[node['target'] for node in found['nodes']]}"
        for found in violations
        if found["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_state_is_accessible(reader: Reader, theme: str) -> None:
    with reader.engine.begin() as connection:
        set_state(connection, "1.2.1", "queued")
        set_state(connection, "1.2.2", "failed", reason="no image that can be embedded")
    reader.context.add_init_script(f"localStorage.setItem('likeness.theme', '{theme}')")
    found = {}
    for state, (asked, keys) in STATES.items():
        page = reader.open(asked, through_orthanc=True)
        for key in keys.split():
            page.keyboard.press(key)
        assert page.locator("html").get_attribute("data-theme") == theme
        found[state] = findings(page)
    assert found == {state: [] for state in STATES}
    reader.faults.clear()  # of the states that are no 200


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_ugly_texts_are_accessible(reader: Reader, theme: str) -> None:
    with reader.engine.begin() as connection:
        connection.execute(text("DELETE FROM studies"))
    stored(reader.engine, ugly_archive())
    reader.context.add_init_script(f"localStorage.setItem('likeness.theme', '{theme}')")
    page = reader.open()
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert findings(page) == []
