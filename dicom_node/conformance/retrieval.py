"""The activity "Retrieve Images" of PS3.2 annex A, where the settings ask for it."""

from dicom_node.conformance.markdown import Section, bullets, literal, paragraphs, table
from dicom_node.conformance.statuses import written
from dicom_node.conformance.subject import Retrieval, Subject, name_of
from dicom_node.retrieving import association
from dicom_node.retrieving.c_move import LANDING_S
from dicom_node.retrieving.outcome import NOT_SENT, SUCCESS, WARNING
from dicom_node.retrieving.retriever import LONGEST_S, SILENCE_S
from dicom_node.sop_classes import GET_MODEL, IMAGE_STORAGE, most_classes
from dicom_node.storing import (
    NOT_OF_ITS_SOP_CLASS,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
)


def retrieve_images(subject: Subject) -> tuple[Section, ...]:
    """The activity; none where images do not come back over DICOM."""
    retrieval = subject.retrieval
    if retrieval is None:
        return ()
    return (
        Section(
            'Activity "Retrieve Images"',
            parts=(
                Section("Description and Sequencing of Activities", _retrieving(retrieval)),
                Section("Proposed Presentation Contexts", _contexts(subject, retrieval)),
                Section(
                    f"SOP Specific Conformance for {name_of(retrieval.model)} SOP Class",
                    _conformance(retrieval),
                ),
            ),
        ),
    )


def _retrieving(retrieval: Retrieval) -> str:
    how = (
        "The instance comes on the association on which it is asked for."
        if retrieval.model == GET_MODEL
        else "The destination is our own AE title: the instance comes in as any other (see the "
        'activity "Receive Images"), and is handed over to whoever waits for it instead of being '
        "stored. It is told by its SOP Instance UID and the Move Originator AE Title (0000,1030). "
        "Where a peer does not send the latter, it is stored as well. An instance that nobody "
        f"waits for is stored. After the response it is waited for up to {LANDING_S:g} s more."
    )
    return paragraphs(
        "When an operator has the archive compared by another encoder, images are needed that are "
        "neither in the spool nor among the images kept for that. They are fetched from the peer "
        f"{literal(retrieval.peer.name)}, one by one, and removed once they are read. Nothing is "
        "reported for them.",
        how,
        bullets(
            "One association is kept for many requests; after "
            f"{association.IDLE_S:g} s without one it is not used any more.",
            f"A peer that sends nothing at all for {SILENCE_S:g} s while it is asked is given up "
            f"for now; an instance may take {LONGEST_S:g} s.",
            "Where the association ends before the final response, the instance is asked for "
            "once more, on another.",
        ),
    )


def _contexts(subject: Subject, retrieval: Retrieval) -> str:
    columns = (
        *("Abstract Syntax Name", "Abstract Syntax UID", "Transfer Syntax Name"),
        *("Transfer Syntax UID", "Role", "Extended Negotiation"),
    )
    rows = [
        (
            *(name_of(entry.sop_class), entry.sop_class),
            *(name_of(entry.transfer_syntax), entry.transfer_syntax),
            *("SCU", "None"),
        )
        for entry in retrieval.contexts
        if not entry.as_scp
    ]
    return paragraphs(
        table("Proposed presentation contexts: retrieval", columns, rows),
        _storage_contexts(subject) if retrieval.model == GET_MODEL else "",
    )


def _storage_contexts(subject: Subject) -> str:
    columns = ("Abstract Syntax Name", "Abstract Syntax UID", "Transfer Syntaxes", "Role")
    syntaxes = subject.image_syntaxes
    rows = [
        (name_of(uid), uid, f"Set {subject.syntax_sets[syntaxes]}", "SCP") for uid in IMAGE_STORAGE
    ]
    return paragraphs(
        "Besides, the SOP class of the instance is proposed in the role of SCP (PS3.7 D.3.3.4), "
        "each transfer syntax of the set in a context of its own, so that the peer can send what "
        "it has as it has it. An association has room for "
        f"{most_classes(subject.image_syntaxes)} SOP classes: those asked for last.",
        table("Storage classes proposed for retrieval", columns, rows),
        'The sets are those of the activity "Receive Images".',
    )


def _conformance(retrieval: Retrieval) -> str:
    operation = "C-GET" if retrieval.model == GET_MODEL else "C-MOVE"
    rows = [
        (
            "Success",
            written(SUCCESS),
            "The instance that came is used; where none did, the peer does not have it.",
        ),
        ("Warning", written(WARNING), "The same."),
        (
            "Failure",
            written(NOT_SENT),
            "The instance cannot be had, and is left out with the reason.",
        ),
        (
            "Failure",
            "A701, A801, 0122, 0124, 0211",
            "The peer gives nothing at present: it is asked again later.",
        ),
        ("Failure, cancel", "anything else", "As A702."),
        ("No response", "-", "The association is aborted; the peer is asked again later."),
    ]
    return paragraphs(
        f"An SCU of the Study Root information model: {operation} at the level IMAGE, with Study, "
        "Series and SOP Instance UID as unique keys, one instance in each, low priority. Neither "
        "relational retrieval nor any other extended negotiation is proposed, and C-CANCEL is not "
        "sent.",
        table(f"Behaviour by {operation} response status", ("Status", "Code", "Behaviour"), rows),
        _storing() if retrieval.model == GET_MODEL else "",
        "What came is compared by SOP class and SOP Instance UID with what was asked for.",
    )


def _storing() -> str:
    rows = [
        ("Success", written(SUCCESS), "The instance is in a file."),
        ("Failure", written(OUT_OF_RESOURCES), "The file cannot be written."),
        ("Failure", written(NOT_OF_ITS_SOP_CLASS), "The instance is not the one asked for."),
        ("Failure", written(SOP_CLASS_NOT_SUPPORTED), "The context is not one of those above."),
    ]
    return table(
        "C-STORE response statuses on associations that we request",
        ("Status", "Code", "Behaviour"),
        rows,
    )
