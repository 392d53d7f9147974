"""Images on their way through a worker of the benchmark's own: made, received, worked."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy.ndimage import uniform_filter
from sqlalchemy import Engine, text

from dicom_node.received import read_received
from dicom_node.settings import EncoderSettings, Settings, VolumeSettings
from dicom_node.spool import Spool, file_meta
from dicom_node.worker import Worker
from dicom_node.worker_loop import WorkerLoop
from dicom_node.worker_process import start_worker
from evaluation.synthetic import make_study
from storage import studies
from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.migrate import migrate
from tests.dicom_node.objects import encoded

NOISE = 12
"""Standard deviation, in stored values: 12 HU in a CT; neighbours share it, as scanners blur."""
POLL_S = 0.01


def made_images(modality: str, different: int, *, times: int = 4) -> list[Dataset]:
    """Return different images of a modality, with noise as a scanner has it, in 16-bit cells.

    They are so many ``times`` as large as the synthetic archive's, in rows and in columns: four
    times makes CT slices of 512 x 512, and radiographs of 2400 x 2048.
    """
    noise = np.random.default_rng(7)
    return [_made(modality, number, times, noise) for number in range(different)]


def _made(modality: str, number: int, times: int, noise: np.random.Generator) -> Dataset:
    slices = [
        dataset
        for dataset in make_study(number, modality=modality).datasets
        if "LOCALIZER" not in dataset.ImageType
    ]
    dataset = slices[len(slices) // 2]
    small = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    large = np.kron(small, np.ones((times, times)))
    grain = uniform_filter(noise.normal(0, 1, large.shape), 3)
    noisy = np.rint(large + grain * (NOISE / grain.std()))
    noisy = np.clip(noisy, 0, (1 << dataset.BitsStored) - 1)
    stored: NDArray[np.uint16] = noisy.astype("<u2")
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelData = stored.tobytes()
    return dataset


def receive(worker: Worker, images: Sequence[Dataset], count: int) -> None:
    """Put single-image studies into spool and database, closed; UIDs and patients are fresh."""
    receive_into(worker.engine, worker.spool, images, count, node=worker.node)


def receive_into(
    engine: Engine, spool: Spool, images: Sequence[Dataset], count: int, *, node: str
) -> None:
    """The same where there is no worker."""
    received = []
    for number in range(count):
        dataset = images[number % len(images)]
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        dataset.SOPInstanceUID = dataset.PatientID = generate_uid()
        meta = file_meta(
            sop_class_uid=dataset.SOPClassUID,
            sop_instance_uid=dataset.SOPInstanceUID,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            calling_ae="BENCHMARK",
        )
        name = spool.put(meta, encoded(dataset))
        received.append(read_received(spool.path(name), name))
    with engine.begin() as connection:
        studies.record_all(connection, received, received_by=node)
        opened = studies.open_studies(connection, received_by=node)
        studies.close(connection, opened, received_by=node)


def seconds_to_work(worker: Worker, loop: WorkerLoop) -> float:
    """Return how long the loop takes for all jobs that wait.

    Raises:
        SystemExit: a study failed.
    """
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    began = time.perf_counter()
    thread.start()
    try:
        while loop.in_flight() or _waiting(worker.engine):
            time.sleep(POLL_S)
        return time.perf_counter() - began
    finally:
        stop.set()
        thread.join()


def _waiting(engine: Engine) -> int:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT state, count(*) AS n FROM jobs GROUP BY state"))
        counts = {row.state: int(row.n) for row in rows}
    if counts.get("failed"):
        raise SystemExit("a study failed; the log above says why")
    return sum(counts.values()) - counts.get("done", 0)


@contextmanager
def worker_in(
    folder: Path, encoder: EncoderSettings, volume: VolumeSettings | None = None
) -> Iterator[tuple[Worker, WorkerLoop]]:
    """A worker with a database of its own, and its loop, ready to run."""
    server = EmbeddedServer(folder / "postgres")
    engine = connect(server.url)
    try:
        migrate(engine)
        settings = Settings(data_folder=folder, encoder=encoder, volume=volume or VolumeSettings())
        worker = start_worker(engine, settings)
        with WorkerLoop(worker) as loop:
            yield worker, loop
    finally:
        engine.dispose()
        server.close()
