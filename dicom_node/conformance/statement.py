"""The whole conformance statement of a node (PS3.2 annex A)."""

from datetime import date

from dicom_node.conformance.annexes import annexes
from dicom_node.conformance.markdown import CONTENTS, Section, document, paragraphs, table
from dicom_node.conformance.networking import networking
from dicom_node.conformance.overview import introduction, overview
from dicom_node.conformance.security import character_sets, media, security
from dicom_node.conformance.subject import Subject
from dicom_node.scp import Contexts
from dicom_node.serve import proved_syntaxes
from dicom_node.settings import Settings
from dicom_node.sop_classes import accepted_contexts
from dicom_node.version import SOFTWARE_VERSION


def statement(
    settings: Settings, *, contexts: Contexts | None = None, on: date | None = None
) -> str:
    """The statement as Markdown: what a node with these settings does on this machine.

    Nothing secret is in it: neither the database's address nor places of files.

    Args:
        settings: of the node.
        contexts: what its SCP accepts; if not given, what a self-test proves here, as
            ``likeness serve`` does at its start.
        on: the date on its first page; today if not given.

    Raises:
        StartError: no transfer syntax can be decoded here.
    """
    if contexts is None:
        contexts = accepted_contexts(proved_syntaxes())
    subject = Subject(settings, contexts)
    sections = (
        overview(subject),
        Section(CONTENTS),
        introduction(),
        networking(subject),
        media(),
        character_sets(),
        security(subject),
        annexes(subject),
    )
    return document(
        "DICOM Conformance Statement: Likeness", _cover(subject, on or date.today()), sections
    )


def _cover(subject: Subject, day: date) -> str:
    rows = [
        ("Product", "Likeness"),
        ("Version", SOFTWARE_VERSION),
        ("Made by", "Likeness project"),
        ("Application Entity", subject.ae),
        ("Date", day.isoformat()),
    ]
    return paragraphs(
        table("Product", ("Item", "Value"), rows),
        "This statement describes one node: the values are those of its settings.",
    )
