"""One association against raw bytes: what is answered to whom, and how it ends."""

import select
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from pydicom.uid import ImplicitVRLittleEndian

from dicom_node.upper_layer.association import (
    Answer,
    Association,
    EventReport,
    Identity,
    StoreRequest,
)
from dicom_node.upper_layer.command import CommandError
from dicom_node.upper_layer.items import ProtocolError
from dicom_node.upper_layer.pdu import AssociateRequest, Rejection
from tests.dicom_node.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    COMMAND,
    CR,
    DATA,
    ECHO_CONTEXT,
    EXPLICIT,
    LAST_COMMAND,
    LAST_DATA,
    RELEASE_RP,
    RELEASE_RQ,
    STORE_CONTEXT,
    VERIFICATION,
    Pdu,
    RawPeer,
    associate_rq,
    command_set,
    data_pdus,
    echo,
    echo_rq,
    item,
    p_data,
    pdu,
    pdv,
    proposed,
    store,
    store_rq,
    uid_value,
)

IMPLICIT = str(ImplicitVRLittleEndian)
MAX_PDU = 4096
ABORTED = Pdu(ABORT, b"\0\0\x02\0")
"""A-ABORT by the service provider (PS3.8 9.3.8)."""


@dataclass
class Kept:
    """A sink that keeps what it is given."""

    request: StoreRequest | EventReport
    data: bytes = b""
    ended: str = ""

    def write(self, piece: bytes) -> None:
        self.data += piece

    def finish(self) -> Answer:
        self.ended = "finished"
        return Answer(0x0000)

    def discard(self) -> None:
        self.ended = "discarded"


@dataclass
class Keeper:
    """A service that keeps everything."""

    rejection: Rejection | None = None
    contexts: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {VERIFICATION: [EXPLICIT], CR: [EXPLICIT, IMPLICIT]}
    )
    reporting_contexts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    max_pdu: int = MAX_PDU
    kept: list[Kept] = field(default_factory=list)

    def admit(self, request: AssociateRequest) -> Rejection | None:
        return self.rejection

    def store(self, request: StoreRequest) -> Kept:
        self.kept.append(Kept(request))
        return self.kept[-1]

    def report(self, request: EventReport) -> Kept:
        self.kept.append(Kept(request))
        return self.kept[-1]


class Ended:
    """What ``Association.run`` came to; known once the block is left."""

    outcome: str | None = None
    fault: Exception | None = None


