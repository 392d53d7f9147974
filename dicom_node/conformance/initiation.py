"""Section 4.2.1.3 of PS3.2 annex A: which associations we request, and what for."""

from pynetdicom.sop_class import Verification

from dicom_node import scu
from dicom_node.commitment import LONGEST_RESULT_WAIT_S, RESULT_WAIT_S
from dicom_node.commitment_report import WELL_KNOWN_INSTANCE
from dicom_node.commitment_request import LINGER_S, REQUEST_COMMITMENT
from dicom_node.conformance.markdown import Section, bullets, literal, paragraphs, table
from dicom_node.conformance.retrieval import retrieve_images
from dicom_node.conformance.statuses import written
from dicom_node.conformance.subject import Subject, name_of
from dicom_node.silent_peers import LONGEST_REST_S
from dicom_node.sop_classes import Purpose, requested_contexts
from storage.queue import RetryRule

_OTHERS = "anything else"


def initiation(subject: Subject) -> Section:
    """Each real-world activity for which we request an association."""
    return Section(
        "Association Initiation Policy",
        paragraphs(
            f"{subject.ae} requests associations with the peers of the settings, for the "
            "activities below: one association for one task, released when it is done. A TCP "
            f"connection that does not come about within {scu.CONNECT_S:g} s is a failure of the "
            "task, and so is an answer to A-ASSOCIATE-RQ, or a response to a message, that does "
            f"not come within {scu.TIMEOUT_S:g} s.",
        ),
        (
            _send_report(subject),
            _request_commitment(subject),
            *retrieve_images(subject),
            _verify_peer(),
        ),
    )


def proposed(purpose: Purpose) -> str:
    """The table of the presentation contexts that are proposed for a purpose."""
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
        for entry in requested_contexts()
        if entry.purpose == purpose
    ]
    return table(f"Proposed presentation contexts: {purpose}", columns, rows)


def _send_report(subject: Subject) -> Section:
    return Section(
        'Activity "Send Report"',
        parts=(
            Section("Description and Sequencing of Activities", _sending(subject)),
            Section(
                "Proposed Presentation Contexts",
                paragraphs(
                    "Of the report's SOP classes are proposed its own (`report.sop_class`) and "
                    "those below it in this table; Secondary Capture only where there is a "
                    "picture. Each context proposes one transfer syntax. Where a peer accepts "
                    "both, Explicit VR Little Endian is used.",
                    proposed("delivery"),
                ),
            ),
            Section("SOP Specific Conformance for Report SOP Classes", _storing(subject)),
        ),
    )


def _sending(subject: Subject) -> str:
    rule = _rule(subject)
    return paragraphs(
        "When a study has been compared, and the settings name a peer that is to have the reports "
        "of whoever sent it (`reports_to`), its report is queued for that peer, and for those "
        "that get every report (`report.send_to`). An operator can have a report sent, too. "
        "Report and picture go over one association, the report first.",
        "A peer that does not accept the report's own SOP class gets the report in the first "
        "that it accepts of those below it in the table. It then has a SOP Instance UID that is "
        "derived from the report's and the class, always the same. A peer that accepts a class "
        "for the report but not Secondary Capture, or the other way round, gets what it accepts; "
        "where it accepts neither, the task has failed.",
        "The queue is kept in the database and outlives restarts. A task that failed is tried "
        f"again after {rule.first_wait_s:g} s, then each time after twice as long, at most "
        f"{rule.longest_wait_s:g} s, {rule.attempts} times in all. It is then given up, kept with "
        "its reason, and sent again when an operator asks for it. A repeated send carries the "
        "same SOP Instance UIDs. A peer that does not answer is left alone meanwhile, for "
        f"{LONGEST_REST_S:g} s at most each time, so that the others are served.",
    )


def _rule(subject: Subject) -> RetryRule:
    work = subject.settings.work
    return RetryRule(work.send_attempts, work.first_wait_s)


