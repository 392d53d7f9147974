"""A recorded session of associate, echo, two stores and release; and what becomes of it.

Each mutated session is named by its number, and is the same every time.
"""

import struct
from collections.abc import Callable, Sequence
from random import Random

from tests.dicom_node.raw_peer import (
    ABORT,
    P_DATA,
    RELEASE_RQ,
    Pdu,
    associate_rq,
    decoded,
    echo,
    pdu,
    store,
)
from tests.dicom_node.receiving import instance

Session = list[bytes]
"""The PDUs of a session, in their order."""

_LENGTHS = (0, 1, 2, 5, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def recorded() -> Session:
    """A session that is as it should be."""
    stores = [store(*instance(number), message_id=number, piece=4000) for number in (2, 3)]
    whole = b"".join((associate_rq(), echo(), *stores, echo(9), pdu(RELEASE_RQ)))
    return split(whole)


def split(stream: bytes) -> Session:
    """The PDUs of a stream."""
    found = []
    while stream:
        (length,) = struct.unpack_from(">2xI", stream)
        found.append(stream[: 6 + length])
        stream = stream[6 + length :]
    return found


def mutated(session: Session, number: int) -> bytes:
    """The stream of mutated session ``number``: one mutation, or a few."""
    rng = Random(number)
    stream = list(session)
    for _ in range(rng.choice((1, 1, 2, 4))):
        stream = rng.choice(_MUTATIONS)(stream, rng)
    return b"".join(stream)


def _flip_bits(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    changed = bytearray(session[at])
    for _ in range(rng.choice((1, 2, 8))):
        # headers are what is understood; the rest is one value among many
        place = rng.randrange(min(len(changed), rng.choice((6, 12, 120, 1 << 20))))
        changed[place] ^= 1 << rng.randrange(8)
    return _with(session, at, bytes(changed))


def _overwrite(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    start = rng.randrange(len(session[at]))
    new = rng.choice((bytes(4), b"\xff" * 4, rng.randbytes(8)))
    whole = session[at][:start] + new + session[at][start + len(new) :]
    return _with(session, at, whole)


def _cut(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    start = rng.randrange(len(session[at]))
    stop = start + rng.choice((1, 2, 7, 100))
    return _with(session, at, session[at][:start] + session[at][stop:])


def _insert(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    start = rng.randrange(len(session[at]))
    noise = rng.randbytes(rng.choice((1, 2, 6, 300)))
    return _with(session, at, session[at][:start] + noise + session[at][start:])


def _stop_short(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    return [*session[:at], session[at][: rng.randrange(len(session[at]))]]


def _repeat(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    return [*session[:at], *[session[at]] * rng.choice((2, 3, 50)), *session[at + 1 :]]


def _drop(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    return [*session[:at], *session[at + 1 :]] or session


def _swap(session: Session, rng: Random) -> Session:
    first, second = _any(session, rng), _any(session, rng)
    return _with(_with(session, first, session[second]), second, session[first])


def _length_of_pdu(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    return _with(session, at, _with_length(session[at], 2, rng))


def _length_of_pdv(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    if session[at][0] != P_DATA or len(session[at]) < 10:
        return _flip_bits(session, rng)
    return _with(session, at, _with_length(session[at], 6, rng))


def _control_of_pdv(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    if session[at][0] != P_DATA or len(session[at]) < 12:
        return _flip_bits(session, rng)
    changed = bytearray(session[at])
    changed[rng.choice((10, 11))] = rng.choice((0, 1, 2, 3, 5, 99, 255))
    return _with(session, at, bytes(changed))


def _stray_pdu(session: Session, rng: Random) -> Session:
    at = _any(session, rng)
    kind = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 0x16, 255))
    stray = pdu(kind, rng.randbytes(rng.choice((0, 4, 100))))
    return [*session[:at], stray, *session[at:]]


def _abort(session: Session, rng: Random) -> Session:
    return [*session[: _any(session, rng)], pdu(ABORT)]


_MUTATIONS: Sequence[Callable[[Session, Random], Session]] = (
    _flip_bits,
    _overwrite,
    _cut,
    _insert,
    _stop_short,
    _repeat,
    _drop,
    _swap,
    _length_of_pdu,
    _length_of_pdv,
    _control_of_pdv,
    _stray_pdu,
    _abort,
)


def _any(session: Session, rng: Random) -> int:
    """A PDU that is not empty."""
    return rng.choice([at for at, data in enumerate(session) if data])


def _with(session: Session, at: int, data: bytes) -> Session:
    """Never without a byte, so that the next mutation has something to bite."""
    return [*session[:at], data or b"\0", *session[at + 1 :]]


def _with_length(data: bytes, at: int, rng: Random) -> bytes:
    true = int.from_bytes(data[at : at + 4].ljust(4, b"\0"), "big")
    length = rng.choice((*_LENGTHS, true + 1, true + 2, max(true - 1, 0)))
    return data[:at] + struct.pack(">I", length & 0xFFFFFFFF) + data[at + 4 :]


def acknowledged(answers: Sequence[Pdu]) -> int:
    """How many C-STORE responses with Success are among the answers."""
    command, count = b"", 0
    for answer in answers:
        if answer.kind != P_DATA:
            continue
        command += answer.body[6:]
        if answer.body[5] == 3:
            response = decoded(command)
            count += response.CommandField == 0x8001 and response.Status == 0x0000
            command = b""
    return count
