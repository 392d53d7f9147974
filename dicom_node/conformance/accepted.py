"""The activities for which associations are accepted: what may be proposed, what is answered."""

from dicom_node.commitment_report import (
    ALL_COMMITTED,
    FAILURES_EXIST,
    REPORT_STATUSES,
    WELL_KNOWN_INSTANCE,
)
from dicom_node.conformance.markdown import Section, bullets, literal, paragraphs, table
from dicom_node.conformance.statuses import ANSWERED, written
from dicom_node.conformance.subject import Subject, name_of, transfer_syntaxes
from dicom_node.sop_classes import reporting_contexts
from dicom_node.upper_layer.association import UNRECOGNIZED_OPERATION


def receive_images(subject: Subject) -> Section:
    """Storage, as its SCP."""
    return Section(
        'Activity "Receive Images"',
        parts=(
            Section("Description and Sequencing of Activities", _receiving(subject)),
            Section("Accepted Presentation Contexts", _contexts(subject)),
            Section("SOP Specific Conformance for Image Storage SOP Classes", _storage(subject)),
        ),
    )


def _receiving(subject: Subject) -> str:
    quiet = f"{subject.settings.study.close_after_s:g} s"
    return paragraphs(
        "A modality, an archive or a router sends instances by C-STORE. A study is taken to be "
        f"complete when nothing came for it for {quiet} and no open association has brought "
        "some of it, or when an operator says so. The end of an association is not the end of a "
        "study: a study may come over many associations, and several over one. A complete study "
        "is worked: representative images are chosen, read and compared. If the settings name a "
        "peer that is to have the reports of whoever sent it, a report is made and sent. Images "
        "that come late have the study worked, and reported, again.",
    )


def _contexts(subject: Subject) -> str:
    columns = (
        *("Abstract Syntax Name", "Abstract Syntax UID", "Transfer Syntaxes"),
        *("Role", "Extended Negotiation"),
    )
    rows = [
        (name_of(uid), uid, f"Set {subject.syntax_sets[tuple(syntaxes)]}", "SCP", "None")
        for uid, syntaxes in subject.contexts.items()
    ]
    return paragraphs(
        "Each proposed presentation context is judged by itself. Of the transfer syntaxes that "
        "are proposed in it, the one that stands first in the set below is taken, whatever the "
        "order in the proposal. An unknown abstract syntax is answered with result 3, a context "
        "without any transfer syntax of the set with result 4 (PS3.8 9.3.3.2).",
        table("Accepted presentation contexts", columns, rows),
        transfer_syntaxes(subject),
        "At each start the node decodes a small image in every transfer syntax that it knows, and "
        "accepts those for image storage that come out right. This statement shows what was "
        "proved on this machine when it was printed.",
    )


def _storage(subject: Subject) -> str:
    columns = ("Service Status", "Status Code", "Defined in", "Meaning and Behaviour")
    rows = [(s.service, written(s.code), s.clause, s.behaviour) for s in ANSWERED]
    return paragraphs(
        "This node is an SCP of the Storage Service Class. A data set is stored as it came, and "
        "no attribute is dropped, coerced or mended: level 2 (full) of PS3.4 B.4.1, for as long "
        "as the rules of `spool` keep it (see the parameters). After that it is level 0 (local): "
        "what remains are the patient and study attributes among the attributes used (see the "
        "annex), and what was made of the image. Instances cannot be retrieved. Digital "
        "signatures are kept with the data set and not looked at.",
        "Nothing but the four UIDs that say which instance it is, is looked at before the answer. "
        "What proves to be unusable later (a header that cannot be parsed, a UID that is none) is "
        "set aside in the quarantine with its reason, for an operator to see.",
        "An instance that this node itself asked for by C-MOVE is answered with Success once it is "
        "in a file, and not stored (level 0): it is used and removed."
        if subject.settings.fetches_by_move
        else "",
        table("C-STORE response statuses", columns, rows),
        "The Error Comment (0000,0902) says why, in 64 characters at most.",
        "Not all that is stored is compared. Left out, with a recorded reason, are:",
        bullets(
            "secondary captures and other SOP classes without images of a patient's body",
            "localizers, reformats, projections and calculated images of CT and MR series, by "
            "Image Type (0008,0008)",
            "For Processing images, where the study has For Presentation ones of the modality",
            "modalities other than those listed under the attributes used",
            "instances whose pixel data cannot be decoded",
        ),
        "Reports and pictures that this node itself made are told by their Device UID "
        "(0018,1002), or Device Serial Number (0018,1000), and dropped after Success when they "
        "come back, so that nodes do not answer their own answers.",
    )


def receive_results(subject: Subject) -> Section:
    """Storage commitment, as its SCU on associations that the SCP requests."""
    columns = (
        *("Abstract Syntax Name", "Abstract Syntax UID", "Transfer Syntax Name"),
        *("Transfer Syntax UID", "Role", "Extended Negotiation"),
    )
    rows = [
        (name_of(uid), uid, name_of(syntax), syntax, "SCU", "None")
        for uid, syntaxes in reporting_contexts().items()
        for syntax in syntaxes
    ]
    asked = [literal(peer.name) for peer in subject.settings.peers if peer.storage_commitment]
    return Section(
        'Activity "Receive Storage Commitment Results"',
        parts=(
            Section(
                "Description and Sequencing of Activities",
                "A peer that was asked for storage commitment reports the result by "
                "N-EVENT-REPORT, over an association that it requests or over the one on which "
                f"it was asked. Such peers here: {', '.join(asked) or 'none'}. Its result is "
                "matched with the request by Transaction UID (0008,1195) and by AE title.",
            ),
            Section(
                "Accepted Presentation Contexts",
                paragraphs(
                    "Accepted only of a peer with `storage_commitment = true`, at one of its "
                    "addresses, that proposes itself as SCP by role selection (PS3.7 D.3.3.4); "
                    "the answer to it is SCU-role 0, SCP-role 1. Any other proposal of the class "
                    "is answered with result 3 (abstract-syntax-not-supported). Of several "
                    "transfer syntaxes in one context, the first of this table is taken.",
                    table("Contexts accepted in the SCU role", columns, rows),
                ),
            ),
            Section(
                "SOP Specific Conformance for Storage Commitment Push Model SOP Class",
                _results(),
            ),
        ),
    )


def _results() -> str:
    rows = [(written(code), meaning) for code, meaning in sorted(REPORT_STATUSES.items())]
    return paragraphs(
        f"Taken are event types {ALL_COMMITTED} (all committed) and {FAILURES_EXIST} (failures "
        f"exist) on SOP instance {WELL_KNOWN_INSTANCE}. What each result leads to is told under "
        'the activity "Request Storage Commitment".',
        table("N-EVENT-REPORT response statuses", ("Status Code", "Meaning"), rows),
        "Another operation on such a context is answered with "
        f"{written(UNRECOGNIZED_OPERATION)} (unrecognized operation).",
    )


def be_verified(subject: Subject) -> Section:
    """Verification, as its SCP."""
    return Section(
        'Activity "Be Verified"',
        parts=(
            Section(
                "Description and Sequencing of Activities",
                "A peer asks by C-ECHO whether the node runs. Associations that propose nothing "
                "but Verification and reports on storage commitment are accepted under pressure, "
                "too.",
            ),
            Section(
                "Accepted Presentation Contexts",
                "Verification stands in the table of accepted presentation contexts above.",
            ),
            Section(
                "SOP Specific Conformance for Verification SOP Class",
                f"{subject.ae} is an SCP of the Verification Service Class. Every C-ECHO request "
                "on an accepted context is answered with Success (0000).",
            ),
        ),
    )
