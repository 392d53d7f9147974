"""Command sets byte for byte against PS3.7 6.3.1, 9.3 and Annex E, and against pynetdicom."""

from io import BytesIO
from struct import pack

import pytest
from pynetdicom.dimse_messages import (
    C_ECHO_RQ,
    C_ECHO_RSP,
    C_STORE_RQ,
    C_STORE_RSP,
    N_EVENT_REPORT_RSP,
    DIMSEMessage,
)
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.pdu_primitives import P_DATA

from dicom_node.upper_layer import command as dimse
from dicom_node.upper_layer.command import CommandError, decode_command, encode_response
from tests.dicom_node.raw_peer import (
    CR,
    VERIFICATION,
    command_set,
    decoded,
    echo_rq,
    event_report_rq,
    store_rq,
    uid_value,
)


def _command_of(message: DIMSEMessage) -> bytes:
    """The command set as pynetdicom sends it."""
    found = b""
    for fragment in message.encode_msg(1, 16384):
        for _, value in fragment.presentation_data_value_list:
            found += value[1:] if value[0] & 1 else b""
    return found


def _their_store_request() -> bytes:
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 0x1234, 0
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = CR, "1.2.3"
    primitive.MoveOriginatorApplicationEntityTitle, primitive.MoveOriginatorMessageID = "ME", 9
    primitive.DataSet = BytesIO(b"data")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    return _command_of(message)


def _their_echo_request() -> bytes:
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 7, VERIFICATION
    message = C_ECHO_RQ()
    message.primitive_to_message(primitive)
    return _command_of(message)


def test_a_c_store_request_of_pynetdicom_is_read() -> None:
    command = decode_command(_their_store_request())
    assert dimse.number(command, dimse.COMMAND_FIELD) == dimse.C_STORE_RQ
    assert dimse.number(command, dimse.MESSAGE_ID) == 0x1234
    assert dimse.number(command, dimse.COMMAND_DATA_SET_TYPE) != dimse.NO_DATA_SET
    assert dimse.uid(command, dimse.AFFECTED_SOP_CLASS_UID) == CR
    assert dimse.uid(command, dimse.AFFECTED_SOP_INSTANCE_UID) == "1.2.3"


def test_a_c_echo_request_of_pynetdicom_is_read() -> None:
    command = decode_command(_their_echo_request())
    assert dimse.number(command, dimse.COMMAND_FIELD) == dimse.C_ECHO_RQ
    assert dimse.number(command, dimse.COMMAND_DATA_SET_TYPE) == dimse.NO_DATA_SET


def test_the_bytes_of_a_c_echo_response() -> None:
    """PS3.7 table 9.3-13: elements in ascending order, group length first."""
    body = (
        b"\0\0\x02\0\x12\0\0\x001.2.840.10008.1.1\0"
        b"\0\0\x00\x01\x02\0\0\0\x30\x80"
        b"\0\0\x20\x01\x02\0\0\0\x07\0"
        b"\0\0\x00\x08\x02\0\0\0\x01\x01"
        b"\0\0\x00\x09\x02\0\0\0\x00\0"
    )
    expected = b"\0\0\0\0\x04\0\0\0" + pack("<I", len(body)) + body
    assert encode_response(decode_command(echo_rq(7)), 0x0000) == expected


