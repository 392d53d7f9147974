"""Everything a site sets, frozen; ``dicom_node.settings_file`` reads it."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from storage.vectors.choice import Choice, Kind, Precision


def _ae_title(value: str) -> str:
    """PS3.5 6.2, VR AE: 1 to 16 printable ASCII characters, no backslash; padding is dropped."""
    stripped = value.strip()
    if not 1 <= len(stripped) <= 16:
        raise ValueError("an AE title has 1 to 16 characters")
    if not stripped.isascii() or not stripped.isprintable() or "\\" in stripped:
        raise ValueError("an AE title holds printable ASCII characters, without a backslash")
    return stripped


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


AETitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=1, le=65535)]
NotSet = BeforeValidator(_none_if_empty)
"""TOML has no null: an empty text stands for a key that is not set."""


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError as fault:
        raise ValueError(f"{value!r} is no IP address or network, such as 10.1.2.0/24") from fault


Network = Annotated[str, AfterValidator(_network)]


def _http_url(value: str) -> str:
    """The message never repeats the value, which may hold a password."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("is no address such as https://orthanc.example:8042")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]


def _milvus_uri(value: str) -> str:
    """A file would be Milvus Lite's, which one process at a time opens; a node has several."""
    try:
        return _http_url(value)
    except ValueError as fault:
        raise ValueError("is no address such as http://milvus.example:19530") from fault


MilvusUri = Annotated[str, AfterValidator(_milvus_uri)]
Rule = Literal["index", "answer", "index and answer"]
"""What is done with the studies of a peer: kept to be found, answered with a report, or both."""


class Section(BaseModel):
    """Frozen, and a key that it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DicomSettings(Section):
    """The door: who we are on the DICOM network, whom we let in, and how much of it.

    ``port`` is None where only TLS is spoken. ``max_pdu`` is the longest P-DATA-TF that we take,
    in bytes; the two timeouts bound the wait for an A-ASSOCIATE-RQ (ARTIM, PS3.8 9.1.5) and the
    silence within an association.
    """

    ae_title: AETitle = "LIKENESS"
    bind: str = "127.0.0.1"
    port: Annotated[Port | None, NotSet] = 11112
    listed_peers_only: bool = False
    check_called_ae: bool = True
    max_associations: int = Field(default=100, ge=1, le=1000)
    max_pdu: int = Field(default=131_072, ge=4096, le=1 << 24)
    max_instance_mb: float = Field(default=4096, gt=0)
    request_timeout_s: float = Field(default=30, ge=0.1)
    idle_timeout_s: float = Field(default=300, ge=0.1)

    @model_validator(mode="after")
    def _no_open_door(self) -> Self:
        if not self.listed_peers_only and not _is_loopback(self.bind):
            raise ValueError(
                "listening beyond this machine needs listed_peers_only = true, "
                "and a [[peers]] entry for each sender"
            )
        return self


class TlsSettings(Section):
    """DICOM over TLS, as BCP 195 asks (PS3.15 B.12): off until ``port`` is set.

    ``certificate`` and ``key`` are ours, ``trusted`` the authorities that sign those of peers,
    all PEM files. The same are used where a report goes to a peer with ``tls = true``.
    """

    port: Annotated[Port | None, NotSet] = None
    certificate: Annotated[Path | None, NotSet] = None
    key: Annotated[Path | None, NotSet] = None
    trusted: Annotated[Path | None, NotSet] = None
    client_certificates: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.port is not None and (self.certificate is None or self.key is None):
            raise ValueError("a TLS port needs tls.certificate and tls.key")
        if self.port is not None and self.client_certificates and self.trusted is None:
            raise ValueError(
                "tls.trusted: name the authority that signs your peers' certificates, "
                "or set tls.client_certificates = false to encrypt only"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class StudySettings(Section):
    """When a study is taken to be complete."""

    close_after_s: float = Field(default=30.0, ge=0.1, le=86_400)


class SpoolSettings(Section):
    """How long a received file is kept once its study is embedded, or could not be.

    ``keep_gb`` bounds the files of embedded studies by size, oldest first; None does not.
    """

    keep_days: float = Field(default=7, ge=0)
    keep_gb: Annotated[float | None, NotSet] = Field(default=None, ge=0)
    keep_failed_days: float = Field(default=30, ge=0)


class PressureSettings(Section):
    """When the node asks its senders to come back later (transient refusal, 0xA700)."""

    min_free_gb: float = Field(default=2, ge=0)
    max_queued: int = Field(default=10_000, ge=1)


class HttpSettings(Section):
    """Where the node speaks HTTP: answers, pages, reports, metrics. Port None: nowhere.

    Callers show a token (``likeness token create``); with ``loopback_without_token`` those on this
    machine need none. ``certificate`` and ``key`` (PEM files) make it HTTPS.
    """

    bind: str = "127.0.0.1"
    port: Annotated[Port | None, NotSet] = 11180
    loopback_without_token: bool = False
    certificate: Annotated[Path | None, NotSet] = None
    key: Annotated[Path | None, NotSet] = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("HTTPS needs http.certificate and http.key")
        return self

    @property
    def is_readable_on_the_network(self) -> bool:
        """True if tokens and images would cross a network unencrypted."""
        return self.certificate is None and not _is_loopback(self.bind)


class PageSettings(Section):
    """What a reader's page looks like at first; a reader may choose otherwise in the browser."""

    theme: Literal["dark", "light"] = "dark"
    scores: bool = True


