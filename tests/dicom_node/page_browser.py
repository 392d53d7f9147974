"""Fixtures that read the page in headless Chromium, and watch what it does meanwhile.

A module of tests takes them in with ``pytest_plugins``.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine

from dicom_node.settings import Peer, ReportSettings
from tests.dicom_node.page_archive import good_archive, stored
from tests.dicom_node.page_reader import Reader
from tests.dicom_node.page_server import page_service

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of a module; each has a profile of its own in it."""
    if not CHROMIUM.exists():
        pytest.skip(f"left out: no Chromium at {CHROMIUM} (Debian's package chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], handle_sigint=False
        )
        yield launched
        launched.close()


@pytest.fixture
def reader(browser: Browser, engine: Engine, tmp_path: Path, free_port: int) -> Iterator[Reader]:
    """At the page of a node that has the good archive; at the end nothing was complained of."""
    stored(engine, good_archive())
    peers = (Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=1),)
    report = ReportSettings(picture=False, send_to=("pacs",))
    with (
        page_service(engine, tmp_path, free_port, peers=peers, report=report) as (url, side),
        browser.new_context(viewport={"width": 1280, "height": 800}) as context,
    ):
        made = Reader(url, engine, side, context, context.new_page())
        made.watch()
        yield made
        assert made.faults == []
        assert made.hosts <= {urlsplit(url).netloc}
