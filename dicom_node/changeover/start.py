"""With which encoder a worker starts: that of the space in use, whatever the settings name.

The settings' encoder is what a new archive starts with. Where that of the space in use cannot be
made any more, the archive is embedded again in a space that can be, and nothing is worked before.
"""

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node.changeover.left_behind import with_way_out
from dicom_node.changeover.progress import tell_waiting, waiting_reason
from dicom_node.making import differences, make_again, make_encoder, maker_of, summary_of
from dicom_node.settings import Settings
from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderError
from storage import embeddings, spaces
from storage.answer import SpaceSummary
from storage.outages import OUTAGES
from storage.spaces import KnownSpace, Maker

log = logging.getLogger(__name__)

LOOK_S = 1.0


class MustEmbedAgainError(Exception):
    """Nothing can be worked before the archive is embedded again; the message says why.

    ``in_use`` is the space whose encoder cannot be had.
    """

    def __init__(self, message: str, *, in_use: str) -> None:
        super().__init__(message)
        self.in_use = in_use


@dataclass(frozen=True)
class _Made:
    """An encoder, and how it was made."""

    encoder: CheckedEncoder
    maker: Maker

    @property
    def space(self) -> SpaceSummary:
        """The space of its vectors."""
        return summary_of(self.encoder.space)


def encoder_to_work_with(engine: Engine, settings: Settings, *, node: str) -> CheckedEncoder:
    """The encoder of the space in use; of a new or empty archive, that of the settings.

    Raises:
        MustEmbedAgainError: that of the space in use cannot be made; another space is wanted now.
        EncoderError: no encoder can be made here; the message says what is missing.
        DBAPIError, DatabaseError: the database does not answer.
    """
    with engine.connect() as connection:
        known = spaces.known_in_use(connection)
        is_empty = known is None or not embeddings.live_count(connection, space_id=known.id)
    if known is None:
        return _start_anew(engine, settings, None, node=node)
    others, faults = [], []
    for maker in _makers(settings, known):
        try:
            made = _Made(make_again(settings, maker, known.summary), maker)
        except EncoderError as fault:
            faults.append(str(fault))
            continue
        if made.space == known.summary:
            _go_on(engine, settings, known, maker, node=node)
            return made.encoder
        others.append(made)
        faults.append(f"{maker.name}, made now, is another: {_differs(known, made)}")
    if is_empty:
        return _start_anew(engine, settings, known, node=node)
    if not others:
        raise EncoderError("; ".join(faults))
    reason = _want(engine, known, others[0], faults[0], node=node)
    raise MustEmbedAgainError(reason, in_use=known.id)


def _makers(settings: Settings, known: KnownSpace) -> list[Maker]:
    """How the encoder may be made: as it was; as the settings say, which may name a new path.

    An earlier version did not write down how: that was by the settings.
    """
    asked = maker_of(settings)
    told = [known.maker, asked] if known.maker.name else [asked, Maker(known.summary.encoder)]
    return list(dict.fromkeys(told))


def _differs(known: KnownSpace, made: _Made) -> str:
    return differences(known.summary, made.space)


def _start_anew(
    engine: Engine, settings: Settings, known: KnownSpace | None, *, node: str
) -> CheckedEncoder:
    """Takes the settings' encoder into use for an archive without vectors."""
    maker = maker_of(settings)
    made = _Made(make_encoder(settings, maker), maker)
    with engine.begin() as connection:
        spaces.alone(connection)
        now = spaces.known_in_use(connection)
        is_same = (now and now.id) == (known and known.id)
        if is_same and (now is None or not embeddings.live_count(connection, space_id=now.id)):
            spaces.use(connection, made.space, maker)
            return made.encoder
    return encoder_to_work_with(engine, settings, node=node)  # another node was first


def _go_on(
    engine: Engine, settings: Settings, known: KnownSpace, maker: Maker, *, node: str
) -> None:
    if maker != known.maker:
        with engine.begin() as connection:
            spaces.note_maker(connection, known.id, maker)
    if waiting_reason(known, node) is not None:
        tell_waiting(engine, known.id, node, None)
    asked = maker_of(settings)
    if (asked.name, asked.weights or maker.weights, asked.precision) != (
        *(maker.name, maker.weights, maker.precision),
    ):
        log.warning(
            "the settings name %s, and the archive answers by %s: `likeness encoders add %s` "
            "embeds it again and changes over; [encoder] is what a new archive starts with",
            *(_named(asked), _named(maker), asked.name),
        )


def _named(maker: Maker) -> str:
    parts = [maker.name, maker.weights or "", "" if maker.precision == "fp32" else maker.precision]
    return "encoder " + " ".join(part for part in parts if part)


def _want(engine: Engine, known: KnownSpace, made: _Made, fault: str, *, node: str) -> str:
    """Has the archive embedded again, unless another space is wanted already; says so."""
    with engine.begin() as connection:
        spaces.alone(connection)
        if spaces.wanted(connection) is None and _is_in_use(connection, known):
            spaces.want(connection, made.space, made.maker, needed=True)
        wanted = spaces.wanted(connection)
    into = "" if wanted is None else f" by {wanted.summary.encoder} into space {wanted.id}"
    reason = (
        f"space {known.id} answers, and its encoder cannot be had ({fault}): the archive is being "
        f"embedded again{into}, and studies stay in the queue until that answers; "
        "`likeness encoders status` tells how far it is"
    )
    tell_waiting(engine, known.id, node, reason)
    return with_way_out(reason, wanted)


def _is_in_use(connection: Connection, known: KnownSpace) -> bool:
    now = spaces.in_use(connection)
    return now is not None and now.id == known.id


def stop_when_left(
    engine: Engine, in_use: str, stop: threading.Event, *, only_while_wanted: bool = False
) -> None:
    """Looks each second, and sets ``stop`` when another space is in use than ``in_use``.

    ``only_while_wanted`` sets it, too, when no other space is wanted any more.
    """

    while not stop.wait(LOOK_S):
        with suppress(*OUTAGES), engine.connect() as connection:  # who works says so
            used, wanted = spaces.in_use(connection), spaces.wanted(connection)
            is_left = used is None or used.id != in_use
            if is_left or (only_while_wanted and wanted is None):
                log.info("space %s %s", in_use, "answers no more" if is_left else "is to go on")
                stop.set()
