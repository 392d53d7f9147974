"""What Prometheus is told: the receiver's counts, the spool's size, the database's figures."""

import logging
import shutil
import threading
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from sqlalchemy import Engine

from dicom_node.database_metrics import DatabaseMetrics
from dicom_node.receiver_events import (
    OUTCOMES,
    AssociationAccepted,
    AssociationEnded,
    Event,
    InstanceAnswered,
)
from dicom_node.spool import Spool
from dicom_node.spool_usage import SpoolUsage
from dicom_node.version import SOFTWARE_VERSION
from storage import figures

log = logging.getLogger(__name__)

OTHER = "other"
INSTANCE_OUTCOMES = (
    "success",
    "out_of_resources",
    "mismatch",
    "cannot_understand",
    "processing_failure",
    OTHER,
)
"""What a C-STORE's status says, in one word."""

MEASURE_WAIT_S = 1.0
"""How long a scrape waits for another that measures the spool, before it does without."""

_SUCCESS = 0x0000
_PROCESSING_FAILURE = 0x0110  # PS3.7 Annex C
_FAMILIES = {0xA7: "out_of_resources", 0xA9: "mismatch"}


def instance_outcome(status: int) -> str:
    """The outcome that a C-STORE status (PS3.4 Table B.2-1, PS3.7 C.5) stands for."""
    if status == _SUCCESS:
        return "success"
    if status == _PROCESSING_FAILURE:
        return "processing_failure"
    if status >> 12 == 0xC:
        return "cannot_understand"
    return _FAMILIES.get(status >> 8, OTHER)


class ReceiverMetrics:
    """Counts what the receiving process tells.

    One thread tells, others read. The keys are all there from the start, so that reading never
    meets a dictionary that grows, and a rate starts from a 0 that was seen.
    """

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._associations = dict.fromkeys((*OUTCOMES, OTHER), 0)
        self._instances = dict.fromkeys(INSTANCE_OUTCOMES, 0)
        self._bytes = dict.fromkeys(INSTANCE_OUTCOMES, 0)

    def take(self, event: Event) -> None:
        """Counts one event."""
        match event:
            case AssociationAccepted():
                self._open.add(event.association)
            case AssociationEnded():
                self._open.discard(event.association)
                outcome = event.outcome if event.outcome in self._associations else OTHER
                self._associations[outcome] += 1
            case InstanceAnswered():
                outcome = instance_outcome(event.status)
                self._instances[outcome] += 1
                self._bytes[outcome] += event.size_bytes

    def collect(self) -> Iterator[Metric]:
        """The metrics, as ``CollectorRegistry`` asks for them."""
        yield _by_outcome(
            "likeness_associations_total",
            "Associations ended, by how; those refused are rejected.",
            {outcome.replace(" ", "_"): count for outcome, count in self._associations.items()},
        )
        yield GaugeMetricFamily(
            "likeness_associations_open", "Associations established now.", len(self._open)
        )
        yield _by_outcome("likeness_instances_total", "C-STORE requests answered.", self._instances)
        yield _by_outcome(
            "likeness_received_bytes_total",
            "Bytes of the data sets of C-STORE requests answered.",
            self._bytes,
        )


def _by_outcome(name: str, help_text: str, counts: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=["outcome"])
    for outcome, count in counts.items():
        family.add_metric([outcome], count)
    return family


class SpoolMetrics:
    """The size of the spool and of the quarantine, and what is left of the disk."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._usage = SpoolUsage(spool.folder)
        self._one_at_a_time = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """The metrics; none while the disk cannot be read or is still being measured."""
        if not self._one_at_a_time.acquire(timeout=MEASURE_WAIT_S):
            return
        try:
            yield from self._measured()
        except OSError as fault:
            log.error("the spool %s cannot be measured: %s", self._spool.folder, fault.strerror)
        finally:
            self._one_at_a_time.release()

    def _measured(self) -> list[Metric]:
        usage = self._usage.look()
        quarantined = sum(1 for _ in self._spool.quarantine_folder.glob("*.json"))
        free = shutil.disk_usage(self._spool.folder).free
        return [
            GaugeMetricFamily("likeness_spool_files", "Files in the spool.", usage.files),
            GaugeMetricFamily("likeness_spool_bytes", "Bytes in the spool.", usage.size_bytes),
            GaugeMetricFamily(
                "likeness_spool_free_bytes", "Bytes free on the disk of the spool.", free
            ),
            GaugeMetricFamily(
                "likeness_quarantined_files", "Files set aside with a reason.", quarantined
            ),
        ]


class BuildMetrics:
    """Which version runs."""

    def collect(self) -> Iterator[Metric]:
        """The metric."""
        yield InfoMetricFamily(
            "likeness_build", "The version that runs.", {"version": SOFTWARE_VERSION}
        )


class Metrics:
    """All metrics of one node, in a registry of their own."""

    def __init__(self, spool: Spool, database: DatabaseMetrics) -> None:
        self.receiver = ReceiverMetrics()
        self._registry = CollectorRegistry(auto_describe=False)
        for part in (BuildMetrics(), self.receiver, SpoolMetrics(spool), database):
            self._registry.register(part)

    def text(self) -> bytes:
        """Everything in Prometheus' text format 0.0.4; asks the database and the disk."""
        return generate_latest(self._registry)


def metrics_of(engine: Engine, spool: Spool, *, node: str) -> Metrics:
    """The node's metrics; times to searchable are those of studies embedded from now on."""
    database = DatabaseMetrics(figures.looking_engine(engine), node=node)
    database.collect()  # the first look only says where to go on from
    return Metrics(spool, database)
