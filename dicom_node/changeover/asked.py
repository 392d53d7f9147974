"""What a site asks of its spaces: another one wanted, taken into use, given up, removed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sqlalchemy import Engine

from dicom_node.making import differences, make_again, make_encoder, maker_of, summary_of
from dicom_node.settings import Settings
from dicom_node.store_index import forget_store
from encoders.declaration import OwnFile
from encoders.folders.naming import absolute
from encoders.registry import find
from storage import changeover, spaces
from storage.answer import SpaceSummary
from storage.changeover import Gap
from storage.index import forget
from storage.spaces import KnownSpace, Maker

SHORTEST_ID = 4
"""Digits of a space's id that may stand for it."""


class ChangeoverError(Exception):
    """What is asked of a space cannot be done; the message says why and what to do."""


class Outcome(Enum):
    """What asking for an encoder came to."""

    WANTED = "wanted"
    IN_USE = "in use"
    """Its space answered already."""
    TAKEN = "taken"
    """The archive had no space yet, so this is its first."""


@dataclass(frozen=True)
class Asked:
    """A space that was asked for, and what came of it."""

    space: SpaceSummary
    outcome: Outcome


def ask_for(
    engine: Engine, settings: Settings, name: str, *, weights: Path | None, switch: bool
) -> Asked:
    """Has the archive embedded by an encoder, or again into a space that it has; loads it once.

    Args:
        name: the encoder's, or the id of a space.
        weights: a local file; None takes what the settings or an earlier space say, or what was
            fetched.
        switch: whether the space is taken into use once nothing is missing.

    Raises:
        ChangeoverError: the id or the path is wrong, or the encoder is no longer what it was.
        EncoderError: there is no such encoder, or it cannot be made here.
    """
    with engine.connect() as connection:
        known = spaces.known(connection)
    earlier = next((entry for entry in known if _is_meant(entry, name)), None)
    if earlier is None:
        maker = _maker(settings, known, name, weights)
    else:
        maker = _maker_of_space(settings, earlier)
    made = made_here(settings, maker, None if earlier is None else earlier.summary)
    if earlier is not None and made != earlier.summary:
        raise ChangeoverError(
            f"the encoder of space {earlier.id} is another by now "
            f"({differences(earlier.summary, made)}): `likeness encoders add {maker.name}` makes "
            "a new space"
        )
    return Asked(made, _write_down(engine, made, maker, switch=switch))


def _write_down(engine: Engine, space: SpaceSummary, maker: Maker, *, switch: bool) -> Outcome:
    with engine.begin() as connection:
        spaces.alone(connection)
        used = spaces.in_use(connection)
        if used is None:
            spaces.use(connection, space, maker)
            return Outcome.TAKEN
        if used.id == space.id:
            spaces.note_maker(connection, space.id, maker)
            return Outcome.IN_USE
        spaces.want(connection, space, maker, switch=switch)
        return Outcome.WANTED


def _maker(
    settings: Settings, known: Sequence[KnownSpace], name: str, weights: Path | None
) -> Maker:
    asked, name = maker_of(settings), absolute(name)
    if weights is not None:
        if not weights.is_file():
            raise ChangeoverError(f"weights file {weights} is not there; correct the path")
        return Maker(name, str(weights.absolute()), asked.precision)
    if isinstance(find(name).source, OwnFile):
        makers = [asked, *(entry.maker for entry in known)]
        paths = [maker.weights for maker in makers if maker.name == name and maker.weights]
        if not paths:
            raise ChangeoverError(f"encoder {name} needs weights of yours: name them by --weights")
        return Maker(name, paths[0], asked.precision)
    return Maker(name, asked.weights if asked.name == name else None, asked.precision)


def _maker_of_space(settings: Settings, space: KnownSpace) -> Maker:
    """An earlier version did not write down how it made a space's encoder."""
    asked, name = maker_of(settings), space.summary.encoder
    if space.maker.name:
        return space.maker
    return asked if asked.name == name else Maker(name)


