"""Section 4.4 of PS3.2 annex A: AE titles, peers, and every parameter with its value here.

Shown is what matters to a peer. The database's address, which may hold a password, and the places
of files on this machine are not.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel

from dicom_node.conformance.markdown import Section, literal, paragraphs, table
from dicom_node.conformance.subject import Subject
from dicom_node.settings import Peer, Settings

NOT_SET = "(not set)"
SECTIONS = (
    "dicom",
    "tls",
    "study",
    "spool",
    "pressure",
    "encoder",
    "index",
    "search",
    "volume",
    "report",
    "work",
)
"""The sections of the settings whose keys are shown."""

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "dicom.ae_title": "our AE title",
        "dicom.bind": "address of the network interface that is listened on",
        "dicom.port": "TCP port without TLS; not set: TLS only",
        "dicom.listed_peers_only": "whether only AE titles of listed peers may call",
        "dicom.check_called_ae": "whether callers must call our AE title",
        "dicom.max_associations": "associations that are accepted at once",
        "dicom.max_pdu": "bytes; the Maximum Length that is announced and enforced",
        "dicom.max_instance_mb": "10^6 bytes; the longest data set that is taken",
        "dicom.request_timeout_s": "seconds until an A-ASSOCIATE-RQ must have come",
        "dicom.idle_timeout_s": "seconds that an association may be silent",
        "tls.port": "TCP port with TLS; not set: none is opened",
        "tls.certificate": "our certificate, as receiver and as sender",
        "tls.key": "its private key",
        "tls.trusted": "the authorities that sign the certificates of peers",
        "tls.client_certificates": "whether callers must show a certificate",
        "study.close_after_s": "seconds without news after which a study is complete",
        "spool.keep_days": "days that an instance is kept after its study was worked",
        "spool.keep_gb": "10^9 bytes that instances of worked studies may take; oldest go first",
        "spool.keep_failed_days": "days that an instance is kept after its study failed",
        "pressure.min_free_gb": "10^9 bytes of free disk below which storage is refused",
        "pressure.max_queued": "waiting studies from which on storage is refused",
        "encoder.name": "what turns images into vectors that can be compared, at first",
        "encoder.weights": "its weights, where it needs some",
        "encoder.allow_pickle": "whether weights may be pickles",
        "encoder.device": "the device that it runs on",
        "encoder.threads": "its threads on a CPU; 0: one less than there are cores",
        "encoder.batch": "images that go through it together, at most",
        "encoder.batch_wait_ms": "milliseconds that an image waits for others to go with it",
        "encoder.readers": "processes that decode images; 0: by the number of cores",
        "encoder.precision": "the numbers that it computes with",
        "encoder.compile": "whether it is compiled at the start",
        "encoder.deterministic": "whether it repeats to the last bit",
        "encoder.runtime": "the library that runs it on a CPU",
        "encoder.kept_images_gb": "10^9 bytes of images kept for comparing by another encoder",
        "encoder.fetch_from": "where images come from that are needed again: a peer, or Orthanc",
        "encoder.orthanc_url": "the address of that Orthanc",
        "index.engine": "how nearest vectors are found: all looked at, a graph, cells, or a store",
        "index.precision": "of what is looked at; distances are always those of the vectors",
        "index.device": "the device that looks at all of them",
        "index.store_search": "how a store searches: all looked at, or a graph",
        "index.milvus_uri": "the address of Milvus, where that is the store",
        "index.milvus_token": "what Milvus lets us in by",
        "index.milvus_timeout_s": "seconds after which Milvus is taken not to answer",
        "index.communities": "how images are divided into communities, for who asks by them",
        "index.communities_degree": "images that one is joined with for that, on average",
        "search.k": "hits in an answer, at most",
        "search.level": "percentile that the best hit must reach for there to be an answer",
        "volume.slices": "whether CT and MR are compared by a set of slices of each series, too",
        "volume.at_most": "slices in such a set, at most",
        "volume.rerank": "studies that are put in order by their sets, at most",
        "report.sop_class": "the SOP class that reports are made in",
        "report.picture": "whether a picture is made beside each report",
        "report.privacy": "whether reports name similar studies by UID, or by case number",
        "report.keep_pictures_days": "days that a picture is kept; longer while a send needs it",
        "report.send_to": "peers that get what goes to a sender's reports_to, too",
        "work.attempts": "how often a study that fails is tried",
        "work.first_wait_s": "seconds before the second try; doubled each time",
        "work.lease_s": "seconds that a worker may hold a study",
        "work.send_attempts": "how often a report is sent before it is given up",
        "work.receiving_first": "whether intake and comparison run only on cores that are idle",
    }
)
"""What each key sets, for a reader who does not have the settings file before him."""

_MAY_HOLD_A_PASSWORD = frozenset({"encoder.orthanc_url", "index.milvus_uri", "index.milvus_token"})


def configuration(subject: Subject) -> Section:
    """How this node is set, and how a site sets it."""
    settings = subject.settings
    return Section(
        "Configuration",
        "Everything that a site sets is in one TOML file. Environment variables override its keys: "
        "`LIKENESS_DICOM_PORT` stands for `dicom.port`, and so on. Peers stand in the file only.",
        (
            Section(
                "AE Title/Presentation Address Mapping",
                parts=(
                    Section("Local AE Titles", _local(settings)),
                    Section("Remote AE Title/Presentation Address Mapping", _remote(settings)),
                ),
            ),
            Section("Parameters", _parameters(settings)),
        ),
    )


def _local(settings: Settings) -> str:
    defaults = Settings()
    row = (
        "Likeness",
        literal(settings.dicom.ae_title),
        literal(defaults.dicom.ae_title),
        literal(settings.dicom.bind),
        shown(settings.dicom.port),
        shown(settings.tls.port),
    )
    columns = ("AE", "AE Title", "Default AE Title", "Address", "TCP Port", "TCP Port with TLS")
    return table("Local AE titles", columns, [row])


def _remote(settings: Settings) -> str:
    if not settings.peers:
        return "No peer is listed in the settings."
    columns = (
        *("Peer", "AE Title", "Host", "Port", "TLS", "May Call From"),
        *("Its Studies Are For", "Reports Go To", "Storage Commitment Requested"),
    )
    return paragraphs(
        "A peer without host and port only calls. What a peer's studies are for: `index` keeps "
        "them to be found; `answer` asks with them, and keeps nothing to be found; `index and "
        "answer` does both.",
        table("Peers", columns, [_peer(settings, peer) for peer in settings.peers]),
    )


def _peer(settings: Settings, peer: Peer) -> tuple[str, ...]:
    everywhere = " (every report)" if peer.name in settings.report.send_to else ""
    return (
        literal(peer.name) + everywhere,
        literal(peer.ae_title),
        shown(peer.host or None),
        shown(peer.port or None),
        shown(peer.tls),
        shown(peer.addresses) if peer.addresses else "any address",
        literal(peer.rule),
        shown(peer.reports_to),
        shown(peer.storage_commitment),
    )


def _parameters(settings: Settings) -> str:
    defaults = Settings()
    rows = [
        (literal(key), MEANINGS.get(key, ""), _shown(key, value), shown(_value(defaults, key)))
        for key, value in _values(settings)
    ]
    columns = ("Parameter", "Meaning", "Value Here", "Default")
    return paragraphs(
        "Of keys that name a file or may hold a password only is shown whether they are set.",
        table("Parameters", columns, rows),
    )


def _values(settings: Settings) -> Iterator[tuple[str, object]]:
    for section in SECTIONS:
        fields: BaseModel = getattr(settings, section)
        for key, value in fields:
            yield f"{section}.{key}", value


def _value(settings: Settings, key: str) -> object:
    section, name = key.split(".")
    found: object = getattr(getattr(settings, section), name)
    return found


def _shown(key: str, value: object) -> str:
    return "(set)" if key in _MAY_HOLD_A_PASSWORD and value is not None else shown(value)


def shown(value: object) -> str:
    """A setting's value as a cell: a file's place is the machine's own business."""
    if value is None or value == ():
        return NOT_SET
    if isinstance(value, Path):
        return "(set)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(literal, value))
    return literal(f"{value:g}" if isinstance(value, float) else value)
