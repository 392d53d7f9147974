"""A study is sent from its page: what the door says at once, and what the page shows after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pydicom.uid import ComprehensiveSRStorage
from sqlalchemy import Engine

from tests.conftest import find_free_port
from tests.dicom_node.http_doors import make_token
from tests.dicom_node.page_server import page_service
from tests.dicom_node.receivers import Receiver
from tests.end_to_end.orthanc import Answer, Orthanc
from tests.orthanc_plugin.plugged import (
    archive_in,
    image,
    mark_of,
    new_uid,
    node_scp,
    put,
)
from tests.waiting import wait_until

pytest_plugins = ["tests.dicom_node.page_browser"]

NOTHING = "holds no image that can be compared"
BUTTON = "Send this study to the node now"


@pytest.fixture
def node(free_port: int) -> Iterator[Receiver]:
    """The node's DICOM port: out of resources."""
    with node_scp(free_port, 0xA700) as got:
        yield got


@pytest.fixture
def orthanc(tmp_path: Path, engine: Engine, free_port: int, node: Receiver) -> Iterator[Orthanc]:
    """It sends only by hand; the node's HTTP service is the real one, and knows no study."""
    token = make_token(engine, "orthanc", "read", "feedback")
    settings = {"scp_port": free_port, "Token": token, "Forward": False, "RetrySeconds": 60}
    with (
        page_service(engine, tmp_path / "node", find_free_port()) as (url, _),
        archive_in(tmp_path / "orthanc", url=url, **settings) as installed,
    ):
        yield installed.orthanc


def _forward(orthanc: Orthanc, uid: str) -> Answer:
    kind = {"Content-Type": "application/json"}
    return orthanc.exchange("POST", f"/likeness/forward/{uid}", b"{}", kind)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


def _send_from_its_page(page: Page, orthanc: Orthanc, uid: str, *, says: str) -> None:
    """The page says so in the end, promises no answer, and lets the study be sent once more."""
    page.goto(f"http://127.0.0.1:{orthanc.http_port}/likeness/ui/studies/{uid}")
    page.get_by_role("button", name=BUTTON).click()
    said = page.locator("#said")
    expect(said).to_contain_text(says, timeout=15_000)
    expect(said).not_to_contain_text("Its answer is shown here")
    expect(page.get_by_role("button", name=BUTTON)).to_be_enabled()


def test_a_study_with_nothing_to_send_says_so(orthanc: Orthanc, page: Page) -> None:
    uid = new_uid()
    study = put(orthanc, image(uid, SOPClassUID=ComprehensiveSRStorage, Modality="SR"))
    _send_from_its_page(page, orthanc, uid, says=f"This study: {NOTHING}.")

    def refused() -> bool:
        """Once Orthanc has not touched it for two seconds the door knows it at once."""
        again = _forward(orthanc, uid)
        return again.status == 409 and again.json()["says"] == NOTHING

    wait_until(refused, "the door to say so")
    assert mark_of(orthanc, study)["state"] == "nothing to send"
    _send_from_its_page(page, orthanc, uid, says=f"Not sent: {NOTHING}")


def test_a_study_that_could_not_be_sent_says_so(orthanc: Orthanc, page: Page) -> None:
    uid = new_uid()
    study = put(orthanc, image(uid))
    _send_from_its_page(page, orthanc, uid, says="could not be sent, and will be tried again: ")
    sent = _forward(orthanc, uid)
    assert (sent.status, sent.json()["watch"]) == (202, f"state/study/{study}")
    assert "the last time it could not be: C-STORE" in sent.json()["says"]
