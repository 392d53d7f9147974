"""Section 4.2.1.4 of PS3.2 annex A: whose associations are accepted, and within which limits."""

from typing import NamedTuple

from dicom_node.conformance.accepted import be_verified, receive_images, receive_results
from dicom_node.conformance.markdown import Section, literal, paragraphs, table
from dicom_node.conformance.subject import Subject
from dicom_node.scp import NOT_YET_ASSOCIATED
from dicom_node.upper_layer.command import LONGEST_COMMAND
from dicom_node.upper_layer.pdu import LONGEST_ASSOCIATE_RQ


class Refusal(NamedTuple):
    """A row of the table of rejected associations (PS3.8 9.3.4)."""

    result: int
    source: int
    reason: int
    names: tuple[str, str, str]
    when: str


_FOR_GOOD, _FOR_NOW = "rejected-permanent", "rejected-transient"
_USER = "DICOM UL service-user"
_ACSE = "DICOM UL service-provider (ACSE)"
_PRESENTATION = "DICOM UL service-provider (presentation)"

REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        *(1, 1, 2, (_FOR_GOOD, _USER, "application-context-name-not-supported")),
        "The application context is not DICOM's.",
    ),
    Refusal(
        *(1, 1, 3, (_FOR_GOOD, _USER, "calling-AE-title-not-recognized")),
        "No peer of the settings has the calling AE title (with `dicom.listed_peers_only`), or "
        "none that has it may call from this address.",
    ),
    Refusal(
        *(1, 1, 7, (_FOR_GOOD, _USER, "called-AE-title-not-recognized")),
        "The called AE title is not ours (with `dicom.check_called_ae`).",
    ),
    Refusal(
        *(1, 2, 2, (_FOR_GOOD, _ACSE, "protocol-version-not-supported")),
        "The protocol version is not 1.",
    ),
    Refusal(
        *(2, 3, 1, (_FOR_NOW, _PRESENTATION, "temporary-congestion")),
        "The disk is short of room or too many studies wait to be worked. Associations that "
        "propose nothing but Verification are accepted nevertheless.",
    ),
    Refusal(
        *(2, 3, 2, (_FOR_NOW, _PRESENTATION, "local-limit-exceeded")),
        "As many associations are open as `dicom.max_associations` allows.",
    ),
)


def acceptance(subject: Subject) -> Section:
    """Who may call, what may be proposed, and what comes back."""
    return Section(
        "Association Acceptance Policy",
        _who_is_let_in(subject),
        (
            receive_images(subject),
            receive_results(subject),
            be_verified(subject),
        ),
    )


def _who_is_let_in(subject: Subject) -> str:
    dicom = subject.settings.dicom
    listed = (
        "Only AE titles of the peers listed below may call, each from its own addresses."
        if dicom.listed_peers_only
        else "Any AE title may call; one that is listed as a peer, from its own addresses only."
    )
    called = "must" if dicom.check_called_ae else "need not"
    return paragraphs(
        f"{subject.ae} accepts associations for the activities below. {listed} The called AE "
        f"title {called} be {subject.ae}. AE titles are compared without their padding, and "
        "capital letters are told from small ones.",
        _refusals(),
        "A connection that does not keep to PS3.8 is ended with an A-ABORT (source: "
        "service-provider, reason not specified), and so is one that sends a P-DATA-TF PDU "
        "longer than was announced, a data set without its command, or a command set that "
        "cannot be read. The limits are:",
        _limits(subject),
    )


def _refusals() -> str:
    rows = [
        (
            f"{refusal.result} ({refusal.names[0]})",
            f"{refusal.source} ({refusal.names[1]})",
            f"{refusal.reason} ({refusal.names[2]})",
            refusal.when,
        )
        for refusal in REFUSALS
    ]
    return table("Rejected associations", ("Result", "Source", "Reason", "When"), rows)


def _limits(subject: Subject) -> str:
    dicom = subject.settings.dicom
    rows = [
        ("Associations at once", literal(dicom.max_associations), "rejected, as above"),
        (
            "Connections that have asked for no association yet, beside those",
            literal(NOT_YET_ASSOCIATED),
            "further connections are closed unheard",
        ),
        (
            "Time until an A-ASSOCIATE-RQ must have come (ARTIM, PS3.8 9.1.5)",
            literal(f"{dicom.request_timeout_s:g} s"),
            "the connection is closed",
        ),
        (
            "Silence within an association",
            literal(f"{dicom.idle_timeout_s:g} s"),
            "the connection is closed; what was received in part is dropped",
        ),
        (
            "Length of an A-ASSOCIATE-RQ PDU",
            literal(f"{LONGEST_ASSOCIATE_RQ} bytes"),
            "A-ABORT",
        ),
        (
            "Length of a P-DATA-TF PDU (the Maximum Length that is announced)",
            literal(f"{dicom.max_pdu} bytes"),
            "A-ABORT",
        ),
        ("Length of a command set", literal(f"{LONGEST_COMMAND} bytes"), "A-ABORT"),
        (
            "Length of a data set",
            literal(f"{dicom.max_instance_mb:g} MB"),
            "taken to its end, and answered with C000",
        ),
    ]
    return table("Limits", ("What", "At most", "Beyond it"), rows)
