"""The worker's stages: what shares a forward pass, what waits for what, whose fault is whose."""

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from sqlalchemy import Engine, text

from dicom_node.kept_images import KeptKey
from dicom_node.origins import Origins
from dicom_node.received import read_received
from dicom_node.settings import EncoderSettings, WorkSettings
from dicom_node.worker_loop import WorkerLoop
from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderOptions, Prepared
from encoders.image import GrayscaleImage
from encoders.model_ready import from_model_ready
from encoders.pixel_reader import PixelReader
from encoders.registry import find, make
from encoders.torch_encoder import build, space_of
from tests.dicom_node.objects import INSTANCE, STUDY, radiograph
from tests.dicom_node.worked import WatchedEncoder, WorkedNode, ct_slice, running, worked_node
from tests.encoders.small_networks import small
from tests.waiting import wait_until

ONE_TRY = {"work": WorkSettings(attempts=1)}
SIX = tuple(f"1.5.{number}" for number in range(6))


@pytest.fixture
def encoder() -> WatchedEncoder:
    return WatchedEncoder()


@pytest.fixture
def node(engine: Engine, tmp_path: Path, encoder: WatchedEncoder) -> Iterator[WorkedNode]:
    with worked_node(engine, tmp_path, encoder=encoder, sections=ONE_TRY) as made:
        yield made
        encoder.gate.set()


def test_a_forward_pass_takes_images_of_several_studies(
    node: WorkedNode, encoder: WatchedEncoder
) -> None:
    """While one passes, the others are read; then they go together."""
    encoder.gate.clear()
    node.queue(*SIX)
    with running(node.loop.run):
        wait_until(lambda: len(encoder.prepared) == 6, "all to be read")
        encoder.gate.set()
        wait_until(node.is_done, "all to be worked")
    assert sum(encoder.batches) == 6
    assert len(encoder.batches) == 2
    assert all(node.state(uid) == ("indexed", "") for uid in SIX)
    assert [len(node.vectors(uid)) for uid in SIX] == [1] * 6


def test_a_forward_pass_takes_no_more_than_the_batch(engine: Engine, tmp_path: Path) -> None:
    encoder = WatchedEncoder(batch=2)
    with worked_node(engine, tmp_path, encoder=encoder) as node:
        node.queue(*SIX)
        with running(node.loop.run):
            wait_until(node.is_done, "all to be worked")
    assert sum(encoder.batches) == 6
    assert max(encoder.batches) <= 2


def test_a_lone_study_waits_for_no_other(engine: Engine, tmp_path: Path) -> None:
    """Though an image may wait ten seconds for others to share its forward pass."""
    patient = {"encoder": EncoderSettings(batch_wait_ms=10_000)}
    with worked_node(engine, tmp_path, encoder=WatchedEncoder(), sections=patient) as node:
        node.receive(radiograph())
        node.close()
        began = monotonic()
        with running(node.loop.run):
            wait_until(lambda: node.sent_to() == ["pacs"], "the report")
    assert monotonic() - began < 9


def test_each_image_is_named_by_its_uid(node: WorkedNode, encoder: WatchedEncoder) -> None:
    node.receive(radiograph())
    node.work()
    assert encoder.prepared[-1] == INSTANCE


def test_the_rules_of_the_pixels_are_kept_with_the_vector(node: WorkedNode) -> None:
    node.receive(ct_slice(0))
    node.work()
    with node.engine.connect() as connection:
        image = connection.execute(text("SELECT image FROM embeddings")).scalar_one()
    assert image["slice_rule"] == "middle by position of 1 slices"
    assert image["pixel_rules"]["voi"] == "percentiles 1 to 99"


def _small_network(folder: Path) -> CheckedEncoder:
    """One of the registry, shrunk, with random weights."""
    declared = small(find("monai-densenet121"))
    path = folder / "small.safetensors"
    torch.manual_seed(0)
    tensors = build(declared).body.state_dict()
    save_file({f"{declared.names.prefix}{name}": tensors[name] for name in tensors}, path)
    return make(declared, EncoderOptions(weights=path, device="cpu", threads=1))


