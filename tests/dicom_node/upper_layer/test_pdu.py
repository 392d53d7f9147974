"""PDUs byte for byte against the tables of PS3.8 9.3, and against pynetdicom's own."""

from struct import pack
from typing import Any

import pytest
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom import pdu as theirs
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)

from dicom_node.upper_layer.items import ProtocolError
from dicom_node.upper_layer.pdu import (
    AssociateRequest,
    ContextResult,
    ProposedContext,
    Rejection,
    RoleSelection,
    decode_associate_rq,
    encode_abort,
    encode_associate_ac,
    encode_associate_rj,
    encode_command,
    encode_release_rp,
)
from tests.dicom_node.raw_peer import CR, EXPLICIT, VERIFICATION, associate_rq, item, proposed

HEAD = 6
IMPLICIT = str(ImplicitVRLittleEndian)
APPLICATION = "1.2.840.10008.3.1.1.1"


def _asked(calling: str = "SENDER", **changes: Any) -> A_ASSOCIATE:
    """pynetdicom's request, with the user information that ``changes`` names."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(APPLICATION)
    primitive.calling_ae_title, primitive.called_ae_title = calling, "LIKENESS"
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.3.4")
    longest = MaximumLengthNotification()
    longest.maximum_length_received = changes.get("max_length", 16384)
    primitive.user_information = [longest, implementation, *changes.get("user", ())]
    contexts = changes.get("contexts") or [build_context(CR, [EXPLICIT, IMPLICIT])]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    return primitive


def _bytes(primitive: A_ASSOCIATE) -> bytes:
    request = theirs.A_ASSOCIATE_RQ()
    request.from_primitive(primitive)
    encoded: bytes = request.encode()
    return encoded[HEAD:]


def _user_identity() -> UserIdentityNegotiation:
    entry = UserIdentityNegotiation()
    entry.user_identity_type, entry.positive_response_requested = 2, True
    entry.primary_field, entry.secondary_field = b"user", b"pass"
    return entry


def _role() -> SCP_SCU_RoleSelectionNegotiation:
    entry = SCP_SCU_RoleSelectionNegotiation()
    entry.sop_class_uid, entry.scu_role, entry.scp_role = UID(CR), True, True
    return entry


def _extended() -> SOPClassExtendedNegotiation:
    entry = SOPClassExtendedNegotiation()
    entry.sop_class_uid, entry.service_class_application_information = UID(CR), b"\2\0\3\0\1\0"
    return entry


def _common_extended() -> SOPClassCommonExtendedNegotiation:
    entry = SOPClassCommonExtendedNegotiation()
    entry.sop_class_uid, entry.service_class_uid = UID(CR), UID("1.2.840.10008.4.2")
    entry.related_general_sop_class_identification = [UID("1.2.840.10008.5.1.4.1.1.88.22")]
    return entry


def _window() -> AsynchronousOperationsWindowNegotiation:
    entry = AsynchronousOperationsWindowNegotiation()
    entry.maximum_number_operations_invoked = 0
    entry.maximum_number_operations_performed = 5
    return entry


def _version() -> ImplementationVersionNameNotification:
    entry = ImplementationVersionNameNotification()
    entry.implementation_version_name = "A VERSION"
    return entry


def test_a_request_is_read_as_pynetdicom_wrote_it() -> None:
    request = decode_associate_rq(_bytes(_asked(max_length=1234)))
    assert request == AssociateRequest(
        protocol_version=1,
        called="LIKENESS",
        calling="SENDER",
        called_field=b"LIKENESS        ",
        calling_field=b"SENDER          ",
        application_context=APPLICATION,
        contexts=(ProposedContext(1, CR, (EXPLICIT, IMPLICIT)),),
        max_length=1234,
    )


@pytest.mark.parametrize(
    "user",
    [
        [_user_identity()],
        [_role()],
        [_extended()],
        [_common_extended()],
        [_window()],
        [_version()],
        [_version(), _window(), _role(), _extended(), _common_extended(), _user_identity()],
    ],
    ids=["identity", "role", "extended", "common extended", "window", "version", "all"],
)
def test_other_user_information_is_read_over(user: list[Any]) -> None:
    request = decode_associate_rq(_bytes(_asked(user=user, max_length=777)))
    assert request.max_length == 777
    assert request.contexts == (ProposedContext(1, CR, (EXPLICIT, IMPLICIT)),)


@pytest.mark.parametrize("user", [[_role()], [_window(), _role(), _extended(), _user_identity()]])
def test_a_role_is_read_as_pynetdicom_wrote_it(user: list[Any]) -> None:
    """PS3.7 table D.3-9."""
    request = decode_associate_rq(_bytes(_asked(user=user)))
    assert request.roles == (RoleSelection(CR, scu=True, scp=True),)
    assert request.proposes_scp(CR)
    assert not request.proposes_scp(VERIFICATION)


def test_all_128_contexts_are_read() -> None:
    """PS3.8 9.3.2.2: the identifiers are the odd numbers up to 255."""
    contexts = [build_context(f"1.2.3.{number}", [EXPLICIT, IMPLICIT]) for number in range(128)]
    request = decode_associate_rq(_bytes(_asked(contexts=contexts)))
    assert [context.context_id for context in request.contexts] == list(range(1, 256, 2))
    assert [context.abstract_syntax for context in request.contexts] == [
        f"1.2.3.{number}" for number in range(128)
    ]


@pytest.mark.parametrize("length", [0, 7, 16, 16384, 2**32 - 1])
def test_the_requestors_max_length_is_taken(length: int) -> None:
    request = decode_associate_rq(associate_rq(max_length=length)[HEAD:])
    assert request.max_length == length


@pytest.mark.parametrize(
    ("field", "title"),
    [
        (b"CT1             ", "CT1"),
        (b"   CT1          ", "CT1"),
        (b"CT1\0\0\0\0\0\0\0\0\0\0\0\0\0", "CT1"),
        (b"A TITLE OF 16 CH", "A TITLE OF 16 CH"),
        (b"                ", ""),
        (bytes(16), ""),
        (b"R\xf6ntgen         ", "R\ufffdntgen"),
    ],
    ids=["spaces", "leading", "NULs", "full", "blank", "zero", "Latin-1"],
)
def test_padding_of_ae_titles_is_dropped(field: bytes, title: str) -> None:
    """PS3.8 9.3.2: leading and trailing spaces have no meaning."""
    request = decode_associate_rq(associate_rq(calling=field)[HEAD:])
    assert (request.calling, request.calling_field) == (title, field)


@pytest.mark.parametrize(
    "user",
    [b"", item(0x51, b"\0\1"), item(0x51, b""), item(0x51, bytes(8))],
    ids=["none", "two bytes", "empty", "eight bytes"],
)
def test_no_usable_max_length_means_any(user: bytes) -> None:
    fixed = pack(">HH16s16s32x", 1, 0, b"LIKENESS".ljust(16), b"SENDER".ljust(16))
    assert decode_associate_rq(fixed + item(0x50, user)).max_length == 0


def test_padded_uids_are_read_without_padding() -> None:
    context = item(
        0x20, bytes((5, 0, 0, 0)) + item(0x30, b"1.2.3\0") + item(0x40, b"1.2.4 ") + item(0x40, b"")
    )
    request = decode_associate_rq(associate_rq(context)[HEAD:])
    assert request.contexts == (ProposedContext(5, "1.2.3", ("1.2.4", "")),)


_WHOLE = associate_rq()[HEAD:]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        _WHOLE[:67],
        _WHOLE[:-1],
        _WHOLE[:70],
        _WHOLE + b"\x50",
        _WHOLE[:68] + item(0x20, b"\1\0"),
        _WHOLE[:68] + item(0x20, bytes(4) + item(0x30, b"1.2", 50)),
        _WHOLE[:68] + item(0x50, item(0x51, bytes(4), 500)),
        _WHOLE[:68] + item(0x10, b"1.2.3", 0xFFFF),
    ],
    ids=["empty", "fixed", "user", "item", "tail", "context", "syntax", "sub-item", "length"],
)
def test_a_malformed_request_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_associate_rq(body)


def test_any_prefix_is_read_or_refused() -> None:
    for size in range(len(_WHOLE)):
        try:
            decode_associate_rq(_WHOLE[:size])
        except ProtocolError:
            continue


def _accepted(results: list[ContextResult], calling: bytes = b"CT1") -> bytes:
    return encode_associate_ac(
        decode_associate_rq(associate_rq(calling=calling)[HEAD:]),
        results,
        max_length=131072,
        implementation_class_uid="1.2.3",
        implementation_version="VERSION",
    )


def test_the_bytes_of_an_acceptance() -> None:
    """PS3.8 9.3.3, tables 9-17 to 9-19 and D.1-2; PS3.7 D.3-2 and D.3-3."""
    assert _accepted([ContextResult(1, 0, "1.2.84")]) == (
        b"\x02\0\0\0\0\x8f"
        b"\0\x01\0\0"
        b"LIKENESS        CT1             " + bytes(32) + b"\x10\0\0\x151.2.840.10008.3.1.1.1"
        b"\x21\0\0\x0e\x01\0\0\0\x40\0\0\x061.2.84"
        b"\x50\0\0\x1c\x51\0\0\x04\0\x02\0\0\x52\0\0\x051.2.3\x55\0\0\x07VERSION"
    )


def test_an_acceptance_repeats_the_titles_as_they_came() -> None:
    """PS3.8 9.3.3: these fields shall be sent with the values received in the request."""
    assert _accepted([], calling=b" \xf6dd\0")[10:42] == b"LIKENESS         \xf6dd\0".ljust(32)


def test_pynetdicom_reads_our_acceptance() -> None:
    results = [ContextResult(1, 0, EXPLICIT), ContextResult(3, 3, ""), ContextResult(5, 4, "")]
    read = theirs.A_ASSOCIATE_AC()
    read.decode(_accepted(results))
    primitive = read.to_primitive()
    assert primitive.maximum_length_received == 131072
    assert primitive.implementation_class_uid == "1.2.3"
    answered = primitive.presentation_context_definition_results_list
    assert [(context.context_id, context.result) for context in answered] == [
        (1, 0),
        (3, 3),
        (5, 4),
    ]
    assert answered[0].transfer_syntax == [EXPLICIT]


def test_pynetdicom_reads_the_roles_that_we_accept() -> None:
    """PS3.7 table D.3-10."""
    read = theirs.A_ASSOCIATE_AC()
    read.decode(
        encode_associate_ac(
            decode_associate_rq(associate_rq()[HEAD:]),
            [ContextResult(1, 0, EXPLICIT)],
            max_length=0,
            implementation_class_uid="1.2.3",
            implementation_version="VERSION",
            roles=[RoleSelection(CR, scu=False, scp=True)],
        )
    )
    (role,) = [
        entry
        for entry in read.to_primitive().user_information
        if isinstance(entry, SCP_SCU_RoleSelectionNegotiation)
    ]
    assert (role.sop_class_uid, role.scu_role, role.scp_role) == (CR, False, True)


def test_the_bytes_of_a_rejection() -> None:
    """PS3.8 table 9-21."""
    encoded = encode_associate_rj(Rejection(1, 2, 3, "words"))
    assert encoded == b"\x03\0\0\0\0\x04\0\x01\x02\x03"
    read = theirs.A_ASSOCIATE_RJ()
    read.decode(encoded)
    assert (read.result, read.source, read.reason_diagnostic) == (1, 2, 3)


def test_the_bytes_of_an_abort() -> None:
    """PS3.8 table 9-26."""
    encoded = encode_abort(2, 1)
    assert encoded == b"\x07\0\0\0\0\x04\0\0\x02\x01"
    read = theirs.A_ABORT_RQ()
    read.decode(encoded)
    assert (read.source, read.reason_diagnostic) == (2, 1)


def test_the_bytes_of_a_release_response() -> None:
    """PS3.8 table 9-25."""
    assert encode_release_rp() == b"\x06\0\0\0\0\x04\0\0\0\0"
    theirs.A_RELEASE_RP().decode(encode_release_rp())


def test_the_bytes_of_a_command() -> None:
    """PS3.8 tables 9-22 and 9-23, E.2: message control header 03H, command, last fragment."""
    assert encode_command(5, b"ABCD", 0) == b"\x04\0\0\0\0\x0a\0\0\0\x06\x05\x03ABCD"


def _fragments(encoded: bytes) -> list[tuple[int, bytes]]:
    """Length of each PDU's variable field and its fragment with header, by pynetdicom."""
    found = []
    while encoded:
        length = int.from_bytes(encoded[2:6], "big")
        read = theirs.P_DATA_TF()
        read.decode(encoded[: HEAD + length])
        (value,) = read.presentation_data_value_items
        found.append((length, value.presentation_data_value))
        encoded = encoded[HEAD + length :]
    return found