def _storing(subject: Subject) -> str:
    lowest, highest = written(scu.WARNINGS[0]), written(scu.WARNINGS[-1])
    rows = [
        ("Success", "0000", "The peer has stored it."),
        (
            "Warning",
            f"{lowest} to {highest}",
            "Counts as stored; the status is logged.",
        ),
        (
            "Failure",
            _OTHERS,
            "The document was refused: logged, and the task is tried again as above.",
        ),
        ("No response", "-", "As a failure; nothing more is sent over this association."),
    ]
    return paragraphs(
        f"{subject.ae} is an SCU of the Storage Service Class for the SOP classes above. What it "
        "sends is shown in the annex. Where one of report and picture is refused, the other is "
        "sent nevertheless.",
        table("Behaviour by C-STORE response status", ("Status", "Code", "Behaviour"), rows),
    )


def _request_commitment(subject: Subject) -> Section:
    asked = [literal(peer.name) for peer in subject.settings.peers if peer.storage_commitment]
    return Section(
        'Activity "Request Storage Commitment"',
        parts=(
            Section(
                "Description and Sequencing of Activities",
                paragraphs(
                    "When a peer with `storage_commitment = true` has stored a report, it is asked "
                    "by N-ACTION to commit itself to what it stored, the picture included. Asked "
                    f"here {'is' if len(asked) == 1 else 'are'}: {', '.join(asked) or 'none'}. "
                    "One request names one report and its picture.",
                    "The result is taken on an association that the peer requests (see the "
                    'activity "Receive Storage Commitment Results"), or on this one, which is '
                    f"held open for {LINGER_S:g} s after the response.",
                ),
            ),
            Section("Proposed Presentation Contexts", proposed("storage commitment")),
            Section(
                "SOP Specific Conformance for Storage Commitment Push Model SOP Class",
                _committing(subject),
            ),
        ),
    )


def _committing(subject: Subject) -> str:
    rule = _rule(subject)
    rows = [
        ("Success", "0000", "The result is awaited."),
        (
            "Warning",
            f"{written(scu.WARNINGS[0])} to {written(scu.WARNINGS[-1])}",
            "As Success; the status is logged.",
        ),
        (
            "Failure, or no response",
            _OTHERS,
            "Asked again later, under another Transaction UID.",
        ),
    ]
    return paragraphs(
        f"{subject.ae} is an SCU of the Storage Commitment Service Class (PS3.4 annex J). It is "
        "not an SCP of it, and accepts no request to commit itself to anything.",
        bullets(
            f"N-ACTION: action type {REQUEST_COMMITMENT} on SOP instance {WELL_KNOWN_INSTANCE}, "
            "with Transaction UID (0008,1195) and Referenced SOP Sequence (0008,1199). Storage "
            "Media File-Set attributes and Referenced Performed Procedure Step Sequence are not "
            "sent.",
            f"A result is awaited for {RESULT_WAIT_S / 3600:g} h; then the peer is asked again, "
            "each time waiting twice as long, "
            f"{LONGEST_RESULT_WAIT_S / 3600:g} h at most.",
            "What the peer reports as failed, or does not mention, is sent again by C-STORE "
            "and committed anew as long as a try is left to ask for it; then it is given up, kept "
            "with its reason, and shown to operators.",
            "Reports are kept in this node's database whatever the result, pictures for "
            "`report.keep_pictures_days` after they were sent.",
        ),
        table("Behaviour by N-ACTION response status", ("Status", "Code", "Behaviour"), rows),
        f"Asked again is after {rule.first_wait_s:g} s, then each time after twice as long, "
        f"{rule.attempts} times in all. A peer that is not reached is called until it is, each "
        f"time after {LONGEST_REST_S:g} s at most; this does not count.",
    )


def _verify_peer() -> Section:
    return Section(
        'Activity "Verify Peer"',
        parts=(
            Section(
                "Description and Sequencing of Activities",
                "An operator asks with `likeness echo` whether a peer answers.",
            ),
            Section("Proposed Presentation Contexts", proposed("verification")),
            Section(
                "SOP Specific Conformance for Verification SOP Class",
                f"This AE is an SCU of the {name_of(Verification)}. Success (0000), or a warning, "
                "is shown to the operator as an answer, any other status and no response as a "
                "failure.",
            ),
        ),
    )
