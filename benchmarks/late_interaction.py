"""What a volume search by slices costs, as Markdown tables.

Run ``python -m benchmarks.late_interaction``. The first table is the work on CT series of 64 slices
of 512 x 512, one after the other, with the middle slice alone and with sets of them: reading,
encoding and writing by the node's worker with a PostgreSQL of its own. The network has random
weights, for only its time is told. The second is the second stage over random unit vectors that
PostgreSQL holds, the first time and the median of later ones; beside it the same from memory in
one block of single precision, as it might be done instead. The third is what half precision
changes in a score.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from sqlalchemy import Engine, text

from benchmarks.bare_network import DENSENET, write_random_weights
from benchmarks.machine import as_list, provenance
from benchmarks.worked_images import made_images, seconds_to_work, worker_in
from dicom_node.received import read_received
from dicom_node.settings import EncoderSettings, VolumeSettings
from dicom_node.spool import file_meta
from dicom_node.worker import Worker
from storage import embeddings, slices, spaces, studies
from storage.answer import ImageReference, SpaceSummary
from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.embeddings import NewEmbedding
from storage.late_interaction import max_sim, scores
from storage.migrate import migrate
from storage.slices import NewSlices, SliceImage
from tests.dicom_node.objects import encoded
from tests.storage.made import NODE, received, row_of

SLICES = 64
SETS = (VolumeSettings(), VolumeSettings(slices="set", at_most=16), VolumeSettings(slices="set"))
LOADS = ((50, 32, 512), (200, 64, 768))
TIMES = 9
SPREADS = (0.1, 1.0, 10.0)
"""Standard deviation of each number over the mean that all share: slices alike, or not at all."""


def series(pattern: Dataset) -> list[Dataset]:
    """One new CT series, slice by slice."""
    study, image = generate_uid(), deepcopy(pattern)
    image.StudyInstanceUID, image.SeriesInstanceUID, image.PatientID = study, generate_uid(), study
    made = []
    for number in range(SLICES):
        image.SOPInstanceUID = generate_uid()
        image.ImagePositionPatient = [0, 0, 5 * number]
        made.append(deepcopy(image))
    return made


def receive(worker: Worker, images: list[Dataset]) -> None:
    """Puts a study into spool and database, closed."""
    arrived = []
    for dataset in images:
        meta = file_meta(
            sop_class_uid=dataset.SOPClassUID,
            sop_instance_uid=dataset.SOPInstanceUID,
            transfer_syntax_uid=ExplicitVRLittleEndian,
            calling_ae="BENCHMARK",
        )
        name = worker.spool.put(meta, encoded(dataset))
        arrived.append(read_received(worker.spool.path(name), name))
    with worker.engine.begin() as connection:
        studies.record_all(connection, arrived, received_by=worker.node)
        assert studies.close_now(connection, images[0].StudyInstanceUID)


def work(encoder: EncoderSettings, volume: VolumeSettings, pattern: Dataset) -> tuple[float, int]:
    """Seconds to work a series, and the bytes of its set."""
    with (
        tempfile.TemporaryDirectory() as folder,
        worker_in(Path(folder), encoder, volume) as (worker, loop),
    ):
        taken = []
        for _ in range(3):
            receive(worker, series(pattern))
            taken.append(seconds_to_work(worker, loop))
        with worker.engine.connect() as connection:
            size = connection.execute(text("SELECT max(length(vectors)) FROM slice_vectors"))
            return median(taken), size.scalar() or 0


def worked() -> Iterator[str]:
    """The table of the work on a series."""
    (pattern,) = made_images("CT", 1)
    yield "| encoder | slices in the set | s for a series | bytes of its set |"
    yield "|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.safetensors"
        write_random_weights(weights)
        encoders = (EncoderSettings(), EncoderSettings(name=DENSENET, weights=weights))
        for encoder in encoders:
            for volume in SETS:
                seconds, size = work(encoder, volume, pattern)
                count = volume.spread_over or "none"
                yield f"| {encoder.name} | {count} | {seconds:.2f} | {size:,} |"


def units(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Random vectors of unit length."""
    vectors = random.standard_normal(shape)
    found: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(
        np.float32
    )
    return found


