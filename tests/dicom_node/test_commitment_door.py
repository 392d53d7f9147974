"""Who may report on storage commitment at our port, and that nobody gets one from us."""

import logging
from pathlib import Path
from typing import Any

import pytest

from dicom_node.event_information import CommitmentResult
from dicom_node.receiver_events import CommitmentReported
from tests.dicom_node.archives import report, reporter, result_of
from tests.dicom_node.mutated_sessions import mutated, split
from tests.dicom_node.raw_peer import (
    COMMITMENT,
    EXPLICIT,
    LAST_COMMAND,
    LAST_DATA,
    RELEASE_RQ,
    REPORT_CONTEXT,
    STORE_CONTEXT,
    answers_echo,
    associate_rq,
    associated,
    event_report_rq,
    p_data,
    pdu,
    pdv,
    proposed,
    raw_peer,
    role,
    store_rq,
    uid_value,
)
from tests.dicom_node.receivers import peer_at
from tests.dicom_node.receiving import Node, receiving
from tests.dicom_node.test_event_information import TRANSACTION, encoded, information
from tests.waiting import wait_until

ARCHIVE = peer_at(104, storage_commitment=True)
RESULT = result_of("2.25.5", ["1.2.1"], {"1.2.2": 0x0112})
SAYS = CommitmentResult("2.25.5", ("1.2.1",), (("1.2.2", 0x0112),))


def _reported(node: Node) -> list[CommitmentReported]:
    return [event for event in node.events if isinstance(event, CommitmentReported)]


def test_a_peer_that_is_asked_is_heard(tmp_path: Path) -> None:
    with receiving(tmp_path, ARCHIVE) as node:
        assert report(node.port, RESULT, event_type=2) == 0x0000
        assert _reported(node) == [CommitmentReported(1, "PACS", SAYS)]
        wait_until(lambda: node.outcomes() == ["released"], "the association to end")


@pytest.mark.parametrize(
    ("changes", "calling"),
    [
        ({"storage_commitment": False}, "PACS"),
        ({"addresses": ("192.0.2.0/24",)}, "PACS"),
        ({}, "ANOTHER"),
    ],
    ids=["not asked", "another address", "another AE"],
)
def test_nobody_else_is(tmp_path: Path, changes: dict[str, Any], calling: str) -> None:
    peer = peer_at(104, **{"storage_commitment": True, **changes})
    with receiving(tmp_path, peer) as node:
        assert report(node.port, RESULT, calling=calling) is None
        assert _reported(node) == []
        assert answers_echo(node.port)


def test_where_two_peers_share_a_title_the_address_counts(tmp_path: Path) -> None:
    elsewhere = peer_at(104, storage_commitment=True, addresses=("192.0.2.0/24",))
    here = peer_at(104, name="other", addresses=("127.0.0.0/8",))
    with receiving(tmp_path, elsewhere, here) as node:
        assert report(node.port, RESULT) is None


def test_nobody_gets_a_commitment_from_us(tmp_path: Path) -> None:
    """We are no archive: who wants to be the SCU of it finds no context accepted."""
    with (
        receiving(tmp_path, ARCHIVE) as node,
        reporter(node.port, scp_role=False) as association,
    ):
        assert not association.is_established
        assert [context.result for context in association.rejected_contexts] == [3]


def _session(data: bytes) -> bytes:
    """An association of the archive, a report and its release."""
    offer = proposed(REPORT_CONTEXT, COMMITMENT, EXPLICIT)
    command = pdv(REPORT_CONTEXT, LAST_COMMAND, event_report_rq())
    return b"".join(
        (
            associate_rq(offer, calling=b"PACS", user=role(COMMITMENT, 0, 1)),
            p_data(command),
            p_data(pdv(REPORT_CONTEXT, LAST_DATA, data)),
            pdu(RELEASE_RQ),
        )
    )


def test_a_malformed_report_is_refused_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        receiving(tmp_path, ARCHIVE) as node,
        raw_peer(node.port) as peer,
    ):
        peer.associate(split(_session(b""))[0])
        peer.send(*split(_session(b"\xff" * 10))[1:3])
        assert peer.statuses(1) == [0x0115]
        peer.release()
        assert _reported(node) == []
    assert "storage commitment report from 'PACS' answered 0x0115" in caplog.text


def test_an_instance_of_storage_commitment_is_not_stored(tmp_path: Path) -> None:
    """PS3.4 B.2.3, 0122H: a context that was accepted for CR is no way in."""
    with receiving(tmp_path, ARCHIVE) as node, associated(node.port) as peer:
        request = store_rq("1.2.3", x0002=uid_value(COMMITMENT))
        peer.send(p_data(pdv(STORE_CONTEXT, LAST_COMMAND, request)))
        peer.send(p_data(pdv(STORE_CONTEXT, LAST_DATA, b"data")))
        assert peer.statuses(1) == [0x0122]
        peer.release()
        assert node.names() == []


def test_mutated_reports_are_answered_or_refused_and_told_once(tmp_path: Path) -> None:
    """Whatever comes, the node lives on; what it tells of is a report that it could read."""
    data = encoded(information("1.2.1", failed={"1.2.2": 0x0112}), EXPLICIT)
    session = split(_session(data))
    with receiving(tmp_path, ARCHIVE, request_timeout_s=5, idle_timeout_s=5) as node:
        for number in range(400):
            with raw_peer(node.port) as peer:
                peer.send(mutated(session, number))
                peer.half_close()
                peer.rest()
        assert answers_echo(node.port)
        told = _reported(node)
    assert told
    assert len({event.association for event in told}) > 20
    assert CommitmentResult(TRANSACTION, ("1.2.1",), (("1.2.2", 0x0112),)) in {
        event.result for event in told
    }
