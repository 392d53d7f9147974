"""A node's working half in this process: what it received is recorded, closed and worked."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import Engine, Row, text
from sqlalchemy.engine import Connection

from dicom_node.making import summary_of
from dicom_node.received import read_received
from dicom_node.retention import Retention
from dicom_node.settings import Peer, Settings, SpoolSettings
from dicom_node.spool import file_meta
from dicom_node.worker import Worker
from dicom_node.worker_loop import WorkerLoop
from dicom_node.worker_process import start_worker
from encoders.baseline_encoder import BaselineEncoder
from encoders.checked import CheckedEncoder
from encoders.encoder import Encoder, Prepared
from encoders.image import GrayscaleImage
from storage import embeddings, reports, spaces, studies
from storage.index import VectorIndex
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

    def queue(self, *uids: str, calling: str = "PACS") -> None:
        """Receives single-image studies of as many patients, and closes them."""
        for uid in uids:
            self.receive(radiograph(f"{uid}.1.1", study=uid, PatientID=uid), calling)
        self.close(*uids)

    def jobs(self) -> list[tuple[str, int]]:
        """State and tries of each job, in their order."""
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT state, attempts FROM jobs ORDER BY id"))
            return [(row.state, row.attempts) for row in rows]

    def is_done(self) -> bool:
        """Whether every job was worked to a good end."""
        return {state for state, _ in self.jobs()} == {"done"}

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


def held_by(worker: Worker, connection: Connection) -> VectorIndex:
    """The index of a worker, that it keeps in a file."""
    index = worker.index.now(connection)
    assert isinstance(index, VectorIndex)
    return index


@contextmanager
def worked_node(
    engine: Engine,
    folder: Path,
    *peers: Peer,
    encoder: Encoder | None = None,
    sections: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[WorkedNode]:
    """A node with its data in ``folder``, for as long as the block lasts.

    Its encoder is that of the settings where none is given; ``sections`` are settings, too.
    """
    asked = Settings(data_folder=folder, peers=peers or PEERS, **sections)
    checked = None if encoder is None else CheckedEncoder(encoder)
    if checked is not None:
        with engine.begin() as connection:
            spaces.use(connection, summary_of(checked.space))
    worker = start_worker(engine, asked, checked)
    with WorkerLoop(worker) as loop:
        yield WorkedNode(engine, worker, loop)


@contextmanager
def running(run: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """Runs in a thread of its own until the block ends, or the event that it gets is set."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield stop
        assert stop.is_set() or thread.is_alive(), "it ended before it was told to"
    finally:
        stop.set()
        thread.join()


class WatchedEncoder(BaselineEncoder):
    """The baseline, whose forward passes wait while ``gate`` is not set, and are counted.

    Attributes:
        batch: images in one forward pass, at most.
        prepared: the keys of images that were prepared.
        batches: how many images each forward pass had.
        poisons: keys of images whose vectors are not finite.
    """

    def __init__(self, batch: int = 64) -> None:
        self.batch = batch
        self.gate = threading.Event()
        self.prepared: list[str] = []
        self.batches: list[int] = []
        self.poisons: set[str] = set()
        self.gate.set()

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """The descriptor, or no numbers at all."""
        found = super().prepare(image)
        if image.key:  # the one that warms up has none
            self.prepared.append(image.key)
        return np.full_like(found, np.nan) if image.key in self.poisons else found

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """The descriptors, once the gate is open."""
        if self.prepared:
            self.batches.append(len(prepared))
        assert self.gate.wait(60), "nobody opened the gate"
        return super().infer(prepared)


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
