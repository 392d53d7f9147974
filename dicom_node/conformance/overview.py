"""Sections 1 to 3 of PS3.2 annex A: the overview, the table of contents, the introduction."""

from dicom_node.conformance.markdown import Section, bullets, paragraphs, table
from dicom_node.conformance.subject import Subject, name_of, roles
from dicom_node.sop_classes import STORAGE_COMMITMENT
from dicom_node.version import SOFTWARE_VERSION

_TERMS = (
    ("AE", "Application Entity: a program's end of a DICOM association"),
    ("Answer", "the studies most like one study, and how they were found"),
    ("Hit", "one similar study in an answer, of another patient"),
    ("Peer", "a remote AE that the settings list"),
    ("Prior", "another study of the same patient, listed apart from the hits"),
    ("Query", "the study that an answer is about"),
    ("Report", "the Structured Report that tells an answer, and the picture beside it"),
    ("SCP, SCU", "Service Class Provider and User: who offers a service, and who asks for it"),
    ("Spool", "where received instances lie until their study is worked"),
)

_STANDARD = (
    "NEMA PS3, Digital Imaging and Communications in Medicine (DICOM): PS3.2 Conformance, PS3.3 "
    "Information Object Definitions, PS3.4 Service Class Specifications, PS3.5 Data Structures "
    "and Encoding, PS3.6 Data Dictionary, PS3.7 Message Exchange, PS3.8 Network Communication "
    "Support, PS3.15 Security and System Management Profiles, PS3.16 Content Mapping Resource"
)
_REFERENCES = (
    _STANDARD,
    "IHE Radiology Technical Framework, AI Results (AIR)",
    "IETF BCP 195 (RFC 8996 and RFC 9325), recommendations for the secure use of TLS",
)


def overview(subject: Subject) -> Section:
    """The page for whoever wants to know whether this node fits."""
    return Section(
        "Conformance Statement Overview",
        paragraphs(
            "Likeness is a DICOM node that finds, among the studies that it has received, those "
            "that look most like a given one. It receives image studies, picks the images that "
            "stand for each, compares them with those of other patients, and sends the answer, a "
            "Structured Report with a picture beside it, into the study that was asked about.",
            "It is no archive. Received instances are kept for some days only and cannot be "
            "retrieved, and the node does not commit itself to their storage. It is not a "
            "medical device.",
            _services(subject),
            "Media interchange is not supported.",
        ),
    )


def _services(subject: Subject) -> str:
    rows = [
        (_service(entry.uid), name_of(entry.uid), entry.scu, entry.scp) for entry in roles(subject)
    ]
    columns = ("Service", "SOP Class", "User of Service (SCU)", "Provider of Service (SCP)")
    return table("Network services", columns, sorted(rows, key=lambda row: row[0]))


def _service(uid: str) -> str:
    if uid == STORAGE_COMMITMENT:
        return "Workflow management"
    if "Query/Retrieve" in name_of(uid):
        return "Query/Retrieve"
    return "Transfer" if "Storage" in name_of(uid) else "Basic"


def introduction() -> Section:
    """For whom this is written, and in what words."""
    return Section(
        "Introduction",
        parts=(
            Section(
                "Revision History",
                f"Printed by Likeness {SOFTWARE_VERSION} from the tables and settings that it runs "
                "by. Print it anew, with `likeness conformance`, after every update and every "
                "change of the settings. What changed between versions stands in CHANGELOG.md.",
            ),
            Section(
                "Audience",
                "Hospital staff, integrators and developers who connect Likeness with other "
                "systems. The reader is expected to know the DICOM standard.",
            ),
            Section("Remarks", _remarks()),
            Section(
                "Terms, Definitions and Abbreviations",
                table("Terms", ("Term", "Meaning"), _TERMS),
            ),
            Section("References", bullets(*_REFERENCES)),
        ),
    )


def _remarks() -> str:
    return paragraphs(
        "DICOM, by itself, does not guarantee that two systems work together. This statement "
        "lets a reader compare what Likeness does with what another system says of itself. "
        "Such a comparison does not replace a test of both together, and who connects them is "
        "responsible for that test.",
        "The statement has the shape of PS3.2 annex A. Its tables of SOP classes, transfer "
        "syntaxes, parameters, codes and attributes are made from those that the program uses; "
        "values that the settings give are this node's.",
    )
