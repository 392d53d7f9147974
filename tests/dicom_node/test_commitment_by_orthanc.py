"""Orthanc as the archive: it stores our report, and reports to our port that it keeps it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text

from dicom_node.commitment import StorageCommitment
from dicom_node.delivery import Delivery
from dicom_node.scp import start_scp
from dicom_node.settings import Peer, Settings
from dicom_node.spool import Spool
from tests.conftest import find_free_port
from tests.dicom_node.conftest import NODE
from tests.dicom_node.raw_peer import CR
from tests.dicom_node.receivers import OURS, peer_at, picture_file, report_file
from tests.dicom_node.receiving import CONTEXTS, settings_for
from tests.end_to_end.orthanc import Orthanc, orthanc_in
from tests.storage.made import queue_report


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc_in(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


@pytest.fixture
def peer(orthanc: Orthanc) -> Peer:
    return peer_at(orthanc.dicom_port, ae_title="ORTHANC", storage_commitment=True)


@pytest.fixture
def settings(orthanc: Orthanc, peer: Peer, tmp_path: Path) -> Settings:
    """Ours; Orthanc knows where to report to."""
    port = find_free_port()
    orthanc.add_modality("likeness", AET=OURS, Host="127.0.0.1", Port=port)
    return settings_for(tmp_path, port, peer)


@pytest.fixture
def commitment(engine: Engine, settings: Settings) -> StorageCommitment:
    return StorageCommitment(engine, settings, node=NODE)


@pytest.fixture
def _our_port(settings: Settings, commitment: StorageCommitment) -> Iterator[None]:
    """Heard by ``commitment``."""
    spool = Spool(settings.data_folder)
    server = start_scp(settings, CONTEXTS, spool, commitment.take)
    yield
    server.shutdown()


def _delivered(engine: Engine, settings: Settings, study: str) -> None:
    with engine.begin() as connection:
        queue_report(connection, study, report_file(study), picture_dicom=picture_file(study))
    assert Delivery(engine, settings, node=NODE).send_next()


def _row(engine: Engine) -> Row[*tuple[Any, ...]]:
    with engine.connect() as connection:
        return connection.execute(text("SELECT * FROM sends")).one()


@pytest.mark.usefixtures("_our_port")
def test_orthanc_commits_to_what_it_stored(
    engine: Engine, settings: Settings, commitment: StorageCommitment
) -> None:
    _delivered(engine, settings, "1.2.3")
    assert _row(engine).commitment == "wanted"
    assert commitment.ask_next()
    assert commitment.record_next(20)
    row = _row(engine)
    assert (row.state, row.commitment, row.reason) == ("done", "committed", None)
    assert len(row.taken) == 2


@pytest.mark.usefixtures("_our_port")
def test_orthanc_does_not_commit_to_what_it_lost(
    engine: Engine, settings: Settings, commitment: StorageCommitment, orthanc: Orthanc
) -> None:
    """It gets it again, and then commits to it."""
    _delivered(engine, settings, "1.2.4")
    lost = _row(engine).taken[1]["sop_instance_uid"]
    _, found = orthanc.ask("POST", "/tools/lookup", lost.encode())
    (instance,) = json.loads(found)
    assert orthanc.ask("DELETE", instance["Path"])[0] == 200
    assert commitment.ask_next()
    assert commitment.record_next(20)
    row = _row(engine)
    assert (row.state, row.commitment) == ("queued", "failed")
    assert row.reason.endswith(f"does not commit to {lost} (0x0112 no such object instance)")
    with engine.begin() as connection:
        connection.execute(text("UPDATE sends SET run_after = now()"))
    assert Delivery(engine, settings, node=NODE).send_next()
    assert commitment.ask_next()
    assert commitment.record_next(20)
    assert _row(engine).commitment == "committed"


@pytest.mark.usefixtures("_our_port")
def test_orthanc_gets_no_commitment_from_us(orthanc: Orthanc) -> None:
    """We are no archive."""
    asked = {"DicomInstances": [{"SOPClassUID": CR, "SOPInstanceUID": "1.2.3"}]}
    status, said = orthanc.ask(
        "POST", "/modalities/likeness/storage-commitment", json.dumps(asked).encode()
    )
    assert status == 500
    assert b"No acceptable presentation context" in said
