"""A requestor that is the SCP of a SOP class: role selection, and its N-EVENT-REPORTs, as bytes."""

import pytest
from pydicom.uid import ImplicitVRLittleEndian

from dicom_node.upper_layer.association import EventReport, StoreRequest
from tests.dicom_node.raw_peer import (
    COMMITMENT,
    COMMITMENT_INSTANCE,
    CR,
    DATA,
    EXPLICIT,
    LAST_COMMAND,
    LAST_DATA,
    P_DATA,
    RELEASE_RQ,
    REPORT_CONTEXT,
    STORE_CONTEXT,
    Pdu,
    RawPeer,
    associate_rq,
    command_set,
    echo,
    event_report_rq,
    item,
    p_data,
    pdu,
    pdv,
    proposed,
    role,
    store,
    store_rq,
    uid_value,
)
from tests.dicom_node.upper_layer.test_association import ABORTED, Keeper, Kept, served

IMPLICIT = str(ImplicitVRLittleEndian)
OFFERS = (
    proposed(STORE_CONTEXT, CR, EXPLICIT),
    proposed(REPORT_CONTEXT, COMMITMENT, IMPLICIT, EXPLICIT),
)


def _keeper() -> Keeper:
    return Keeper(reporting_contexts={COMMITMENT: [EXPLICIT, IMPLICIT]})


def _accepted(peer: RawPeer, *roles: bytes) -> bytes:
    """The body of the A-ASSOCIATE-AC."""
    peer.send(associate_rq(*OFFERS, user=b"".join(roles)))
    answer = peer.read()
    assert answer is not None
    assert answer.kind == 2
    return answer.body


def _result(context_id: int, result: int, syntax: str = "") -> bytes:
    return item(0x21, bytes((context_id, 0, result, 0)) + item(0x40, syntax.encode()))


@pytest.mark.parametrize(
    ("roles", "result"),
    [
        ([role(COMMITMENT, 0, 1)], 0),
        ([role(COMMITMENT, 1, 1)], 0),
        ([role(CR, 1, 0), role(COMMITMENT, 0, 1)], 0),
        ([], 3),
        ([role(COMMITMENT, 1, 0)], 3),
        ([role(COMMITMENT, 0, 0)], 3),
        ([role(CR, 0, 1)], 3),
        ([role(COMMITMENT, 0, 1, length=19)], 3),
        ([role(COMMITMENT, 0, 1, length=0xFFFF)], 3),
        ([item(0x54, b"")], 3),
        ([item(0x54, b"\0\0\1")], 3),
        ([role(COMMITMENT, 0, 7)], 3),
    ],
    ids=[
        *("SCP", "SCU and SCP", "after another", "default", "SCU", "neither", "of another class"),
        *("UID too short", "UID too long", "empty", "too short", "neither 0 nor 1"),
    ],
)
def test_the_context_is_accepted_of_an_scp_only(roles: list[bytes], result: int) -> None:
    """PS3.7 D.3.3.4: without role selection, or with one that is malformed, it is the SCU."""
    with served(_keeper()) as (peer, _):
        body = _accepted(peer, *roles)
        assert _result(REPORT_CONTEXT, result, "" if result else EXPLICIT) in body
        assert (role(COMMITMENT, 0, 1) in body) == (result == 0)
        assert body.count(b"\x54\0") == (result == 0)
        peer.release()


def test_other_roles_change_nothing() -> None:
    """They get no answer: the default roles hold (PS3.7 D.3.3.4)."""
    with served(_keeper()) as (peer, _):
        body = _accepted(peer, role(CR, 1, 1))
        assert _result(STORE_CONTEXT, 0, EXPLICIT) in body
        assert role(CR, 1, 1)[:4] not in body
        peer.release()


def test_without_a_common_transfer_syntax_no_role_is_accepted() -> None:
    with served(_keeper()) as (peer, _):
        offer = proposed(REPORT_CONTEXT, COMMITMENT, "1.2.3")
        peer.send(associate_rq(offer, user=role(COMMITMENT, 0, 1)))
        answer = peer.read()
        assert answer is not None
        assert _result(REPORT_CONTEXT, 4) in answer.body
        assert role(COMMITMENT, 0, 1) not in answer.body
        peer.release()


def _reporting(peer: RawPeer) -> None:
    peer.associate(associate_rq(*OFFERS, user=role(COMMITMENT, 0, 1)))


def _command(**changes: bytes | int | None) -> bytes:
    return p_data(pdv(REPORT_CONTEXT, LAST_COMMAND, event_report_rq(**changes)))


def _data(*pieces: bytes) -> bytes:
    values = [pdv(REPORT_CONTEXT, DATA, piece) for piece in pieces[:-1]]
    return p_data(*values, pdv(REPORT_CONTEXT, LAST_DATA, pieces[-1]))


