"""What is sent to peers, over real sockets: taken, taken with a remark, refused, not answered."""

import re
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage
from pynetdicom.sop_class import Verification

from dicom_node.report_sending import send_report
from dicom_node.scu import NotReachedError, SendError, echo
from dicom_node.settings import Peer
from tests.dicom_node.receivers import (
    OURS,
    STORESCP,
    peer_at,
    receiver,
    refusal,
    report_file,
    storescp,
)

needs_dcmtk = pytest.mark.skipif(
    not STORESCP.exists(), reason="left out: DCMTK's storescp is not installed"
)


@needs_dcmtk
def test_dcmtk_gets_the_report_element_for_element(free_port: int, tmp_path: Path) -> None:
    report = report_file()
    with storescp(free_port, tmp_path) as folder:
        send_report(peer_at(free_port), report, calling_ae=OURS)
    (path,) = folder.iterdir()
    assert pydicom.dcmread(path) == pydicom.dcmread(BytesIO(report))


@needs_dcmtk
def test_dcmtk_answers_echo(free_port: int, tmp_path: Path) -> None:
    with storescp(free_port, tmp_path):
        echo(peer_at(free_port), calling_ae=OURS)


def test_the_peer_learns_our_ae_title(free_port: int) -> None:
    with receiver(free_port) as got:
        send_report(peer_at(free_port), report_file(), calling_ae=OURS)
    assert got.callers == [OURS]


@pytest.mark.parametrize("answer", [0xB000, 0xB006, 0xB007])
def test_a_warning_counts_as_stored(
    free_port: int, answer: int, caplog: pytest.LogCaptureFixture
) -> None:
    """PS3.4 B.2.3: coercion, elements discarded, data set does not match SOP class."""
    with receiver(free_port, answer) as got:
        send_report(peer_at(free_port), report_file(), calling_ae=OURS)
    assert len(got.datasets) == 1
    assert f"C-STORE of the report answered 0x{answer:04X}" in caplog.text


@pytest.mark.parametrize("answer", [0xA700, 0xA900, 0xC000, 0xCFFF, 0x0122])
def test_a_refusal_gives_its_status(free_port: int, answer: int) -> None:
    expected = f"at 127.0.0.1:{free_port}): C-STORE of the report answered 0x{answer:04X}"
    with receiver(free_port, answer), pytest.raises(SendError, match=re.escape(expected)):
        send_report(peer_at(free_port), report_file(), calling_ae=OURS)


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("disk full", "disk full"),
        ("cannot\0understand", "cannot understand"),
        ("\x1b[2Jred", "[2Jred"),
        ("two\r\nlines", "two lines"),
        ("x" * 200, "x" * 61 + "..."),
        ("", "0xC000"),
    ],
)
def test_a_comment_is_one_line_that_any_log_can_take(
    free_port: int, comment: str, said: str
) -> None:
    """PS3.5 6.2: LO has no control characters, and peers send them all the same."""
    with receiver(free_port, refusal(0xC000, comment)), pytest.raises(SendError) as caught:
        send_report(peer_at(free_port), report_file(), calling_ae=OURS)
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith(said)


def test_a_peer_that_breaks_off_gave_no_answer(free_port: int) -> None:
    with receiver(free_port, None), pytest.raises(SendError, match="no answer to C-STORE of the"):
        send_report(peer_at(free_port), report_file(), calling_ae=OURS)


def test_a_peer_that_is_down_is_named(free_port: int) -> None:
    expected = re.escape(f"pacs (PACS at 127.0.0.1:{free_port}): does not answer; is it running")
    with pytest.raises(NotReachedError, match=expected):
        echo(peer_at(free_port), calling_ae=OURS)


def test_a_peer_without_our_sop_class_says_so(free_port: int) -> None:
    with (
        receiver(free_port, sop_classes=[CTImageStorage]),
        pytest.raises(SendError, match="does not take Comprehensive 3D SR Storage"),
    ):
        send_report(peer_at(free_port), report_file(), calling_ae=OURS)


def test_a_peer_that_does_not_know_us_says_so(free_port: int) -> None:
    with (
        receiver(free_port, listed=["ANOTHER"]),
        pytest.raises(SendError, match="refuses the association; is our AE title listed there"),
    ):
        send_report(peer_at(free_port), report_file(), calling_ae=OURS)


def test_a_peer_without_verification_says_so(free_port: int) -> None:
    with (
        receiver(free_port, sop_classes=[CTImageStorage]),
        pytest.raises(SendError, match=f"does not take {Verification.name}"),
    ):
        echo(peer_at(free_port), calling_ae=OURS)


@pytest.mark.parametrize("host", ["no host", "x" * 64, "no-such-host.invalid"])
def test_a_host_that_cannot_be_a_name_is_told(free_port: int, host: str) -> None:
    """An underlying failure of name resolution is no other, whatever the resolver raises."""
    with pytest.raises(NotReachedError, match="its host has no address"):
        echo(peer_at(free_port, host=host), calling_ae=OURS)


def test_a_peer_that_only_sends_cannot_be_sent_to() -> None:
    with pytest.raises(SendError, match="the settings give no host and port"):
        echo(Peer(name="ct", ae_title="CT1"), calling_ae=OURS)
