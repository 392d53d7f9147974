"""What Prometheus is told, read back with Prometheus' own parser."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from dicom_node import index_progress
from dicom_node.database_metrics import BOUNDS_S, DatabaseMetrics, RisingCounts, Times
from dicom_node.index_progress import RebuildProgress
from dicom_node.metrics import Metrics, instance_outcome, metrics_of
from dicom_node.receiver_events import AssociationAccepted, AssociationEnded, InstanceAnswered
from dicom_node.spool import Spool
from dicom_node.spool_usage import SpoolUsage, Usage
from storage import figures, spaces
from tests.conftest import as_administrator
from tests.storage.laid_out import SPACE, lay_job, lay_study, lay_vectors
from tests.storage.made import NODE, NOON

NAMES = [
    "likeness_associations_open",
    "likeness_associations_total",
    "likeness_build_info",
    "likeness_database_up",
    "likeness_embeddings",
    "likeness_index_ratio",
    "likeness_instances_total",
    "likeness_quarantined_files",
    "likeness_queue_depth",
    "likeness_queue_oldest_seconds",
    "likeness_received_bytes_total",
    "likeness_sends_total",
    "likeness_spool_bytes",
    "likeness_spool_files",
    "likeness_spool_free_bytes",
    "likeness_studies",
    "likeness_time_to_searchable_seconds",
]


@pytest.fixture
def metrics(engine: Engine, tmp_path: Path) -> Metrics:
    """The metrics of a node that has received nothing."""
    return metrics_of(engine, Spool(tmp_path), node=NODE)


def _told(metrics: Metrics) -> dict[str, float]:
    """Each sample, by its name and labels as they stand in the text."""
    return {
        sample.name + "".join(f"{{{key}={value}}}" for key, value in sample.labels.items()): (
            sample.value
        )
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


# PS3.4 Table B.2-1: A7xx, A9xx, Cxxx; PS3.7 Annex C: 0110H; C.5.7: 0124H; B000H is a warning
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x0000, "success"),
        (0xA700, "out_of_resources"),
        (0xA7FF, "out_of_resources"),
        (0xA900, "mismatch"),
        (0xA9FF, "mismatch"),
        (0xC000, "cannot_understand"),
        (0xCFFF, "cannot_understand"),
        (0x0110, "processing_failure"),
        (0x0124, "other"),
        (0xA800, "other"),
        (0xB000, "other"),
    ],
)
def test_a_status_has_one_outcome(status: int, outcome: str) -> None:
    assert instance_outcome(status) == outcome


def test_the_receivers_events_are_counted(metrics: Metrics) -> None:
    for event in (
        AssociationAccepted(1, "CT1", "10.0.0.1"),
        AssociationAccepted(2, "CT1", "10.0.0.1"),
        InstanceAnswered(1, 0x0000, 500, "1.2", "a.dcm"),
        InstanceAnswered(1, 0x0000, 70, "1.2", "b.dcm"),
        InstanceAnswered(2, 0xA700, 3, "1.2", None),
        AssociationEnded(2, "timed out"),
        AssociationEnded(3, "rejected"),
    ):
        metrics.receiver.take(event)
    told = _told(metrics)
    assert told["likeness_associations_open"] == 1
    assert told["likeness_associations_total{outcome=timed_out}"] == 1
    assert told["likeness_associations_total{outcome=rejected}"] == 1
    assert told["likeness_associations_total{outcome=released}"] == 0
    assert told["likeness_instances_total{outcome=success}"] == 2
    assert told["likeness_received_bytes_total{outcome=success}"] == 570
    assert told["likeness_received_bytes_total{outcome=out_of_resources}"] == 3


def test_a_new_node_tells_every_series(metrics: Metrics) -> None:
    told = _told(metrics)
    assert told["likeness_database_up"] == 1
    assert told["likeness_queue_depth{queue=sends}{state=failed}"] == 0
    assert told["likeness_queue_oldest_seconds{queue=jobs}"] == 0
    assert told["likeness_studies{state=open}"] == 0
    assert told["likeness_sends_total{outcome=done}"] == 0
    assert told["likeness_time_to_searchable_seconds_count"] == 0
    assert told["likeness_quarantined_files"] == 0
    assert [name for name in told if name.startswith("likeness_build_info{version=")]


def test_every_name_has_help_and_type_once(metrics: Metrics) -> None:
    lines = metrics.text().decode().splitlines()
    helps = [line.split()[2] for line in lines if line.startswith("# HELP")]
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert helps == types
    assert sorted(types) == NAMES


def test_the_databases_figures_are_told(engine: Engine, metrics: Metrics) -> None:
    with engine.begin() as connection:
        lay_job(
            connection, lay_study(connection, "1.1", state="queued"), state="queued", due_in_s=-3600
        )
        lay_vectors(connection, lay_study(connection, "1.2"), NOON)
    told = _told(metrics)
    assert told["likeness_studies{state=queued}"] == 1
    assert told["likeness_queue_depth{queue=jobs}{state=queued}"] == 1
    assert told["likeness_queue_oldest_seconds{queue=jobs}"] == pytest.approx(3600, abs=60)
    assert told[f"likeness_embeddings{{space={SPACE.id}}}"] == 1


def test_a_study_is_counted_once_when_it_becomes_searchable(
    engine: Engine, metrics: Metrics
) -> None:
    with engine.begin() as connection:
        lay_vectors(connection, lay_study(connection, "1.2"), NOON + timedelta(seconds=7))
    for _ in range(2):
        told = _told(metrics)
        assert told["likeness_time_to_searchable_seconds_count"] == 1
        assert told["likeness_time_to_searchable_seconds_sum"] == 7
        assert told["likeness_time_to_searchable_seconds_bucket{le=5}"] == 0
        assert told["likeness_time_to_searchable_seconds_bucket{le=10}"] == 1


def test_what_was_searchable_before_the_start_is_not_counted(
    engine: Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        lay_vectors(connection, lay_study(connection, "1.2"), NOON)
    metrics = metrics_of(engine, Spool(tmp_path), node=NODE)
    assert _told(metrics)["likeness_time_to_searchable_seconds_count"] == 0


@contextmanager
def _database_away(engine: Engine, server_url: str) -> Iterator[None]:
    """Renames the database, so that connecting to it fails at once."""
    name = make_url(engine.url).database
    engine.dispose()
    with as_administrator(server_url) as administrator:
        administrator.execute(text(f'ALTER DATABASE "{name}" RENAME TO "{name}_away"'))
        yield
        administrator.execute(text(f'ALTER DATABASE "{name}_away" RENAME TO "{name}"'))


def test_without_the_database_the_rest_is_told(
    engine: Engine, metrics: Metrics, postgres: str
) -> None:
    metrics.receiver.take(InstanceAnswered(1, 0x0000, 500, "1.2", "a.dcm"))
    with _database_away(engine, postgres):
        told = _told(metrics)
    assert told["likeness_database_up"] == 0
    assert told["likeness_instances_total{outcome=success}"] == 1
    assert "likeness_spool_free_bytes" in told
    assert not [name for name in told if name.startswith("likeness_studies")]
    assert _told(metrics)["likeness_database_up"] == 1


def test_a_scrape_goes_on_without_a_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.database_metrics.LONGEST_WAIT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and never says a word
        port = silent.getsockname()[1]
        engine = create_engine(f"postgresql+psycopg2://somebody@127.0.0.1:{port}/likeness")
        database = DatabaseMetrics(figures.looking_engine(engine), node=NODE)
        for _ in range(2):
            [family] = database.collect()
            assert [(sample.name, sample.value) for sample in family.samples] == [
                ("likeness_database_up", 0)
            ]


def test_a_bucket_counts_what_does_not_exceed_its_bound() -> None:
    times = Times()
    times.observe([0.5, 0.51, 99_999])
    counts = {
        sample.labels["le"]: sample.value
        for sample in times.family("a_seconds", "").samples
        if sample.name == "a_seconds_bucket"
    }
    assert len(counts) == len(BOUNDS_S) + 1
    assert (counts["0.5"], counts["1"], counts["14400"], counts["+Inf"]) == (1, 2, 2, 3)


def test_a_counter_of_rows_never_falls() -> None:
    counts = RisingCounts(["done", "failed"])
    told = []
    for failed in (3, 2, 2, 4):  # one was retried, then two more failed
        counts.see({"failed": failed})
        told.append([sample.value for sample in counts.family("a_total", "").samples])
    assert told == [[0, 3], [0, 3], [0, 3], [0, 5]]


def test_the_spool_is_measured(tmp_path: Path, engine: Engine) -> None:
    spool = Spool(tmp_path)
    spool.put(b"12345")
    spool.put(b"123")
    spool.quarantine(spool.put(b"1"), "made")
    told = _told(metrics_of(engine, spool, node=NODE))
    assert told["likeness_spool_files"] == 2
    assert told["likeness_spool_bytes"] == 8
    assert told["likeness_quarantined_files"] == 1
    disk = os.statvfs(tmp_path)
    assert told["likeness_spool_free_bytes"] == pytest.approx(
        disk.f_bavail * disk.f_frsize, rel=0.1
    )


def _settle(folder: Path) -> None:
    """Lets the last change of a folder lie an hour back."""
    an_hour_ago = time.time() - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago))


def test_a_day_is_measured_again_only_if_its_folder_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.spool_usage.SHARE", float("inf"))  # look each time
    usage = SpoolUsage(tmp_path)
    day = tmp_path / "20260301"
    day.mkdir()
    (day / "a.dcm").write_bytes(b"123")
    _settle(day)
    assert usage.look() == Usage(1, 3)
    (day / "a.dcm").write_bytes(b"12345")  # never done to a spooled file: it shows who looked
    assert usage.look() == Usage(1, 3)
    (day / "b.dcm").write_bytes(b"1")
    assert usage.look() == Usage(2, 6)
    (day / "a.dcm").unlink()
    (day / "b.dcm").unlink()
    day.rmdir()
    assert usage.look() == Usage(0, 0)


def test_how_far_the_index_is_is_told_while_it_is_rebuilt(
    engine: Engine, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_progress, "TELL_S", 0.0)
    with engine.begin() as connection:
        spaces.use(connection, SPACE)
    with RebuildProgress(engine, SPACE.id, NODE, threading.Event()) as progress:
        progress.reading(1, 4)
        assert _told(metrics)["likeness_index_ratio"] == 0.25
    assert _told(metrics)["likeness_index_ratio"] == 1