def test_a_report_is_taken_whole_and_answered() -> None:
    service = _keeper()
    with served(service) as (peer, ended):
        _reporting(peer)
        peer.send(_command(x0110=9, x1002=2), _data(b"some ", b"information"))
        response = peer.response()
        peer.release()
    about = EventReport(COMMITMENT, COMMITMENT_INSTANCE, 2, EXPLICIT)
    assert service.kept == [Kept(about, b"some information", "finished")]
    assert ended.outcome == "released"
    assert (response.CommandField, response.Status) == (0x8100, 0x0000)
    assert (response.MessageIDBeingRespondedTo, response.EventTypeID) == (9, 2)
    assert response.AffectedSOPInstanceUID == COMMITMENT_INSTANCE


def test_the_bytes_of_a_response() -> None:
    """PS3.7 table 10.3-2, in ascending order of the elements."""
    with served(_keeper()) as (peer, _):
        _reporting(peer)
        peer.send(_command(), _data(b"x"))
        answer = peer.read()
        peer.release()
    expected = command_set(
        {
            0x0002: uid_value(COMMITMENT),
            0x0100: 0x8100,
            0x0120: 1,
            0x0800: 0x0101,
            0x0900: 0x0000,
            0x1000: uid_value(COMMITMENT_INSTANCE),
            0x1002: 1,
        }
    )
    assert answer == Pdu(P_DATA, pdv(REPORT_CONTEXT, LAST_COMMAND, expected))


def test_a_report_without_information_is_judged_too() -> None:
    service = _keeper()
    with served(service) as (peer, _):
        _reporting(peer)
        peer.send(_command(x0800=0x0101))
        assert peer.statuses(1) == [0x0000]
        peer.release()
    assert [(kept.data, kept.ended) for kept in service.kept] == [(b"", "finished")]


def test_reports_and_stores_share_an_association() -> None:
    service = _keeper()
    with served(service) as (peer, _):
        _reporting(peer)
        peer.send(_command(), _data(b"1"), store("1.2.3", b"2"), _command(), _data(b"3"))
        assert peer.statuses(3) == [0, 0, 0]
        peer.release()
    assert [kept.data for kept in service.kept] == [b"1", b"2", b"3"]
    assert service.kept[1].request == StoreRequest(CR, "1.2.3", EXPLICIT)


@pytest.mark.parametrize(
    ("context_id", "command", "data"),
    [
        (REPORT_CONTEXT, store_rq("1.2.3"), True),
        (REPORT_CONTEXT, event_report_rq(x0100=0x0130), True),
        (REPORT_CONTEXT, event_report_rq(x0100=0x0130, x0800=0x0101), False),
        (STORE_CONTEXT, event_report_rq(), True),
        (STORE_CONTEXT, event_report_rq(x0800=0x0101), False),
    ],
    ids=["C-STORE", "N-ACTION", "N-ACTION without data", "as SCU", "as SCU without data"],
)
def test_what_is_not_of_the_role_is_not_recognized(
    context_id: int, command: bytes, data: bool
) -> None:
    """PS3.7 C.5.9, 0211H: neither an instance nor a request for commitment gets in this way."""
    service = _keeper()
    with served(service) as (peer, _):
        _reporting(peer)
        peer.send(p_data(pdv(context_id, LAST_COMMAND, command)))
        if data:
            peer.send(p_data(pdv(context_id, LAST_DATA, b"data")))
        assert peer.statuses(1) == [0x0211]
        peer.send(_command(), _data(b"x"))
        assert peer.statuses(1) == [0x0000]
        peer.release()
    assert len(service.kept) == 1


@pytest.mark.parametrize(
    "bad",
    [
        _command(x0110=None),
        _command(x0110=None, x0800=0x0101),
        _command(x0002=None),
        _command(x1000=None),
        _command(x1000=b"1" * 66),
        _command(x1002=None),
        _command(x1002=b"\1\0\0\0"),
        _command() + echo(),
        _command() + p_data(pdv(STORE_CONTEXT, LAST_DATA, b"x")),
        _data(b"x"),
    ],
    ids=[
        *("no Message ID", "nor data", "no class", "no instance", "endless UID", "no event type"),
        *("event type of 4 bytes", "command amid", "data elsewhere", "data alone"),
    ],
)
def test_a_malformed_report_is_aborted(bad: bytes) -> None:
    """As a malformed C-STORE is: PS3.8 9.2.3, action AA-8."""
    service = _keeper()
    with served(service) as (peer, _):
        _reporting(peer)
        peer.send(bad)
        assert peer.rest() == [ABORTED]
    assert [kept.ended for kept in service.kept] in ([], ["discarded"])


def test_a_report_that_breaks_off_is_discarded() -> None:
    service = _keeper()
    with served(service) as (peer, _):
        _reporting(peer)
        peer.send(_command(), p_data(pdv(REPORT_CONTEXT, DATA, b"half")), pdu(RELEASE_RQ))
        peer.rest()
    assert [kept.ended for kept in service.kept] == ["discarded"]
