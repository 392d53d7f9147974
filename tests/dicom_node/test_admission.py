"""Who is let in, as a table: result, source and reason of PS3.8 9.3.4, or None."""

from collections.abc import Callable
from typing import Any

import pytest

from dicom_node import admission, sop_classes
from dicom_node.admission import Admission
from dicom_node.settings import DicomSettings, Peer
from dicom_node.upper_layer.pdu import decode_associate_rq
from tests.dicom_node.raw_peer import (
    COMMITMENT,
    EXPLICIT,
    OFFERS,
    STORE_CONTEXT,
    associate_rq,
    proposed,
)

VERIFICATION_ONLY, STORAGE_ONLY = OFFERS
COMMITMENT_ONLY = proposed(STORE_CONTEXT, COMMITMENT, EXPLICIT)
HERE = "192.0.2.7"

PERMANENT_APPLICATION_CONTEXT = (1, 1, 2)
PERMANENT_CALLING = (1, 1, 3)
PERMANENT_CALLED = (1, 1, 7)
PERMANENT_VERSION = (1, 2, 2)
TRANSIENT_CONGESTION = (2, 3, 1)
TRANSIENT_LIMIT = (2, 3, 2)
"""Result, source, reason (PS3.8 table 9-21)."""

Refusal = tuple[int, int, int] | None


def _decided(
    *contexts: bytes,
    peers: tuple[Peer, ...] = (),
    address: str = HERE,
    pressure: Callable[[], str | None] = lambda: None,
    open_associations: int = 0,
    dicom: dict[str, Any] | None = None,
    **request: Any,
) -> Refusal:
    admission = Admission(DicomSettings(**dicom or {}), peers, pressure, lambda: open_associations)
    asked = decode_associate_rq(associate_rq(*contexts, **request)[6:])
    refusal = admission.decide(asked, address)
    if refusal is None:
        return None
    assert refusal.words
    return refusal.result, refusal.source, refusal.reason


def _peer(*addresses: str, name: str = "ct", ae_title: str = "SENDER") -> Peer:
    return Peer(name=name, ae_title=ae_title, addresses=addresses)


def test_by_default_everybody_of_this_machine_is_let_in() -> None:
    assert _decided() is None


@pytest.mark.parametrize(
    ("calling", "expected"),
    [
        (b"SENDER", None),
        (b"  SENDER  ", None),
        (b"SENDER\0\0\0\0\0\0\0\0\0\0", None),
        (b"sender", PERMANENT_CALLING),
        (b"SENDER2", PERMANENT_CALLING),
        (b"", PERMANENT_CALLING),
        (bytes(16), PERMANENT_CALLING),
        (b"S\xcbNDER", PERMANENT_CALLING),
    ],
)
def test_only_listed_ae_titles_are_let_in(calling: bytes, expected: Refusal) -> None:
    """AE titles differ by case; padding around them has no meaning (PS3.5 6.2)."""
    dicom = {"listed_peers_only": True}
    assert _decided(peers=(_peer(),), dicom=dicom, calling=calling) == expected


@pytest.mark.parametrize(
    ("listed", "address", "expected"),
    [
        ((), HERE, None),
        ((HERE,), HERE, None),
        (("192.0.2.0/24",), HERE, None),
        (("192.0.2.99/24",), HERE, None),
        (("198.51.100.0/24", "192.0.2.7/32"), HERE, None),
        (("192.0.2.8",), HERE, PERMANENT_CALLING),
        (("192.0.3.0/24",), HERE, PERMANENT_CALLING),
        (("2001:db8::/32",), HERE, PERMANENT_CALLING),
        (("192.0.2.0/24",), "::ffff:192.0.2.7", None),
        (("192.0.3.0/24",), "::ffff:192.0.2.7", PERMANENT_CALLING),
        (("2001:db8::/32",), "2001:db8::1", None),
        (("2001:db8::1",), "2001:0db8:0000::0001", None),
        (("2001:db8::/32",), "2001:db9::1", PERMANENT_CALLING),
        (("fe80::/10",), "fe80::1%eth0", None),
        (("0.0.0.0/0",), "2001:db8::1", PERMANENT_CALLING),
    ],
)
def test_addresses(listed: tuple[str, ...], address: str, expected: Refusal) -> None:
    assert _decided(peers=(_peer(*listed),), address=address) == expected