def made_here(settings: Settings, maker: Maker, space: SpaceSummary | None = None) -> SpaceSummary:
    """The space of an encoder that is loaded for a moment, beside the node: on the CPU.

    That of ``space`` is made again, by the weights that it had.

    Raises:
        EncoderError: it cannot be made here.
    """
    plain = {"device": "cpu", "compile": False, "runtime": "torch"}
    quietly = settings.model_copy(update={"encoder": settings.encoder.model_copy(update=plain)})
    if space is None:
        return summary_of(make_encoder(quietly, maker).space)
    return summary_of(make_again(quietly, maker, space).space)


def find_space(engine: Engine, text: str) -> KnownSpace:
    """The space of an id, of an id's beginning, or of an encoder that has one space only.

    Raises:
        ChangeoverError: there is none, or several.
    """
    with engine.connect() as connection:
        known = spaces.known(connection)
    found = [entry for entry in known if _is_meant(entry, text)] or [
        entry for entry in known if entry.summary.encoder == text
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{entry.id} ({entry.summary.encoder})" for entry in found or known)
    if found:
        raise ChangeoverError(f"{text!r} stands for several spaces, name one by its id: {listed}")
    raise ChangeoverError(f"there is no space {text!r}; there are: {listed or 'none yet'}")


def _is_meant(space: KnownSpace, text: str) -> bool:
    return len(text) >= SHORTEST_ID and space.id.startswith(text)


def use(engine: Engine, settings: Settings, space: KnownSpace, *, incomplete: bool) -> Gap:
    """Takes a space into use at once, if it lacks nothing or ``incomplete`` is said.

    Raises:
        ChangeoverError: its encoder is no longer what it was.
        EncoderError: its encoder cannot be made here, so no worker could go on with it.
    """
    maker = _maker_of_space(settings, space)
    made = made_here(settings, maker, space.summary)
    if made != space.summary:
        raise ChangeoverError(
            f"the encoder of space {space.id} is another by now: {differences(space.summary, made)}"
        )
    with engine.begin() as connection:
        outcome = changeover.switch(connection, space.summary, incomplete=incomplete)
        spaces.note_maker(connection, space.id, maker)  # rows come last, for who switches, too
        return outcome.gap


def remove(engine: Engine, settings: Settings, space: KnownSpace) -> None:
    """Deletes a space, its vectors and this node's snapshot of it.

    Raises:
        ChangeoverError: it answers, or is being filled.
        StoreError: its vectors could not be taken out of the store, and nothing was deleted.
    """
    try:
        with engine.begin() as connection:
            spaces.must_be_free(connection, space.id)
        if settings.index.is_store:  # first: who does not know the space finds nothing of it there
            forget_store(engine, settings.index, space.summary)
        is_gone = False
        while not is_gone:
            with engine.begin() as connection:
                is_gone = spaces.remove(connection, space.id)
    except ValueError as fault:
        raise ChangeoverError(
            f"{fault}: take another into use first (`likeness encoders use`), or end the filling "
            "(`likeness encoders stop`)"
        ) from fault
    forget(settings.index_folder, space.id)


def node_runs(settings: Settings) -> bool:
    """Whether a node works in the settings' data folder.

    Its lock is looked for and not tried: to hold it for a moment could keep a node from starting.
    """
    path = settings.data_folder / "node.lock"
    if not path.exists():
        return False
    locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    with path.open("rb") as file:
        name = f" {_device(file.fileno())}:{os.fstat(file.fileno()).st_ino} "
    return any("FLOCK" in line and name in line for line in locks)


def _device(descriptor: int) -> str:
    """The device that a file lies on as /proc/locks has it, hexadecimal MAJOR:MINOR.

    ``st_dev`` is another on file systems of several volumes; that of the mount is what is meant.
    """
    told = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").split()
    mount = told[told.index("mnt_id:") + 1]
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[0] == mount:
            major, minor = map(int, fields[2].split(":"))
            return f"{major:02x}:{minor:02x}"
    return ""