class EncoderSettings(Section):
    """What turns images into vectors, and how fast.

    ``name`` and ``weights`` are what a new archive starts with; afterwards ``likeness encoders
    add`` changes over. ``batch_wait_ms`` is how long an image waits for others to share its
    forward pass, ``readers`` how many processes decode (0: one for each core but one, at most 8).
    ``kept_images_gb`` bounds the images kept for embedding again, the oldest go first; 0 keeps
    none. ``fetch_from`` names the peer, or "orthanc" the server at ``orthanc_url``, that images
    come from which are neither in the spool nor kept.
    """

    name: str = "baseline"
    weights: Annotated[Path | None, NotSet] = None
    allow_pickle: bool = False
    device: str = "auto"
    threads: int = Field(default=0, ge=0)
    batch: int = Field(default=32, ge=1, le=4096)
    batch_wait_ms: float = Field(default=20, ge=0, le=10_000)
    readers: int = Field(default=0, ge=0, le=64)
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    deterministic: bool = False
    runtime: Literal["torch", "openvino"] = "torch"
    kept_images_gb: float = Field(default=20, ge=0)
    fetch_from: Annotated[str | None, NotSet] = None
    orthanc_url: Annotated[HttpUrl | None, NotSet] = None


class SearchSettings(Section):
    """How many hits an answer holds, and the percentile that the best of them must reach.

    The default turns away little more than noise, so that a young archive answers at all; one of
    some hundred studies is better served by 75 to 90 (docs/benchmarks.md, "Abstention").
    """

    k: int = Field(default=10, ge=1, le=100)
    level: float = Field(default=20.0, ge=0, le=100)


class VolumeSettings(Section):
    """What is kept of a CT or MR series, and whether studies are compared slice by slice.

    With ``slices`` "set", up to ``at_most`` slices of each series are embedded and kept beside the
    vector of the middle one, and of the ``rerank`` studies whose middle slices are most similar
    those with such a set are put in the order of their slices' likeness; 0 only keeps the sets.
    """

    slices: Literal["middle", "set"] = "middle"
    at_most: int = Field(default=32, ge=2, le=1024)
    rerank: int = Field(default=50, ge=0, le=1000)

    @property
    def spread_over(self) -> int:
        """How many slices of a series go into its set; 0: there is none."""
        return self.at_most if self.slices == "set" else 0

    @property
    def reranked(self) -> int:
        """How many studies are compared slice by slice."""
        return self.rerank if self.slices == "set" else 0


class ReportSettings(Section):
    """What a report is: its SOP class, whether a picture goes with it, and whom it may name.

    ``privacy`` "identified" names similar studies by their UIDs and dates; "pseudonymous" gives
    them case numbers, no UIDs and no dates (``likeness case`` finds them again). ``send_to`` names
    peers that get what goes to a sender's ``reports_to``, too. A picture is some MB large: it goes
    from the database ``keep_pictures_days`` after it was made, once no send needs it.
    """

    sop_class: Literal["comprehensive 3d", "comprehensive", "enhanced"] = "comprehensive 3d"
    picture: bool = True
    keep_pictures_days: float = Field(default=7, ge=0)
    privacy: Literal["identified", "pseudonymous"] = "identified"
    send_to: tuple[str, ...] = ()