def test_a_listed_title_from_elsewhere_is_refused_even_where_others_may_call() -> None:
    """Else a stranger would pass for the peer, and have its studies' answers sent there."""
    assert _decided(peers=(_peer("192.0.2.8"),)) == PERMANENT_CALLING
    assert _decided(peers=(_peer("192.0.2.8"),), calling=b"STRANGER") is None


def test_two_peers_of_one_title_may_each_call_from_their_addresses() -> None:
    peers = (_peer("192.0.2.8"), _peer("192.0.2.9", name="other"))
    assert _decided(peers=peers, address="192.0.2.9") is None
    assert _decided(peers=peers, address="192.0.2.10") == PERMANENT_CALLING


@pytest.mark.parametrize(
    ("called", "check", "expected"),
    [
        (b"LIKENESS", True, None),
        (b" LIKENESS", True, None),
        (b"OTHER", True, PERMANENT_CALLED),
        (b"", True, PERMANENT_CALLED),
        (b"likeness", True, PERMANENT_CALLED),
        (b"OTHER", False, None),
        (b"", False, None),
    ],
)
def test_the_called_ae_title(called: bytes, check: bool, expected: Refusal) -> None:
    assert _decided(called=called, dicom={"check_called_ae": check}) == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [(1, None), (3, None), (0xFFFF, None), (0, PERMANENT_VERSION), (2, PERMANENT_VERSION)],
)
def test_protocol_versions(version: int, expected: Refusal) -> None:
    """PS3.8 9.3.2: a bit for each version supported; only bit 0 is tested."""
    assert _decided(version=version) == expected


@pytest.mark.parametrize("name", ["", "1.2.3", "1.2.840.10008.3.1.1"])
def test_another_application_context_is_refused(name: str) -> None:
    assert _decided(application=name) == PERMANENT_APPLICATION_CONTEXT


@pytest.mark.parametrize(
    ("open_associations", "contexts", "expected"),
    [
        (1, OFFERS, None),
        (2, OFFERS, TRANSIENT_LIMIT),
        (3, OFFERS, TRANSIENT_LIMIT),
        (2, (VERIFICATION_ONLY,), TRANSIENT_LIMIT),
    ],
)
def test_associations_are_limited(
    open_associations: int, contexts: tuple[bytes, ...], expected: Refusal
) -> None:
    dicom = {"max_associations": 2}
    found = _decided(*contexts, open_associations=open_associations, dicom=dicom)
    assert found == expected


@pytest.mark.parametrize(
    ("contexts", "expected"),
    [
        ((VERIFICATION_ONLY,), None),
        ((COMMITMENT_ONLY,), None),
        ((STORAGE_ONLY,), TRANSIENT_CONGESTION),
        ((VERIFICATION_ONLY, STORAGE_ONLY), TRANSIENT_CONGESTION),
        ((COMMITMENT_ONLY, STORAGE_ONLY), TRANSIENT_CONGESTION),
    ],
)
def test_under_pressure_only_what_brings_no_images_is_let_in(
    contexts: tuple[bytes, ...], expected: Refusal
) -> None:
    assert _decided(*contexts, pressure=lambda: "the disk is full") == expected


def test_a_stranger_does_not_learn_of_the_pressure() -> None:
    """What is refused for good is not asked to come again."""
    found = _decided(
        peers=(_peer(),),
        calling=b"STRANGER",
        dicom={"listed_peers_only": True},
        pressure=lambda: "the disk is full",
        open_associations=1000,
    )
    assert found == PERMANENT_CALLING


def test_the_sop_classes_that_are_always_heard_are_those_of_the_presentation_contexts() -> None:
    """Written out there, so that the rules of the door need no DICOM library."""
    (verification,) = {
        entry.sop_class
        for entry in sop_classes.requested_contexts()
        if entry.purpose == "verification"
    }
    assert verification == admission.VERIFICATION
    assert sop_classes.STORAGE_COMMITMENT == admission.STORAGE_COMMITMENT