@pytest.mark.parametrize("is_packed", [False, True])
def test_what_is_kept_gives_the_same_vectors_to_the_last_bit(
    node: WorkedNode, tmp_path: Path, is_packed: bool
) -> None:
    """Of a CT slice that is windowed, and of a radiograph that is larger than what is kept."""
    large = np.random.default_rng(0).integers(0, 4096, (1500, 1300)).astype("<u2")
    node.receive(ct_slice(0, WindowCenter=40, WindowWidth=400), "PACS")
    node.receive(
        radiograph(f"{INSTANCE}.2", Rows=1500, Columns=1300, PixelData=large.tobytes()), "PACS"
    )
    node.work()
    while is_packed and node.worker.kept.pack_one():
        pass
    encoders = [node.worker.encoder, _small_network(tmp_path)]
    files = list(node.worker.spool.folder.rglob("*.dcm"))
    with PixelReader() as reader:
        for path in files:
            first = reader.read(path)
            sha256 = read_received(path, str(path.relative_to(node.worker.spool.folder))).sha256
            kept = node.worker.kept.get(KeptKey(sha256, None, node.worker.space.window_rule))
            assert kept is not None
            again = GrayscaleImage(from_model_ready(kept))
            for encoder in encoders:
                np.testing.assert_array_equal(encoder.embed([again]), encoder.embed([first]))
    assert len(files) == 2


@pytest.mark.parametrize("window", [None, (50.0, 400.0)])
def test_images_are_kept_under_the_rule_of_the_space(window: tuple[float, float] | None) -> None:
    declared = dataclasses.replace(find("monai-densenet121"), ct_window=window)
    assert Origins(declared).window_rule == space_of(declared, "").window_rule


def test_nothing_is_kept_where_the_settings_say_so(engine: Engine, tmp_path: Path) -> None:
    nothing = {"encoder": EncoderSettings(kept_images_gb=0)}
    with worked_node(engine, tmp_path, sections=nothing) as node:
        node.receive(radiograph())
        node.work()
        assert node.state() == ("indexed", "")
        assert not node.worker.settings.kept_images_folder.exists()


def test_an_idle_worker_packs_what_it_kept(node: WorkedNode) -> None:
    node.queue(*SIX)
    folder = node.worker.settings.kept_images_folder
    with running(node.loop.run):
        wait_until(node.is_done, "all to be worked")
        wait_until(lambda: not list((folder / "plain").iterdir()), "all to be packed")
    assert len(list(folder.glob("??/*"))) == 6


def test_an_image_that_cannot_be_read_leaves_the_others_of_its_study(node: WorkedNode) -> None:
    node.receive(radiograph())
    node.receive(radiograph(f"{INSTANCE}.2", PixelData=b"\0\0"))
    node.work()
    assert node.state() == ("indexed", "")
    assert list(node.vectors()) == [INSTANCE]
    with node.engine.connect() as connection:
        reasons = connection.execute(text("SELECT left_out FROM instances ORDER BY id")).scalars()
        first, second = reasons
    assert first is None
    assert "pixel data is truncated" in second


@pytest.mark.parametrize("poison", ["no finite vector", "no pixels", "no rows"])
def test_a_poisonous_study_fails_alone(
    node: WorkedNode, encoder: WatchedEncoder, poison: str
) -> None:
    """Among five good ones that share forward pass and transaction with it."""
    if poison == "no finite vector":
        encoder.poisons.add("1.5.3.1.1")
    encoder.gate.clear()
    node.queue(*SIX)
    if poison == "no pixels":
        _spoil(node, "1.5.3.1.1")
    if poison == "no rows":
        _forget(node, "1.5.3.1.1")
    with running(node.loop.run):
        wait_until(lambda: len(encoder.prepared) >= 5, "the good ones to be read")
        encoder.gate.set()
        wait_until(lambda: {state for state, _ in node.jobs()} == {"done", "failed"}, "all")
    assert [uid for uid in SIX if node.state(uid)[0] != "indexed"] == ["1.5.3"]
    assert node.state("1.5.3")[0] == "failed"
    assert node.jobs().count(("failed", 1)) == 1