@contextmanager
def served(service: Keeper, patience_s: float = 20) -> Iterator[tuple[RawPeer, Ended]]:
    """A connection with an acceptor at its other end."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(patience_s)
    ended = Ended()

    def run() -> None:
        try:
            ended.outcome = Association(theirs, service, Identity("1.2.3", "TEST")).run()
        except (ProtocolError, CommandError, OSError) as fault:
            ended.fault = fault
        finally:
            theirs.close()

    thread = threading.Thread(target=run)
    with ours:
        thread.start()
        yield RawPeer(ours), ended
    thread.join()


def _command(elements: Mapping[int, bytes | int]) -> bytes:
    return p_data(pdv(STORE_CONTEXT, LAST_COMMAND, command_set(elements)))


_STORE = p_data(pdv(STORE_CONTEXT, LAST_COMMAND, store_rq("1.2.3")))
_AFTER_ASSOCIATION: dict[str, bytes] = {
    "second A-ASSOCIATE-RQ": associate_rq(),
    "A-ASSOCIATE-AC": pdu(2, bytes(68)),
    "A-ASSOCIATE-RJ": pdu(3),
    "A-RELEASE-RP": pdu(6),
    "unknown PDU": pdu(8),
    "PDU type 0": pdu(0),
    "PDU type FFH": pdu(255),
    "context that was not proposed": p_data(pdv(99, LAST_COMMAND, echo_rq())),
    "context that was refused": p_data(pdv(5, LAST_COMMAND, echo_rq())),
    "PDV longer than its PDU": p_data(pdv(1, LAST_COMMAND, echo_rq(), length=5000)),
    "PDV of length 0": p_data(pdv(1, LAST_COMMAND, b"", length=0)),
    "PDV of length 1": p_data(pdv(1, LAST_COMMAND, b"", length=1)),
    "half a PDV header": pdu(4, b"\0\0\0"),
    "rest behind a PDV": pdu(4, pdv(1, COMMAND, echo_rq()) + b"\0" * 5),
    "P-DATA longer than announced": pdu(4, b"", length=MAX_PDU + 7),
    "P-DATA of 4 GB": pdu(4, b"", length=0xFFFFFFFF),
    "endless command": p_data(pdv(1, COMMAND, bytes(4000))) * 17,
    "no command set": p_data(pdv(1, LAST_COMMAND, b"\xff" * 30)),
    "group 0008 in the command": p_data(pdv(1, LAST_COMMAND, b"\x08\0\x16\0\0\0\0\0")),
    "empty command": p_data(pdv(1, LAST_COMMAND, b"")),
    "no Command Field": _command({0x0110: 1, 0x0800: 0x0101}),
    "no Command Data Set Type": _command({0x0100: 0x0030, 0x0110: 1}),
    "C-ECHO without Message ID": _command({0x0100: 0x0030, 0x0800: 0x0101}),
    "C-STORE without Message ID": p_data(
        pdv(STORE_CONTEXT, LAST_COMMAND, store_rq("1.2.3", x0110=None))
    ),
    "C-STORE without SOP class": p_data(
        pdv(STORE_CONTEXT, LAST_COMMAND, store_rq("1.2.3", x0002=None))
    ),
    "C-STORE without instance": p_data(
        pdv(STORE_CONTEXT, LAST_COMMAND, store_rq("1.2.3", x1000=b""))
    ),
    "C-STORE with an endless UID": p_data(
        pdv(STORE_CONTEXT, LAST_COMMAND, store_rq("1.2.3", x1000=b"1" * 66))
    ),
    "data set without command": next(data_pdus(b"data", 4)),
    "data set amid a command": p_data(
        pdv(STORE_CONTEXT, COMMAND, store_rq("1.2.3")), pdv(STORE_CONTEXT, DATA, b"x")
    ),
    "command where a data set is due": _STORE + echo(),
    "data set in another context": _STORE + p_data(pdv(ECHO_CONTEXT, LAST_DATA, b"x")),
}


@pytest.mark.parametrize("bad", _AFTER_ASSOCIATION.values(), ids=_AFTER_ASSOCIATION.keys())
def test_a_violation_within_an_association_is_aborted(bad: bytes) -> None:
    """PS3.8 9.2.3, action AA-8: A-ABORT by the service provider."""
    service = Keeper()
    with served(service) as (peer, ended):
        peer.associate(associate_rq(*_WITH_A_REFUSED_CONTEXT))
        peer.send(bad)
        assert peer.rest() == [ABORTED]
    assert isinstance(ended.fault, ProtocolError | CommandError)
    assert [kept.ended for kept in service.kept] in ([], ["discarded"])


_WITH_A_REFUSED_CONTEXT = (
    proposed(ECHO_CONTEXT, VERIFICATION, EXPLICIT),
    proposed(STORE_CONTEXT, CR, EXPLICIT),
    proposed(5, "1.2.840.10008.5.1.4.1.1.104.1", EXPLICIT),
)


@pytest.mark.parametrize(
    "first",
    [
        echo(),
        pdu(RELEASE_RQ),
        pdu(ABORT),
        pdu(9),
        pdu(1, b"", length=1 << 21),
        pdu(1, bytes(20)),
        pdu(1, associate_rq()[6:-3]),
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(64),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        bytes(100),
    ],
    ids=["data", "release", "abort", "type 9", "long", "short", "cut", "HTTP", "TLS", "SSH", "0"],
)
def test_whatever_is_no_request_is_aborted(first: bytes) -> None:
    """PS3.8 9.2.3, action AA-1."""
    with served(Keeper()) as (peer, ended):
        peer.send(first)
        assert peer.rest() == [ABORTED]
    assert isinstance(ended.fault, ProtocolError)


def test_a_tls_hello_is_named() -> None:
    with served(Keeper()) as (peer, ended):
        peer.send(b"\x16\x03\x01\0\x05hello")
        peer.rest()
    assert "TLS" in str(ended.fault)


def test_a_rejection_is_sent_and_ends_the_connection() -> None:
    with served(Keeper(Rejection(2, 3, 1, "later"))) as (peer, ended):
        peer.send(associate_rq())
        assert peer.rest() == [Pdu(ASSOCIATE_RJ, b"\0\x02\x03\x01")]
    assert ended.outcome == "rejected"


@pytest.mark.parametrize(
    ("abstract", "transfer", "result"),
    [
        (CR, (EXPLICIT,), 0),
        (CR, ("1.2.3", IMPLICIT, EXPLICIT), 0),
        (CR, ("1.2.3",), 4),
        (CR, (), 4),
        ("1.2.3", (EXPLICIT,), 3),
        ("", (EXPLICIT,), 3),
    ],
)
def test_results_of_contexts(abstract: str, transfer: tuple[str, ...], result: int) -> None:
    """PS3.8 table 9-18: 0 acceptance, 3 abstract and 4 transfer syntaxes not supported."""
    with served(Keeper()) as (peer, _):
        peer.send(associate_rq(proposed(7, abstract, *transfer)))
        answer = peer.read()
        assert answer is not None
        assert answer.kind == ASSOCIATE_AC
        expected = EXPLICIT.encode() if result == 0 else b""
        context = item(0x21, bytes((7, 0, result, 0)) + item(0x40, expected))
        assert context in answer.body
        peer.release()


def test_a_store_is_taken_whole() -> None:
    service = Keeper()
    with served(service) as (peer, ended):
        peer.associate()
        peer.send(store("1.2.3", b"some data", message_id=77, piece=3))
        response = peer.response()
        assert response.CommandField == 0x8001
        assert (response.MessageIDBeingRespondedTo, response.Status) == (77, 0)
        assert (response.AffectedSOPClassUID, response.AffectedSOPInstanceUID) == (CR, "1.2.3")
        peer.release()
    assert service.kept == [Kept(StoreRequest(CR, "1.2.3", EXPLICIT), b"some data", "finished")]
    assert ended.outcome == "released"


@pytest.mark.parametrize(
    ("elements", "data", "field", "status"),
    [
        ({0x0100: 0x0001, 0x0800: 0x0101}, False, 0x8001, 0x0212),
        ({0x0100: 0x0020, 0x0800: 0x0001}, True, 0x8020, 0x0211),
        ({0x0100: 0x0140, 0x0800: 0x0101}, False, 0x8140, 0x0211),
        ({0x0100: 0x0130, 0x0800: 0x0001}, True, 0x8130, 0x0211),
        ({0x0100: 0x0777, 0x0800: 0x0101}, False, 0x8777, 0x0211),
    ],
    ids=["C-STORE without data", "C-FIND", "N-CREATE", "N-ACTION", "unknown"],
)
def test_what_is_not_offered_is_answered_with_a_failure(
    elements: dict[int, bytes | int], data: bool, field: int, status: int
) -> None:
    """PS3.7 C.5: 0211H unrecognized operation, 0212H mistyped argument."""
    with served(Keeper()) as (peer, ended):
        peer.associate()
        peer.send(_command({**elements, 0x0002: uid_value(CR), 0x0110: 4}))
        if data:
            peer.send(next(data_pdus(b"identifier", 10)))
        response = peer.response()
        assert (response.CommandField, response.Status) == (field, status)
        peer.send(echo())
        assert peer.statuses(1) == [0]
        peer.release()
    assert ended.outcome == "released"


@pytest.mark.parametrize("field", [0x0FFF, 0x8001, 0x8030], ids=["C-CANCEL", "C-STORE", "C-ECHO"])
def test_cancels_and_responses_are_passed_over(field: int) -> None:
    """PS3.7 9.3.2.3: a C-CANCEL has no response; there is nothing to cancel here."""
    with served(Keeper()) as (peer, _):
        peer.associate()
        peer.send(_command({0x0100: field, 0x0120: 1, 0x0800: 0x0101}), echo(9))
        assert peer.response().MessageIDBeingRespondedTo == 9
        peer.release()


def test_echo_between_stores_and_asked_ahead() -> None:
    """Requests that come before the answers are answered in their order."""
    service = Keeper()
    with served(service) as (peer, _):
        peer.associate()
        peer.send(store("1.2.1", b"a", message_id=1), echo(2), store("1.2.2", b"b", message_id=3))
        asked = [peer.response().MessageIDBeingRespondedTo for _ in range(3)]
        peer.release()
    assert asked == [1, 2, 3]
    assert [kept.data for kept in service.kept] == [b"a", b"b"]


def test_command_and_data_in_one_pdu() -> None:
    """PS3.8 9.3.5: a P-DATA-TF holds one or more presentation data values."""
    service = Keeper()
    with served(service) as (peer, _):
        peer.associate()
        request = store_rq("1.2.3")
        peer.send(
            p_data(
                pdv(STORE_CONTEXT, COMMAND, request[:20]),
                pdv(STORE_CONTEXT, COMMAND, b""),
                pdv(STORE_CONTEXT, LAST_COMMAND, request[20:]),
                pdv(STORE_CONTEXT, DATA, b"one "),
                pdv(STORE_CONTEXT, LAST_DATA, b"two"),
                pdv(ECHO_CONTEXT, LAST_COMMAND, echo_rq()),
            )
        )
        assert peer.statuses(2) == [0, 0]
        peer.release()
    assert [kept.data for kept in service.kept] == [b"one two"]


def test_a_command_over_many_pdus() -> None:
    with served(Keeper()) as (peer, _):
        peer.associate()
        request = echo_rq()
        for at in range(len(request)):
            last = at == len(request) - 1
            control = LAST_COMMAND if last else COMMAND
            peer.send(p_data(pdv(ECHO_CONTEXT, control, request[at : at + 1])))
        assert peer.statuses(1) == [0]
        peer.release()


def test_a_session_that_comes_byte_by_byte() -> None:
    service = Keeper()
    with served(service) as (peer, ended):
        for byte in associate_rq() + echo() + store("1.2.3", b"data") + pdu(RELEASE_RQ):
            peer.send(bytes((byte,)))
        assert [answer.kind for answer in peer.rest()] == [ASSOCIATE_AC, 4, 4, RELEASE_RP]
    assert service.kept[0].data == b"data"
    assert ended.outcome == "released"


def test_a_release_is_answered_when_it_is_whole() -> None:
    """PS3.8 9.3.6: four reserved bytes follow; closing before they came would be a reset."""
    request = pdu(RELEASE_RQ)
    with served(Keeper()) as (peer, ended):
        peer.associate()
        peer.send(request[:6])
        assert not select.select([peer.socket], [], [], 0.2)[0]
        peer.send(request[6:])
        assert [answer.kind for answer in peer.rest()] == [RELEASE_RP]
    assert ended.outcome == "released"


@pytest.mark.parametrize("size", [MAX_PDU, MAX_PDU + 6], ids=["variable field", "whole PDU"])
def test_a_pdu_of_the_announced_length_is_taken(size: int) -> None:
    """PS3.8 D.1 means the variable field; six bytes more come from those who read it otherwise."""
    service = Keeper()
    with served(service) as (peer, _):
        peer.associate()
        peer.send(_STORE, p_data(pdv(STORE_CONTEXT, LAST_DATA, bytes(size - 6))))
        assert peer.statuses(1) == [0]
        peer.release()
    assert len(service.kept[0].data) == size - 6


def test_an_empty_pdu_is_passed_over() -> None:
    with served(Keeper()) as (peer, _):
        peer.associate()
        peer.send(pdu(4, b"") * 100, echo())
        assert peer.statuses(1) == [0]
        peer.release()


@pytest.mark.parametrize("longest", [0, 7, 16, 128, 2**32 - 1])
def test_responses_keep_to_the_peers_maximum(longest: int) -> None:
    with served(Keeper()) as (peer, _):
        peer.associate(associate_rq(max_length=longest))
        peer.send(store("1.2.3", b"data"))
        assert peer.statuses(1) == [0]
        peer.release()


@pytest.mark.parametrize(
    ("last", "outcome"),
    [(pdu(ABORT), "aborted"), (pdu(RELEASE_RQ), "released")],
    ids=["abort", "release"],
)
def test_an_end_in_mid_instance_discards_it(last: bytes, outcome: str) -> None:
    service = Keeper()
    with served(service) as (peer, ended):
        peer.associate()
        peer.send(_STORE, p_data(pdv(STORE_CONTEXT, DATA, b"half")), last)
        assert [answer.kind for answer in peer.rest()] == [RELEASE_RP] * (outcome == "released")
    assert [kept.ended for kept in service.kept] == ["discarded"]
    assert ended.outcome == outcome


@pytest.mark.parametrize("cut", [3, 6, 8, 11, 12, 100])
def test_a_connection_that_ends_in_mid_pdu_discards_the_instance(cut: int) -> None:
    service = Keeper()
    with served(service) as (peer, ended):
        peer.associate()
        peer.send(_STORE, p_data(pdv(STORE_CONTEXT, LAST_DATA, bytes(200)))[:cut])
        peer.half_close()
        assert peer.rest() == []
    assert isinstance(ended.fault, ConnectionError)
    assert [kept.ended for kept in service.kept] == ["discarded"]


def test_half_a_pdu_and_then_silence_is_ended() -> None:
    service = Keeper()
    with served(service, patience_s=0.2) as (peer, ended):
        peer.associate()
        peer.send(_STORE, p_data(pdv(STORE_CONTEXT, LAST_DATA, bytes(200)))[:50])
        assert peer.rest() == []
    assert isinstance(ended.fault, TimeoutError)
    assert [kept.ended for kept in service.kept] == ["discarded"]