class IndexSettings(Section):
    """What finds the nearest vectors. ``engine`` looks at all of them ("exact"), along a graph of
    neighbours ("hnsw") or in the nearest cells ("ivf"); ``precision`` is that of what is looked at.
    Distances are always those of the vectors themselves.

    With "pgvector" and "milvus" the vectors lie in a store, PostgreSQL's or Milvus, and
    ``store_search`` says how that searches. ``device`` "cuda" has "exact" search on a GPU.

    ``communities`` names the method by which the index is divided into communities, for questions
    that ask to be searched by them, ``communities_degree`` how many others a vector is joined with
    on average.
    """

    engine: Literal["exact", "hnsw", "ivf", "pgvector", "milvus"] = "exact"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    device: Literal["cpu", "cuda"] = "cpu"
    store_search: Literal["exact", "hnsw"] = "exact"
    milvus_uri: Annotated[MilvusUri | None, NotSet] = None
    milvus_token: Annotated[str | None, NotSet] = None
    milvus_timeout_s: float = Field(default=30, ge=0.1, le=600)
    communities: Literal["off", "louvain", "leiden"] = "off"
    communities_degree: float = Field(default=50, ge=1, le=10_000)

    @property
    def is_store(self) -> bool:
        """Whether the vectors lie in another program."""
        return self.engine in {"pgvector", "milvus"}

    @property
    def choice(self) -> Choice:
        """How is searched, and in what precision."""
        kind = self.store_search if self.is_store else self.engine
        return Choice(Kind(kind), Precision(self.precision))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for wrong, what in (
            (self.engine == "milvus" and self.milvus_uri is None, '"milvus" needs milvus_uri'),
            (
                self.engine == "milvus" and self.precision != "fp32",
                '"milvus" goes with precision = "fp32"',
            ),
            (
                self.engine == "pgvector" and self.precision == "int8",
                '"pgvector" goes with precision "fp32" or "fp16"',
            ),
            (
                self.is_store and self.store_search == "exact" and self.precision != "fp32",
                f'"{self.engine}" has precision = "fp16" only with store_search = "hnsw"',
            ),
            (
                self.device == "cuda" and (self.is_store or self.choice != Choice()),
                'device = "cuda" goes with engine "exact" and precision "fp32"',
            ),
            (
                self.is_store and self.communities != "off",
                f'communities go with "exact", "hnsw" and "ivf", not with "{self.engine}"',
            ),
        ):
            if wrong:
                raise ValueError(f"index.engine: {what}")
        return self


class WorkSettings(Section):
    """How often work and sends are tried, and how long a worker may hold a study.

    ``receiving_first`` has intake and worker run only on cores that would be idle otherwise: for
    hosts that receive in floods. Off by default, for answers then wait for whatever keeps all
    cores busy.
    """

    attempts: int = Field(default=3, ge=1)
    first_wait_s: float = Field(default=5.0, ge=0)
    lease_s: float = Field(default=300.0, gt=0)
    send_attempts: int = Field(default=12, ge=1)
    receiving_first: bool = False


class Peer(Section):
    """A remote Application Entity. ``reports_to`` names the peer that gets its answers.

    A peer that only sends needs neither host nor port. ``addresses`` are those that it may call
    from, any if empty. ``tls`` says that it is to be called over TLS, ``storage_commitment`` that
    it is asked to keep for good what it stored of ours (PS3.4 annex J), ``retrieve`` how images
    come from it where ``encoder.fetch_from`` names it (PS3.4 annex C).
    """

    name: str = Field(min_length=1)
    ae_title: AETitle
    host: str = ""
    port: int = Field(default=0, ge=0, le=65535)
    tls: bool = False
    retrieve: Literal["c-get", "c-move"] = "c-get"
    addresses: tuple[Network, ...] = ()
    rule: Rule = "index and answer"
    reports_to: str | None = None
    storage_commitment: bool = False

    @model_validator(mode="after")
    def _answers_go_somewhere(self) -> Self:
        if self.rule == "index" and self.reports_to is not None:
            raise ValueError(f'{self.name!r}: reports_to needs a rule with "answer" in it')
        return self

    def may_call_from(self, address: str) -> bool:
        """Whether the peer is listed for this address; an IPv4 one may come mapped into IPv6."""
        called_from = ip_address(address)
        called_from = getattr(called_from, "ipv4_mapped", None) or called_from
        return not self.addresses or any(
            called_from in ip_network(network) for network in self.addresses
        )

    @property
    def has_address(self) -> bool:
        """True if we can open an association with it."""
        return bool(self.host and self.port)