@pytest.mark.parametrize("longest", [0, 7, 8, 16, 105, 106, 107, 16384])
def test_a_command_is_cut_to_what_the_peer_takes(longest: int) -> None:
    """PS3.8 D.1: the length of the variable field, PDV items with their lengths, is bounded."""
    command = bytes(range(100))
    found = _fragments(encode_command(1, command, longest))
    assert all(length <= longest or not longest for length, _ in found)
    assert b"".join(value[1:] for _, value in found) == command
    assert [value[0] for _, value in found] == [1] * (len(found) - 1) + [3]


def test_a_peer_that_takes_nothing_gets_a_byte_at_a_time() -> None:
    """A maximum length of 1 to 6 has no room for a fragment."""
    assert [len(value) for _, value in _fragments(encode_command(1, b"ABC", 3))] == [2, 2, 2]


def test_what_pynetdicom_offers_by_default_is_read() -> None:
    contexts = [build_context(VERIFICATION), build_context(CR)]
    request = decode_associate_rq(_bytes(_asked(contexts=contexts)))
    assert [context.transfer_syntaxes for context in request.contexts] == [
        tuple(map(str, context.transfer_syntax)) for context in contexts
    ]


def test_our_raw_requests_are_pynetdicoms() -> None:
    """The bytes that the other tests send are a request to somebody else, too."""
    read = theirs.A_ASSOCIATE_RQ()
    read.decode(associate_rq(proposed(1, CR, EXPLICIT)))
    assert read.calling_ae_title == "SENDER"
    assert [context.abstract_syntax for context in read.presentation_context] == [CR]