def _spoil(node: WorkedNode, instance: str) -> None:
    node.worker.spool.path(_file_of(node, instance)).write_bytes(b"no DICOM")


def _forget(node: WorkedNode, instance: str) -> None:
    """Its header lacks what was once always written: the study cannot even be looked up."""
    with node.engine.begin() as connection:
        connection.execute(
            text("UPDATE instances SET header = '{\"made\": 1}' WHERE sop_instance_uid = :uid"),
            {"uid": instance},
        )


def _file_of(node: WorkedNode, instance: str) -> str:
    with node.engine.connect() as connection:
        name: str = connection.execute(
            text("SELECT spool_name FROM instances WHERE sop_instance_uid = :uid"),
            {"uid": instance},
        ).scalar_one()
    return name


class MeetingEncoder(WatchedEncoder):
    """Images are prepared three at a time, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(3)

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """Waits for two others, but for the one that warms up."""
        if image.key:
            self.meeting.wait(60)
        return super().prepare(image)


def test_several_images_are_read_at_once(engine: Engine, tmp_path: Path) -> None:
    encoder, three = MeetingEncoder(), {"encoder": EncoderSettings(readers=3)}
    with worked_node(engine, tmp_path, encoder=encoder, sections=three) as node:
        node.queue(*SIX)
        with running(node.loop.run):
            wait_until(node.is_done, "all to be worked")
    assert not encoder.meeting.broken


class LanedEncoder(WatchedEncoder):
    """Two forward passes at a time, or none."""

    lanes = 2

    def __init__(self) -> None:
        super().__init__(batch=1)
        self.meeting = threading.Barrier(2)

    def infer(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Waits for another, but for the one that warms up."""
        if self.prepared:
            self.meeting.wait(60)
        return super().infer(prepared)


def test_each_lane_has_a_thread(engine: Engine, tmp_path: Path) -> None:
    encoder = LanedEncoder()
    with worked_node(engine, tmp_path, encoder=encoder) as node:
        node.queue(*SIX)
        with running(node.loop.run):
            wait_until(node.is_done, "all to be worked")
    assert not encoder.meeting.broken


def test_the_database_has_few_connections_however_much_is_in_flight(
    node: WorkedNode, encoder: WatchedEncoder
) -> None:
    """One claims, one writes and one listens; another is this test's."""
    encoder.gate.clear()
    node.queue(*SIX)
    with running(node.loop.run):
        wait_until(lambda: len(encoder.prepared) == 6, "all to be read")
        encoder.gate.set()
        wait_until(node.is_done, "all to be worked")
        with node.engine.connect() as connection:
            count = connection.execute(
                text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            ).scalar_one()
    assert count <= 4


def test_a_modality_that_the_encoder_was_not_made_for_is_told(
    node: WorkedNode, caplog: pytest.LogCaptureFixture
) -> None:
    made_for = dataclasses.replace(find("baseline"), modalities=("CT",), ct_window=(50, 400))
    worker = dataclasses.replace(node.worker, origins=Origins(made_for))
    with WorkerLoop(worker) as loop:
        other = WorkedNode(node.engine, worker, loop)
        other.queue(*SIX[:2])
        other.receive(ct_slice(0, RescaleSlope=1, RescaleIntercept=-1024), "PACS")
        other.work()
    with node.engine.connect() as connection:
        rows = connection.execute(text("SELECT image, produced_by FROM embeddings")).all()
    told = {row.image["modality"]: row.produced_by.get("warning") for row in rows}
    assert told == {"CR": "baseline was made for CT, not for CR", "CT": None}
    windows = {row.image["modality"]: row.image["pixel_rules"]["voi"] for row in rows}
    assert windows["CT"] == "window of the encoder"
    assert sum("baseline was made for CT" in message for message in caplog.messages) == 1
    assert node.state(STUDY) == ("indexed", "")