class Settings(Section):
    """The whole of it. Relative paths count from the folder of the settings file."""

    data_folder: Path = Path.home() / ".local/share/likeness"
    database_url: Annotated[str | None, NotSet] = None
    dicom: DicomSettings = DicomSettings()
    tls: TlsSettings = TlsSettings()
    http: HttpSettings = HttpSettings()
    page: PageSettings = PageSettings()
    study: StudySettings = StudySettings()
    spool: SpoolSettings = SpoolSettings()
    pressure: PressureSettings = PressureSettings()
    encoder: EncoderSettings = EncoderSettings()
    index: IndexSettings = IndexSettings()
    search: SearchSettings = SearchSettings()
    volume: VolumeSettings = VolumeSettings()
    report: ReportSettings = ReportSettings()
    work: WorkSettings = WorkSettings()
    peers: tuple[Peer, ...] = ()

    @model_validator(mode="after")
    def _somebody_is_listed(self) -> Self:
        # pynetdicom takes an empty list of calling AE titles to mean that all may call
        if self.dicom.listed_peers_only and not self.peers:
            raise ValueError(
                "dicom.listed_peers_only: needs a [[peers]] entry for each sender; there is none"
            )
        return self

    @model_validator(mode="after")
    def _some_door_is_open(self) -> Self:
        if self.dicom.port is None and self.tls.port is None:
            raise ValueError("dicom.port: set it or tls.port; the node would listen nowhere")
        if any(peer.tls for peer in self.peers) and self.tls.trusted is None:
            raise ValueError("tls.trusted: needed to call peers with tls = true")
        return self

    @model_validator(mode="after")
    def _peers_fit_together(self) -> Self:
        names = [peer.name for peer in self.peers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"peers: the name {', '.join(twice)} is given twice")
        for peer in self.peers:
            if peer.reports_to is not None:
                self._must_be_reachable(f"peers: {peer.name!r} reports to", peer.reports_to)
        for name in self.report.send_to:
            self._must_be_reachable("report.send_to: reports go to", name)
        if self.encoder.fetch_from is not None and self.encoder.fetch_from != "orthanc":
            self._must_be_reachable("encoder.fetch_from: images come from", self.encoder.fetch_from)
        if self.encoder.fetch_from == "orthanc" and self.encoder.orthanc_url is None:
            raise ValueError('encoder.fetch_from = "orthanc" needs encoder.orthanc_url')
        return self

    def _must_be_reachable(self, who: str, name: str) -> None:
        receiver = self.peer_named(name)
        if receiver is None:
            raise ValueError(f"{who} {name!r}, which is no peer's name")
        if not receiver.has_address:
            raise ValueError(f"{who} {name!r}, which lacks host or port")

    @property
    def index_folder(self) -> Path:
        """Where the snapshots of the index lie."""
        return self.data_folder / "index"

    @property
    def weights_folder(self) -> Path:
        """Where fetched weights and their lock lie."""
        return self.data_folder / "weights"

    @property
    def kept_images_folder(self) -> Path:
        """Where images lie that are kept for embedding again."""
        return self.data_folder / "images"

    def peer_named(self, name: str) -> Peer | None:
        """The peer of that name in the settings."""
        return next((peer for peer in self.peers if peer.name == name), None)

    @property
    def fetches_by_move(self) -> bool:
        """Whether images that are gone come back through our own door, by C-MOVE."""
        peer = None if self.encoder.fetch_from is None else self.peer_named(self.encoder.fetch_from)
        return peer is not None and peer.retrieve == "c-move"

    def receiver_of_reports(self, calling_ae: str) -> Peer | None:
        """Who gets the answer to what ``calling_ae`` sent; None if nobody is to."""
        caller = self.peer_calling(calling_ae)
        if caller is None or caller.reports_to is None:
            return None
        return self.peer_named(caller.reports_to)

    def peer_calling(self, calling_ae: str) -> Peer | None:
        """The peer of that AE title; None if none is listed."""
        return next((peer for peer in self.peers if peer.ae_title == calling_ae), None)

    def indexes(self, calling_ae: str) -> bool:
        """Whether studies from ``calling_ae`` are kept to be found; an unlisted AE's are."""
        caller = self.peer_calling(calling_ae)
        return caller is None or caller.rule != "answer"
