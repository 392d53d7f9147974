"""Reports from the page, in headless Chromium: made, sent, downloaded, and what they list."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from tests.dicom_node.archive_of_made import set_state
from tests.dicom_node.page_archive import QUERY
from tests.dicom_node.page_reader import Reader

pytest_plugins = ["tests.dicom_node.page_browser"]


def test_the_report_is_made_queued_and_can_be_downloaded(reader: Reader) -> None:
    page = reader.open()
    page.get_by_role("button", name="Send report to PACS").click()
    expect(page.locator("#said")).to_have_text("Report: queued for pacs.")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download report").click()
    assert download.value.suggested_filename.endswith(".dcm")
    assert download.value.path().read_bytes()[128:132] == b"DICM"


def test_a_report_is_made_for_who_downloads_it_and_sent_to_nobody(reader: Reader) -> None:
    page = reader.open()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download report").click()
    assert download.value.path().read_bytes()[128:132] == b"DICM"
    with reader.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sends")).scalar_one() == 0


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("?k=10", ""),
        ("?modality=CR", ", without the filters set here."),
        ("?modality=CR&k=3", ", without the filters and the number of hits set here."),
    ],
)
def test_a_report_of_another_answer_says_so_before_and_after(
    reader: Reader, asked: str, says: str
) -> None:
    page = reader.open(f"{QUERY}{asked}")
    whole = says and f"The report lists the 10 nearest studies of the whole archive{says}"
    expect(page.locator("#said")).to_have_text(whole)
    for _ in range(2):  # it is that of this page's reader the second time, too
        page.get_by_role("button", name="Send report to PACS").click()
        expect(page.locator("#said")).to_have_text(f"Report: queued for pacs. {whole}".strip())
    page.reload()
    made = r"queued for pacs\. The report was made on 20\d\d-\d\d-\d\d at "
    expect(page.locator("#said")).to_have_text(re.compile(f"{made}.*{re.escape(says)}$"))


def test_a_report_of_earlier_says_when_it_was_made(reader: Reader) -> None:
    page, before = reader.open(), reader.context.new_page()
    before.goto(page.url)
    before.get_by_role("button", name="Send report to PACS").click()
    expect(before.locator("#said")).to_have_text("Report: queued for pacs.")
    send = page.get_by_role("button", name="Send report to PACS")
    send.click()  # made since this page was
    expect(page.locator("#said")).to_contain_text("The report was made earlier: it lists what")
    page.reload()
    send.click()
    expect(page.locator("#said")).to_contain_text("Report: queued for pacs. The report was made on")
    reader.context.request.post(f"{reader.url}/studies/{QUERY}/report", data={"new": True})
    send.click()  # it is another one now
    expect(page.locator("#said")).to_contain_text("The report was made earlier: it lists what")


def test_a_report_that_was_given_up_is_sent_again(reader: Reader) -> None:
    page = reader.open()
    send, said = page.get_by_role("button", name="Send report to PACS"), page.locator("#said")
    send.click()
    expect(said).to_have_text("Report: queued for pacs.")
    with reader.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE sends SET state = 'failed', finished_at = now(), reason = 'no promise', "
                """taken = '[{"sop_class_uid": "1.2", "sop_instance_uid": "1.2.3"}]'"""
            )
        )
    page.reload()
    expect(said).to_contain_text("Report: stored by pacs, not committed (no promise).")
    send.click()
    expect(said).to_contain_text("Report: queued for pacs.")


def test_a_page_gone_stale_downloads_no_fault(reader: Reader) -> None:
    page = reader.open()
    page.get_by_role("button", name="Send report to PACS").click()
    expect(page.locator("#said")).to_contain_text("queued for pacs")
    page.reload()
    downloads: list[str] = []
    page.on("download", lambda download: downloads.append(download.url))
    with reader.engine.begin() as connection:
        set_state(connection, QUERY, "open", revision=1)
    page.get_by_role("link", name="Download report").click()
    expect(page.locator("#said")).to_contain_text(f"No report: study {QUERY} is open")
    assert downloads == []
    with reader.engine.begin() as connection:
        set_state(connection, QUERY, "indexed", revision=2)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download report").click()
    assert download.value.path().read_bytes()[128:132] == b"DICM"
    reader.faults.clear()  # of the 503
