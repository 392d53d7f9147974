"""Section 8 of PS3.2 annex A: what we make, what we read, and the codes of both."""

from dicom_node.conformance import modules
from dicom_node.conformance.codes import terminology
from dicom_node.conformance.created import PRESENCE, SOURCES, attribute_table
from dicom_node.conformance.made_up import made_documents
from dicom_node.conformance.markdown import Section, bullets, paragraphs, table
from dicom_node.conformance.received import attribute_mapping, coerced, used_attributes
from dicom_node.conformance.subject import Subject, name_of
from dicom_node.report.documents import Documents

_CONFIGURED = frozenset({"StationName"})


def annexes(subject: Subject) -> Section:
    """IODs, attributes, codes and templates."""
    made = made_documents(subject.settings)
    return Section(
        "Annexes",
        parts=(
            Section(
                "IOD Contents",
                parts=(
                    _created(made),
                    used_attributes(),
                    attribute_mapping(),
                    coerced(),
                ),
            ),
            Section("Data Dictionary of Private Attributes", "No private attribute is written."),
            terminology([documents.report for documents in made]),
            Section(
                "Grayscale Image Consistency",
                "Not supported: this node displays nothing on monitors of its own.",
            ),
            Section(
                "Standard Extended/Specialized/Private SOP Classes",
                "None. What this node makes conforms to standard SOP classes.",
            ),
            Section("Private Transfer Syntaxes", "None."),
            Section("What This Node Does Not Do", _limitations()),
        ),
    )


def _created(made: tuple[Documents, ...]) -> Section:
    reports = [documents.report for documents in made]
    pictures = [documents.picture for documents in made if documents.picture is not None]
    report_class = name_of(reports[0].SOPClassUID)
    picture = "Secondary Capture Image IOD"
    return Section(
        "Created SOP Instances",
        paragraphs(
            f"For each answer a report is made, here as {report_class} (`report.sop_class`); a "
            'peer that does not accept that gets it in a plainer class (see the activity "Send '
            "Report\"). Report and picture each have a series of their own in the query's study. "
            "The tables were read off documents that this version made of made-up answers, with "
            "these settings.",
            table("Presence of values", ("Presence", "Meaning"), list(PRESENCE.items())),
            table("Sources of values", ("Source", "Meaning"), list(SOURCES.items())),
        ),
        (
            Section(
                "Structured Report IODs",
                paragraphs(
                    "Enhanced SR, Comprehensive SR and Comprehensive 3D SR have the same modules, "
                    "and this node writes the same into them but for the SOP Class UID.",
                    attribute_table(
                        "Attributes of a report",
                        reports,
                        modules.REPORT,
                        configured=_CONFIGURED | {"SOPClassUID"},
                    ),
                ),
            ),
            Section(
                picture,
                attribute_table(
                    "Attributes of a picture", pictures, modules.PICTURE, configured=_CONFIGURED
                )
                if pictures
                else "No picture is made here: `report.picture` is off.",
            ),
        ),
    )


def _limitations() -> str:
    return bullets(
        "It is no archive: no Query/Retrieve as SCP, no Storage Commitment as SCP, no Media "
        "Storage, no DICOMweb. The node's HTTP service is no part of this statement.",
        "No Modality Worklist, Modality Performed Procedure Step, Unified Procedure Step, "
        "Instance Availability Notification, Print, or Relevant Patient Information.",
        "No asynchronous operations, no extended negotiation, no user identity negotiation; "
        "role selection for Storage Commitment and C-GET only.",
        "No presentation states, segmentations, key object selections or parametric maps are "
        "made or applied.",
        "Reports are never verified, amended or attested by a person: they stay UNVERIFIED and "
        "PRELIMINARY. A later report names the earlier one as its predecessor; the earlier stays.",
        "Patients are told apart by Patient ID and Issuer of Patient ID as they were received. "
        "No merging of patients and no HL7.",
    )
