"""Section 4 of PS3.2 annex A: the implementation model, our AE, interfaces, configuration."""

from pynetdicom import AE

from dicom_node.conformance.acceptance import acceptance
from dicom_node.conformance.configuration import configuration
from dicom_node.conformance.initiation import initiation
from dicom_node.conformance.markdown import Section, literal, paragraphs, table
from dicom_node.conformance.subject import Subject, name_of, roles
from dicom_node.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.version import SOFTWARE_VERSION

_FLOW = """\
```
  real world               Likeness AE                                     remote AEs
                      +---------------------------+
                      | Receive Images       <----|------- C-STORE -------- modality, archive
                      |   |                       |
                      |   v                       |
                      | spool: study is complete  |
                      |   |                       |
                      |   v                       |
                      | compare, make report      |
                      |   |                       |
                      |   v                       |
 operator asks -------> Send Report          -----|------- C-STORE -------> archive, workstation
                      |   |                       |
                      |   v                       |
                      | Request Storage           |
                      |   Commitment         -----|------- N-ACTION ------> archive
                      | Receive Storage           |
                      |   Commitment Results <----|--- N-EVENT-REPORT ----- archive
                      |                           |
                      | Retrieve Images      <----|---- C-GET, C-MOVE ----- archive
                      | Be Verified          <----|------- C-ECHO --------- any peer
 operator asks -------> Verify Peer          -----|------- C-ECHO --------> any peer
                      +---------------------------+
                            DICOM standard interface
```"""

_RETRIEVE = """\
                      | Retrieve Images      <----|---- C-GET, C-MOVE ----- archive
"""
"""Of the flow above, where images are fetched."""

_SEQUENCE = """\
```
 sender              Likeness                archive
   |-- C-STORE ----->|                       |
   |<---- 0000 ------|  (durable)            |
   |      ...        |                       |
   |                 |  nothing more came:   |
   |                 |  study is complete,   |
   |                 |  compared, reported   |
   |                 |-- C-STORE report ---->|
   |                 |-- C-STORE picture --->|
   |                 |-- N-ACTION ---------->|  (where it is asked)
   |                 |<-- N-EVENT-REPORT ----|  (later, mostly over
   |                 |                       |   an association of its own)
```"""


def networking(subject: Subject) -> Section:
    """Everything about DICOM on the network."""
    return Section(
        "Networking",
        parts=(
            _model(subject),
            Section("AE Specifications", parts=(_our_ae(subject),)),
            _interfaces(subject),
            configuration(subject),
        ),
    )


def _model(subject: Subject) -> Section:
    return Section(
        "Implementation Model",
        parts=(
            Section(
                "Application Data Flow",
                paragraphs(
                    f"One Application Entity, {subject.ae}, does all that this statement tells.",
                    _FLOW.replace(_RETRIEVE, "" if subject.retrieval is None else _RETRIEVE),
                ),
            ),
            Section(
                "Functional Definition of AEs",
                parts=(
                    Section(
                        f"Functional Definition of Likeness AE ({subject.ae})",
                        "It waits for associations on its TCP ports for as long as it runs. "
                        "Received instances are written into the spool; when their study is "
                        "complete, representative images are chosen and compared with those of "
                        "other patients. Where the settings name somebody who is to have the "
                        "answer, a report is made and sent until it is stored there, and the "
                        "receiver is asked for storage commitment where the settings say so.",
                    ),
                ),
            ),
            Section(
                "Sequencing of Real-World Activities",
                paragraphs(
                    _SEQUENCE,
                    "The order within a study is always this one. Studies do not wait for each "
                    "other, and several senders are received at once.",
                ),
            ),
        ),
    )


def _our_ae(subject: Subject) -> Section:
    return Section(
        f"Likeness AE Specification ({subject.ae})",
        parts=(
            Section("SOP Classes", _sop_classes(subject)),
            Section("Association Policies", parts=_policies(subject)),
            initiation(subject),
            acceptance(subject),
        ),
    )


def _sop_classes(subject: Subject) -> str:
    rows = [(name_of(entry.uid), *entry) for entry in roles(subject)]
    return paragraphs(
        "This AE conforms to the following standard SOP classes:",
        table("SOP classes", ("SOP Class Name", "SOP Class UID", "SCU", "SCP"), rows),
    )


def _policies(subject: Subject) -> tuple[Section, ...]:
    dicom = subject.settings.dicom
    general = [
        ("Application Context Name", "1.2.840.10008.3.1.1.1"),
        ("Maximum PDU length announced as acceptor", literal(f"{dicom.max_pdu} bytes")),
        (
            "Maximum PDU length announced as initiator",
            literal(f"{AE().maximum_pdu_size} bytes"),
        ),
    ]
    numbers = [
        ("As initiator: Send Report", literal(1)),
        ("As initiator: Request Storage Commitment", literal(1)),
        *([("As initiator: Retrieve Images", literal(1))] if subject.retrieval else []),
        ("As initiator: Verify Peer", "one for each operator who asks"),
        ("As acceptor (`dicom.max_associations`)", literal(dicom.max_associations)),
    ]
    identity = [
        ("Implementation Class UID", literal(IMPLEMENTATION_CLASS_UID)),
        ("Implementation Version Name", literal(IMPLEMENTATION_VERSION_NAME)),
    ]
    return (
        Section(
            "General",
            paragraphs(
                table("General policies", ("Policy", "Value"), general),
                "PDUs longer than the peer announced are never sent.",
            ),
        ),
        Section(
            "Number of Associations",
            table("Associations at once, at most", ("Activity", "Number"), numbers),
        ),
        Section(
            "Asynchronous Nature",
            "Asynchronous operations are not supported: one operation is outstanding at a time. "
            "The Asynchronous Operations Window is neither proposed nor answered.",
        ),
        Section(
            "Implementation Identifying Information",
            paragraphs(
                table("Implementation identity", ("Item", "Value"), identity),
                "The class UID is the same for every Likeness node; the version name follows the "
                f"version of the software, here {SOFTWARE_VERSION}.",
            ),
        ),
    )


def _interfaces(subject: Subject) -> Section:
    fetches = subject.settings.encoder.fetch_from == "orthanc"
    return Section(
        "Network Interfaces",
        parts=(
            Section(
                "Physical Network Interface",
                "Whatever the operating system offers for TCP/IP; IPv4 and IPv6. On connections "
                "that are accepted and requested, segments are sent without delay (TCP_NODELAY).",
            ),
            Section(
                "Additional Protocols",
                paragraphs(
                    "Host names of peers are resolved as the operating system is set (DNS). DHCP, "
                    "NTP and LDAP are left to the operating system; the configuration management "
                    "profiles of PS3.15 are not supported.",
                    "Images that are needed again are fetched from an Orthanc server over its "
                    "REST interface (HTTP)."
                    if fetches
                    else "",
                ),
            ),
        ),
    )
