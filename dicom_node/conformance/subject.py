"""What a statement is about: one node, by its settings and by what its SCP accepts."""

from dataclasses import dataclass
from typing import NamedTuple

from pydicom.uid import UID

from dicom_node.conformance.markdown import literal, table
from dicom_node.scp import Contexts
from dicom_node.settings import Peer, Settings
from dicom_node.sop_classes import (
    GET_MODEL,
    IMAGE_STORAGE,
    MOVE_MODEL,
    RequestedContext,
    get_contexts,
    move_contexts,
    requested_contexts,
)


class Retrieval(NamedTuple):
    """How images come back from a peer: the SOP class, and the contexts that are proposed."""

    peer: Peer
    model: UID
    contexts: tuple[RequestedContext, ...]


@dataclass(frozen=True)
class Subject:
    """A node.

    Attributes:
        settings: its settings.
        contexts: what its SCP accepts: transfer syntaxes by SOP class, the preferred first.
    """

    settings: Settings
    contexts: Contexts

    @property
    def ae(self) -> str:
        """Our AE title, for a line of text."""
        return literal(self.settings.dicom.ae_title)

    @property
    def image_syntaxes(self) -> tuple[str, ...]:
        """The transfer syntaxes that images are taken in, the preferred first."""
        return tuple(self.contexts[str(IMAGE_STORAGE[0])])

    @property
    def retrieval(self) -> Retrieval | None:
        """What ``encoder.fetch_from`` makes of us; None where nothing is fetched over DICOM."""
        name = self.settings.encoder.fetch_from
        peer = None if name is None else self.settings.peer_named(name)
        if peer is None or name == "orthanc":
            return None
        if peer.retrieve == "c-move":
            return Retrieval(peer, MOVE_MODEL, move_contexts())
        decodable = [UID(uid) for uid in self.image_syntaxes]
        return Retrieval(peer, GET_MODEL, get_contexts(IMAGE_STORAGE, decodable))

    @property
    def syntax_sets(self) -> dict[tuple[str, ...], str]:
        """A letter for each different list of transfer syntaxes that the SCP accepts."""
        lists = dict.fromkeys(tuple(syntaxes) for syntaxes in self.contexts.values())
        return {syntaxes: chr(ord("A") + at) for at, syntaxes in enumerate(lists)}


def name_of(uid: str) -> str:
    """The name that PS3.6 gives a UID; the UID itself where it gives none."""
    return UID(uid).name


class Roles(NamedTuple):
    """A SOP class, and whether we are its user and its provider: "Yes" or "No"."""

    uid: str
    scu: str
    scp: str


def roles(subject: Subject) -> list[Roles]:
    """Every SOP class that we deal with, those of the SCP first."""
    asked = {str(entry.sop_class) for entry in requested_contexts()}
    if subject.retrieval is not None:
        asked.add(str(subject.retrieval.model))
    uids = dict.fromkeys([*subject.contexts, *sorted(asked)])
    return [
        Roles(uid, "Yes" if uid in asked else "No", "Yes" if uid in subject.contexts else "No")
        for uid in uids
    ]


def transfer_syntaxes(subject: Subject) -> str:
    """The table of transfer syntaxes that the SCP accepts, by set, in the order of preference."""
    rows = [
        (letter, str(place), name_of(uid), uid)
        for syntaxes, letter in subject.syntax_sets.items()
        for place, uid in enumerate(syntaxes, start=1)
    ]
    columns = ("Set", "Preference", "Transfer Syntax Name", "Transfer Syntax UID")
    return table("Transfer syntaxes accepted, by set", columns, rows)