def test_the_bytes_of_a_c_store_response() -> None:
    """PS3.7 table 9.3-2 and C.4.2 with an Error Comment of odd length, padded by a space."""
    body = (
        b"\0\0\x02\0\x1a\0\0\x001.2.840.10008.5.1.4.1.1.1\0"
        b"\0\0\x00\x01\x02\0\0\0\x01\x80"
        b"\0\0\x20\x01\x02\0\0\0\x05\0"
        b"\0\0\x00\x08\x02\0\0\0\x01\x01"
        b"\0\0\x00\x09\x02\0\0\0\x00\xa7"
        b"\0\0\x02\x09\x04\0\0\0why "
        b"\0\0\x00\x10\x06\0\0\x001.2.3\0"
    )
    expected = b"\0\0\0\0\x04\0\0\0" + pack("<I", len(body)) + body
    assert encode_response(decode_command(store_rq("1.2.3", 5)), 0xA700, "why") == expected


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (echo_rq(3), C_ECHO_RSP()),
        (store_rq("1.2.3", 3), C_STORE_RSP()),
        (event_report_rq(x0110=3), N_EVENT_REPORT_RSP()),
    ],
    ids=["C-ECHO", "C-STORE", "N-EVENT-REPORT"],
)
def test_pynetdicom_reads_our_responses(request_: bytes, message: DIMSEMessage) -> None:
    response = P_DATA()
    encoded = encode_response(decode_command(request_), 0x0110)
    response.presentation_data_value_list = [[1, b"\x03" + encoded]]
    assert message.decode_msg(response)
    primitive = message.message_to_primitive()
    assert (primitive.MessageIDBeingRespondedTo, primitive.Status) == (3, 0x0110)


def test_an_event_type_is_only_that_of_a_report() -> None:
    """It is no element of other responses, whatever stands in the request."""
    request = decode_command(store_rq("1.2.3", x1002=b"odd"))
    assert dimse.EVENT_TYPE_ID not in decode_command(encode_response(request, 0))


@pytest.mark.parametrize(
    ("words", "expected"),
    [("x" * 100, "x" * 64), ("r\xf6t", "r?t"), ("even", "even")],
    ids=["long", "not ASCII", "even"],
)
def test_an_error_comment_has_64_characters(words: str, expected: str) -> None:
    """PS3.7 table E.1-1: (0000,0902) is of VR LO."""
    response = decoded(encode_response(decode_command(echo_rq()), 0x0110, words))
    assert response.ErrorComment == expected


def test_values_that_came_unpadded_are_padded_in_the_response() -> None:
    """PS3.5 7.1.1: every value has an even length."""
    request = decode_command(store_rq("1.2.3", x1000=b"1.2.3", x0002=b"1.2.840"))
    response = decode_command(encode_response(request, 0))
    assert all(len(value) % 2 == 0 for value in response.values())


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\0\0\0\1\2\0\0",
        pack("<HHI", 0, 0x0100, 2) + b"\1",
        pack("<HHI", 8, 0x0100, 0),
        pack("<HHI", 0, 0x0100, 0xFFFFFFFF),
        command_set({0x0100: 1}) + b"\0\0",
    ],
    ids=["byte", "head", "value", "group", "undefined length", "tail"],
)
def test_a_malformed_command_set_is_refused(data: bytes) -> None:
    with pytest.raises(CommandError):
        decode_command(data)


@pytest.mark.parametrize("value", [b"", b"\1", b"\1\0\0\0"])
def test_a_number_has_two_bytes(value: bytes) -> None:
    with pytest.raises(CommandError, match="0000,0110"):
        dimse.number({dimse.MESSAGE_ID: value}, dimse.MESSAGE_ID)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (uid_value("1.2.3"), "1.2.3"),
        (b"1.2.3 ", "1.2.3"),
        (b"1.2.3\0\0\0", "1.2.3"),
        (b"../../evil", "../../evil"),
        (b"1.2.\xff", "1.2.\ufffd"),
        (b"1" * 64, "1" * 64),
    ],
)
def test_a_uid_is_read_valid_or_not(value: bytes, expected: str) -> None:
    assert dimse.uid({0x1000: value}, 0x1000) == expected


@pytest.mark.parametrize("value", [None, b"", b"\0\0", b"1" * 65, b"1" * 60000])
def test_no_uid_or_one_that_is_too_long_is_refused(value: bytes | None) -> None:
    """PS3.5 6.2: VR UI has 64 bytes at most."""
    with pytest.raises(CommandError, match="0000,1000"):
        dimse.uid({} if value is None else {0x1000: value}, 0x1000)
