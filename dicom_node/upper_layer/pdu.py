"""Protocol data units, as an acceptor reads and writes them (PS3.8 9.3)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from dicom_node.upper_layer.items import ProtocolError, item, items, text

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 0x01, 0x02, 0x03
DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = 0x04, 0x05, 0x06, 0x07

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
LONGEST_ASSOCIATE_RQ = 1 << 18
"""128 contexts of a dozen transfer syntaxes each take some 100 kB."""

_FIXED = struct.Struct(">HH16s16s32s")
_ROLE_SELECTION = 0x54


@dataclass(frozen=True)
class ProposedContext:
    """A presentation context that the requestor offers (PS3.8 9.3.2.2)."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True)
class RoleSelection:
    """The roles of the requestor for a SOP class: proposed, or accepted (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2).

    Attributes:
        called, calling: AE titles without padding.
        called_field, calling_field: the 16 bytes that they came in, which the answer repeats.
        max_length: longest P-DATA-TF that the requestor takes, 0 for any.
        roles: what it proposes to be, where that is not said it is the SCU.
    """

    protocol_version: int
    called: str
    calling: str
    called_field: bytes
    calling_field: bytes
    application_context: str
    contexts: tuple[ProposedContext, ...]
    max_length: int
    roles: tuple[RoleSelection, ...] = ()

    def proposes_scp(self, sop_class_uid: str) -> bool:
        """Whether the requestor wants to be the SCP of a SOP class."""
        return any(role.scp for role in self.roles if role.sop_class_uid == sop_class_uid)


@dataclass(frozen=True)
class ContextResult:
    """What became of a proposed context (PS3.8 9.3.3.2): 0 accepted, 3 and 4 rejected."""

    context_id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4), and the reason in words."""

    result: int
    source: int
    reason: int
    words: str


def decode_associate_rq(body: bytes) -> AssociateRequest:
    """Reads an A-ASSOCIATE-RQ from what follows its PDU type and length.

    Raises:
        ProtocolError: it is malformed.
    """
    if len(body) < _FIXED.size:
        raise ProtocolError("A-ASSOCIATE-RQ is shorter than its fixed fields")
    version, _, called, calling, _ = _FIXED.unpack_from(body)
    application, user = "", b""
    contexts = []
    for kind, value in items(body[_FIXED.size :]):
        if kind == 0x10:
            application = text(value)
        elif kind == 0x20:
            contexts.append(_proposed(value))
        elif kind == 0x50:
            user = value
    return AssociateRequest(
        protocol_version=version,
        called=text(called),
        calling=text(calling),
        called_field=called,
        calling_field=calling,
        application_context=application,
        contexts=tuple(contexts),
        max_length=_max_length(user),
        roles=_roles(user),
    )


def _proposed(value: bytes) -> ProposedContext:
    if len(value) < 4:
        raise ProtocolError("a presentation context item is too short")
    syntaxes = list(items(value[4:]))
    abstract = [text(uid) for kind, uid in syntaxes if kind == 0x30]
    transfer = tuple(text(uid) for kind, uid in syntaxes if kind == 0x40)
    return ProposedContext(value[0], abstract[0] if abstract else "", transfer)


def _max_length(user_information: bytes) -> int:
    """0 where none is given that can be read.

    Beside it and the roles no sub-item asks for more than an acceptor does by itself (PS3.7 D.3.3).
    """
    for kind, value in items(user_information):
        if kind == 0x51 and len(value) == 4:
            return int.from_bytes(value, "big")
    return 0


def _roles(user_information: bytes) -> tuple[RoleSelection, ...]:
    """What is malformed proposes nothing, so that the default roles hold."""
    found = (_role(value) for kind, value in items(user_information) if kind == _ROLE_SELECTION)
    return tuple(role for role in found if role is not None)


def _role(value: bytes) -> RoleSelection | None:
    """PS3.7 table D.3-9: length of the UID, the UID, SCU-role, SCP-role."""
    if len(value) < 4 or len(value) != 4 + int.from_bytes(value[:2], "big"):
        return None
    return RoleSelection(text(value[2:-2]), scu=value[-2] == 1, scp=value[-1] == 1)


def encode_associate_ac(
    request: AssociateRequest,
    results: Sequence[ContextResult],
    *,
    max_length: int,
    implementation_class_uid: str,
    implementation_version: str,
    roles: Sequence[RoleSelection] = (),
) -> bytes:
    """An A-ASSOCIATE-AC (PS3.8 9.3.3); ``roles`` are those accepted of what was proposed."""
    user = b"".join(
        (
            item(0x51, struct.pack(">I", max_length)),
            item(0x52, implementation_class_uid.encode()),
            *(_accepted(role) for role in roles),
            item(0x55, implementation_version.encode()),
        )
    )
    body = b"".join(
        (
            _FIXED.pack(1, 0, request.called_field, request.calling_field, b"\0" * 32),
            item(0x10, APPLICATION_CONTEXT.encode()),
            *(_answered(result) for result in results),
            item(0x50, user),
        )
    )
    return encode(ASSOCIATE_AC, body)


def _answered(result: ContextResult) -> bytes:
    head = bytes((result.context_id, 0, result.result, 0))
    return item(0x21, head + item(0x40, result.transfer_syntax.encode()))


def _accepted(role: RoleSelection) -> bytes:
    """PS3.7 table D.3-10; sub-items stand in ascending order of their types, as peers expect."""
    uid = role.sop_class_uid.encode()
    return item(_ROLE_SELECTION, struct.pack(">H", len(uid)) + uid + bytes((role.scu, role.scp)))


def encode_associate_rj(rejection: Rejection) -> bytes:
    """An A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return encode(ASSOCIATE_RJ, bytes((0, rejection.result, rejection.source, rejection.reason)))


def encode_abort(source: int, reason: int) -> bytes:
    """An A-ABORT (PS3.8 9.3.8): source 0 service user, 2 service provider."""
    return encode(ABORT, bytes((0, 0, source, reason)))


def encode_release_rp() -> bytes:
    """An A-RELEASE-RP (PS3.8 9.3.7)."""
    return encode(RELEASE_RP, bytes(4))


def encode_command(context_id: int, command: bytes, max_length: int) -> bytes:
    """One command set in P-DATA-TF PDUs that the peer takes (PS3.8 9.3.5, E.2).

    ``max_length`` is the peer's, 0 for any.
    """
    room = max(max_length - 6, 1) if max_length else len(command)
    last = (len(command) - 1) // room
    return b"".join(
        encode(
            DATA_TF,
            struct.pack(">IBB", len(piece) + 2, context_id, 3 if at == last else 1) + piece,
        )
        for at, piece in enumerate(
            command[start : start + room] for start in range(0, len(command), room)
        )
    )


def encode(kind: int, body: bytes) -> bytes:
    """A whole PDU: type, reserved byte, length, body."""
    return struct.pack(">BxI", kind, len(body)) + body
