"""A node's working half in this process: what it received is recorded, closed and worked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import Engine, Row, text

from dicom_node.received import read_received
from dicom_node.retention import Retention
from dicom_node.settings import Peer, Settings, SpoolSettings
from dicom_node.spool import file_meta
from dicom_node.worker import Worker
from dicom_node.worker_loop import WorkerLoop
from dicom_node.worker_process import start_worker
from storage import embeddings, reports, studies
from storage.queue import JOBS
from storage.studies import Recorded
from tests.dicom_node.objects import STUDY, encoded, radiograph
from tests.storage.made import row_of

PEERS = (
    Peer(name="ct", ae_title="CT1", reports_to="pacs"),
    Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=1, rule="index"),
    Peer(name="ws", ae_title="WS1", rule="answer", reports_to="pacs"),
)


@dataclass(frozen=True)
class WorkedNode:
    """A worker, and the ways to it and from it that need no other process."""

    engine: Engine
    worker: Worker
    loop: WorkerLoop

    def receive(self, dataset: Dataset, calling: str = "CT1") -> Recorded:
        """Puts an object into the spool as the SCP does, and records it."""
        spool = self.worker.spool
        meta = file_meta(
            sop_class_uid=dataset.SOPClassUID,
            sop_instance_uid=dataset.SOPInstanceUID,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            calling_ae=calling,
        )
        name = spool.put(meta, encoded(dataset))
        received = read_received(spool.path(name), name)
        with self.engine.begin() as connection:
            return studies.record(connection, received, received_by=self.worker.node)

    def close(self, *uids: str) -> None:
        """Closes studies by hand: that of the tests' objects if none is named."""
        with self.engine.begin() as connection:
            for uid in uids or (STUDY,):
                assert studies.close_now(connection, uid)

    def claim(self) -> Row[*tuple[Any, ...]]:
        """Claims a job as a worker does."""
        with self.engine.begin() as connection:
            job = JOBS.claim(connection, node=self.worker.node, lease_s=60)
        assert job is not None
        return job

    def work(self, *uids: str) -> None:
        """Closes studies and works until nothing is left to do."""
        self.close(*uids)
        while self.loop.work_next():
            pass

    def sweep(self, **settings: Any) -> int:
        """Removes files by the retention rules."""
        rule = SpoolSettings(**settings)
        retention = Retention(self.engine, self.worker.spool, rule, node=self.worker.node)
        return retention.sweep_once()

    def state(self, uid: str = STUDY) -> tuple[str, str]:
        """A study's state and the reason for it."""
        with self.engine.connect() as connection:
            found = studies.state_of(connection, uid)
        assert found is not None
        return found.state, found.reason or ""

    def vectors(self, uid: str = STUDY) -> dict[str, int]:
        """A study's live vectors: their rows by SOP Instance UID."""
        with self.engine.connect() as connection:
            stored = embeddings.of_study(
                connection, space_id=self.worker.space.id, study_id=row_of(connection, uid)
            )
        return {entry.image.sop_instance_uid: entry.id for entry in stored}

    def report(self, uid: str = STUDY) -> bytes | None:
        """The newest report on a study."""
        with self.engine.connect() as connection:
            found = reports.latest(connection, row_of(connection, uid))
            return None if found is None else reports.file_of(connection, found.id)

    def sent_to(self) -> list[str]:
        """The peers for which reports are queued, in order."""
        with self.engine.connect() as connection:
            return list(connection.execute(text("SELECT peer FROM sends ORDER BY id")).scalars())


@contextmanager
def worked_node(engine: Engine, folder: Path, *peers: Peer) -> Iterator[WorkedNode]:
    """A node with its data in ``folder``, for as long as the block lasts."""
    worker = start_worker(engine, Settings(data_folder=folder, peers=peers or PEERS))
    with WorkerLoop(worker) as loop:
        yield WorkedNode(engine, worker, loop)


def ct_slice(z: float, *, study: str = STUDY, **attributes: Any) -> Dataset:
    """An axial CT slice at z mm, named after it."""
    number = f"{z + 100:g}".replace(".", "")
    return radiograph(
        f"{study}.1.{number}",
        study=study,
        SOPClassUID=CTImageStorage,
        Modality="CT",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        ImagePositionPatient=[0, 0, z],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        **attributes,
    )