@contextmanager
def database() -> Iterator[Engine]:
    """A PostgreSQL of the run's own."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / "postgres")
        engine = connect(server.url)
        try:
            migrate(engine)
            yield engine
        finally:
            engine.dispose()
            server.close()


def fill(engine: Engine, sets: NDArray[np.float32], space: SpaceSummary) -> list[int]:
    """Studies with these sets, float32 of shape (studies, slices, dimension); returns the rows."""
    rows = []
    with engine.begin() as connection:
        spaces.use(connection, space)
        for number, vectors in enumerate(sets):
            uid = f"1.{len(vectors)}.{number}"
            studies.record(connection, received(uid, f"{uid}.1"), received_by=NODE)
            rows.append(row_of(connection, uid))
            image = ImageReference(f"{uid}.0", "1", f"{uid}.1", None, "CT")
            images = [SliceImage(f"{uid}.1.{at}") for at in range(len(vectors))]
            new = NewEmbedding(image, vectors[0], b"", {}, NewSlices(vectors, images))
            embeddings.replace(connection, space=space, study_id=rows[-1], new=[new])
    return rows


def ms(done: Callable[[], object]) -> float:
    """Milliseconds that something takes."""
    began = time.perf_counter()
    done()
    return 1000 * (time.perf_counter() - began)


def compared() -> Iterator[str]:
    """The table of the second stage."""
    yield "| studies | slices | dimension | first, ms | later, ms | of this scoring, ms | MB read |"
    yield "|---|---|---|---|---|---|---|"
    with database() as engine:
        for load in LOADS:
            yield _compared(engine, *load)


def _compared(engine: Engine, count: int, most: int, dimension: int) -> str:
    space = SpaceSummary(
        f"{dimension:016}", "made", "1", "", "1", "1", "1", "mean", dimension, "cosine"
    )
    sets = units(np.random.default_rng(1), count, most, dimension)
    rows = fill(engine, sets, space)
    query = slices.as_unit(sets[0])
    with engine.connect() as connection:

        def stage() -> object:
            held = slices.of_studies(connection, rows, space_id=space.id, modality_group="CT")
            return scores(query, held)

        taken = [ms(stage) for _ in range(TIMES + 1)]
    wide = list(enumerate(map(slices.as_unit, sets)))
    scoring = median(ms(lambda: scores(query, wide)) for _ in range(TIMES))
    told = (taken[0], median(taken[1:]), scoring)
    cells = " | ".join(f"{value:.0f}" for value in told)
    return f"| {count} | {most} | {dimension} | {cells} | {2e-6 * sets.size:.1f} |"


def in_blocks() -> Iterator[str]:
    """The table of another way: all sets as one block of float32 in memory."""
    yield "| studies | slices | dimension | ms | differs by at most |"
    yield "|---|---|---|---|---|"
    for count, most, dimension in LOADS:
        sets = units(np.random.default_rng(1), count, most, dimension)
        flat = sets.reshape(-1, dimension)

        def block(flat: NDArray[np.float32] = flat, most: int = most) -> NDArray[np.float32]:
            cosines = (flat[:most] @ flat.T).reshape(most, -1, most)
            mean: NDArray[np.float32] = cosines.max(axis=2).mean(axis=0)
            return mean

        taken = median(ms(block) for _ in range(TIMES))
        exact = [max_sim(slices.as_unit(sets[0]), slices.as_unit(other)) for other in sets]
        off = float(np.abs(block() - exact).max())
        yield f"| {count} | {most} | {dimension} | {taken:.0f} | {off:.1e} |"


def precision() -> Iterator[str]:
    """The table of what half precision changes, over 50 studies of 32 slices."""
    yield "| dimension | spread | standard deviation of the scores | greatest change by float16 |"
    yield "|---|---|---|---|"
    for dimension in (64, 512, 768):
        for spread in SPREADS:
            random = np.random.default_rng(dimension)
            wide = slices.as_unit(1 / spread + random.standard_normal((51 * 32, dimension)))
            half = slices.unpacked(wide.astype(slices.SLICES_DTYPE).tobytes(), len(wide))
            at = [slice(32 * n, 32 * n + 32) for n in range(51)]
            exact = np.array([max_sim(wide[at[0]], wide[one]) for one in at[1:]])
            kept = np.array([max_sim(half[at[0]], half[one]) for one in at[1:]])
            change = np.abs(exact - kept).max()
            yield f"| {dimension} | {spread:g} | {exact.std():.1e} | {change:.1e} |"


def main() -> None:
    """Measures, and prints the tables."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    lines = [*as_list(provenance("benchmarks.late_interaction"))]
    for table in (worked, compared, in_blocks, precision):
        lines += ["", *table()]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
