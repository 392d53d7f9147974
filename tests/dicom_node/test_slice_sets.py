"""Volumes by their slices, from received files to answers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from pydicom import dcmread
from sqlalchemy import Engine, text

from dicom_node import answering
from dicom_node.settings import Section, VolumeSettings, WorkSettings
from dicom_node.stages import Stages
from dicom_node.verification import verify
from storage.answer import Answer
from storage.index import VectorIndex
from storage.late_interaction import max_sim
from storage.slices import unpacked
from tests.dicom_node.objects import STUDY
from tests.dicom_node.worked import WatchedEncoder, WorkedNode, ct_slice, worked_node
from tests.storage.made import row_of

HEIGHTS = (0, 5, 10, 15, 20)
MIDDLE = 10
SET = VolumeSettings(slices="set", at_most=5)
PLAIN: Mapping[str, Section] = MappingProxyType({})


def settings(volume: VolumeSettings = SET) -> dict[str, Section]:
    return {"volume": volume, "work": WorkSettings(attempts=1)}


@pytest.fixture
def encoder() -> WatchedEncoder:
    return WatchedEncoder()


@pytest.fixture
def node(engine: Engine, tmp_path: Path, encoder: WatchedEncoder) -> Iterator[WorkedNode]:
    with worked_node(engine, tmp_path, encoder=encoder, sections=settings()) as made:
        yield made


def drawn(z: int, *, lesion: tuple[int, ...] = (), turned: bool = False) -> NDArray[np.uint16]:
    """A slice of a body that narrows with height; a lesion of two thirds of its width."""
    down, across = np.mgrid[0:64, 0:64] - 32
    body = np.hypot(down, across * (1.0 + z / 40)) < 28
    stripes = np.sin((across if turned else down) / (2.0 + z / 10))
    image = 100 + body * (900 + 300 * stripes)
    if z in lesion:
        image += 1500 * (np.hypot(down + 8, across - 6) < 12)
    return np.asarray(image, np.uint16)


def receive(node: WorkedNode, study: str, *heights: int, **drawing: Any) -> None:
    """A series of one patient, slice by slice, from a peer that only indexes."""
    for z in heights or HEIGHTS:
        pixels = drawn(z, **drawing).astype("<u2").tobytes()
        node.receive(ct_slice(z, study=study, PatientID=study, PixelData=pixels), "PACS")


def sets(node: WorkedNode) -> list[Any]:
    with node.engine.connect() as connection:
        found = connection.execute(
            text("SELECT * FROM slice_vectors JOIN embeddings ON id = embedding_id ORDER BY id")
        )
        return list(found.mappings())


def ask(node: WorkedNode, study: str, volume: VolumeSettings = SET) -> Answer:
    asked = node.worker.settings.model_copy(update={"volume": volume})
    with node.engine.begin() as connection:
        index = VectorIndex.empty(node.worker.space)
        index.catch_up(connection)
        return answering.ask(
            connection,
            index,
            row_of(connection, study),
            space=node.worker.space,
            settings=asked,
            asked_by="test",
        )


def uids(answer: Answer) -> list[str]:
    return [hit.study.study_instance_uid for hit in answer.hits]


def test_a_series_has_the_vectors_of_its_slices(node: WorkedNode, encoder: WatchedEncoder) -> None:
    receive(node, "1.1", *range(0, 90, 5))
    node.work("1.1")
    (kept,) = sets(node)
    middles = [entry["sop_instance_uid"] for entry in kept["images"]]
    assert middles == [f"1.1.1.{100 + z}" for z in (5, 25, 40, 60, 80)]
    assert kept["sop_instance_uid"] == "1.1.1.140"
    assert kept["count"] == len(middles) == len(encoder.prepared)
    assert (kept["left_out"], len(node.vectors("1.1"))) == ([], 1)
    own = np.frombuffer(kept["vectors"], "<f2").reshape(5, -1)[2]
    np.testing.assert_allclose(
        own, np.frombuffer(kept["vector"], "<f4"), atol=2.5e-4
    )  # half of a step of float16 below 1


def test_only_the_middle_slice_is_shown_and_kept_for_another_encoder(node: WorkedNode) -> None:
    receive(node, "1.1")
    node.work("1.1")
    folder = node.worker.settings.kept_images_folder
    assert len([path for path in folder.glob("*/*") if path.is_file()]) == 1
    with node.engine.connect() as connection:
        rows = connection.execute(text("SELECT picture FROM embeddings")).scalars().all()
    assert [bytes(picture)[1:4] for picture in rows] == [b"PNG"]


def test_nothing_is_kept_of_other_slices_unless_a_site_wishes_it(
    engine: Engine, tmp_path: Path, encoder: WatchedEncoder
) -> None:
    with worked_node(engine, tmp_path, encoder=encoder) as node:
        receive(node, "1.1")
        node.work("1.1")
        assert sets(node) == []
        assert encoder.prepared == ["1.1.1.110"]
        assert ask(node, "1.1", VolumeSettings()).second_stage is None


def test_a_lesion_off_the_middle_is_found_by_slices_alone(node: WorkedNode) -> None:
    """By its middle slice the one without a lesion is the nearer: it is the very same."""
    receive(node, "1.1", lesion=(0, 5))
    receive(node, "1.2")
    receive(node, "1.3", lesion=(0, 5, MIDDLE))
    receive(node, "1.4", turned=True)
    node.work("1.1", "1.2", "1.3", "1.4")
    by_middle, by_slices = ask(node, "1.1", VolumeSettings()), ask(node, "1.1")
    assert uids(by_middle)[0] == "1.2"
    assert by_middle.hits[0].similarity == pytest.approx(1.0)
    assert uids(by_slices) == ["1.3", *(uid for uid in uids(by_middle) if uid != "1.3")]
    first, second = by_slices.hits[:2]
    assert (first.slice_similarity or 0) > (second.slice_similarity or 0)
    assert first.similarity < second.similarity
    assert by_slices.second_stage is not None
    assert vars(by_slices.second_stage) == {"slices": 5, "studies": 3, "with_slices": 3}
    assert by_slices.searched == by_middle.searched == 3


def test_a_study_without_a_set_stays_where_its_image_put_it(engine: Engine, tmp_path: Path) -> None:
    """Switched on later: the sets of studies come when these are worked again."""
    with worked_node(engine, tmp_path) as node:
        receive(node, "1.2")
        receive(node, "1.3", lesion=(0, 5, MIDDLE))
        node.work("1.2", "1.3")
    with worked_node(engine, tmp_path, sections=settings()) as node:
        receive(node, "1.1", lesion=(0, 5))
        node.work("1.1")
        answer = ask(node, "1.1")
        assert (uids(answer), [hit.slice_similarity for hit in answer.hits]) == (
            ["1.2", "1.3"],
            [None, None],
        )
        assert answer.second_stage is not None
        assert vars(answer.second_stage) == {"slices": 5, "studies": 2, "with_slices": 0}
        receive(node, "1.2", 25)
        receive(node, "1.3", 25)
        node.work("1.2", "1.3")
        assert uids(ask(node, "1.1")) == ["1.3", "1.2"]


def test_a_study_without_slices_asks_by_its_image(node: WorkedNode) -> None:
    with node.engine.begin() as connection:
        receive(node, "1.1")
        receive(node, "1.2", lesion=(0,))
        node.work("1.1", "1.2")
        connection.execute(
            text("DELETE FROM slice_vectors USING embeddings WHERE id = embedding_id")
        )
    answer = ask(node, "1.1")
    assert uids(answer) == ["1.2"]
    assert answer.second_stage is not None
    assert vars(answer.second_stage) == {"slices": 0, "studies": 0, "with_slices": 0}


def test_a_study_sent_again_replaces_its_set(node: WorkedNode) -> None:
    receive(node, "1.1")
    node.work("1.1")
    (before,) = sets(node)
    receive(node, "1.1", lesion=(0, 5))
    node.work("1.1")
    (after,) = sets(node)
    assert after["embedding_id"] != before["embedding_id"]
    assert after["vectors"] != before["vectors"]


def test_a_set_goes_on_without_a_slice_that_cannot_be_read(
    node: WorkedNode, encoder: WatchedEncoder
) -> None:
    """No pixels in one, no finite vector of another, and the file of a third is gone."""
    receive(node, "1.1")
    _file(node, "1.1.1.100").write_bytes(b"no DICOM")
    encoder.poisons.add("1.1.1.105")
    _file(node, "1.1.1.120").unlink()
    node.work("1.1")
    assert node.state("1.1") == ("indexed", "")
    (kept,) = sets(node)
    assert [entry["sop_instance_uid"] for entry in kept["images"]] == ["1.1.1.110", "1.1.1.115"]
    reasons = {entry["sop_instance_uid"][-3:]: entry["reason"] for entry in kept["left_out"]}
    assert reasons.keys() == {"100", "105", "120"}
    assert "NaN" in reasons["105"]
    assert "gone from the spool" in reasons["120"]


def test_a_middle_slice_that_cannot_be_read_is_a_fault_as_ever(node: WorkedNode) -> None:
    receive(node, "1.1")
    _file(node, "1.1.1.110").write_bytes(b"no DICOM")
    node.work("1.1")
    state, reason = node.state("1.1")
    assert state == "failed"
    assert "1 x " in reason
    assert sets(node) == []


def _file(node: WorkedNode, instance: str) -> Path:
    with node.engine.connect() as connection:
        name = connection.execute(
            text("SELECT spool_name FROM instances WHERE sop_instance_uid = :uid"),
            {"uid": instance},
        ).scalar_one()
    return node.worker.spool.path(name)


def test_a_study_that_is_only_answered_asks_with_its_slices_and_leaves_none(
    node: WorkedNode,
) -> None:
    receive(node, "1.1")
    receive(node, "1.2", lesion=(0, 5, MIDDLE))
    node.work("1.1", "1.2")
    for z in HEIGHTS:
        pixels = drawn(z, lesion=(0, 5)).astype("<u2").tobytes()
        node.receive(ct_slice(z, PixelData=pixels), "WS1")
    node.work(STUDY)
    assert node.state() == ("answered", "")
    assert len(sets(node)) == 2
    with node.engine.connect() as connection:
        hits = connection.execute(text("SELECT hits FROM queries")).scalar_one()
    assert json.dumps(hits).index('"1.2"') < json.dumps(hits).index('"1.1"')


def test_verify_names_a_set_that_does_not_fit(node: WorkedNode) -> None:
    receive(node, "1.1")
    node.work("1.1")
    (good,) = verify(node.engine, node.worker.settings)
    assert good.checked.faults == []
    with node.engine.begin() as connection:
        connection.execute(text("UPDATE slice_vectors SET vectors = substr(vectors, 3)"))
    (bad,) = verify(node.engine, node.worker.settings)
    (fault,) = bad.checked.faults
    assert "slice vectors of embedding" in fault


@pytest.mark.parametrize("wrong", [{"slices": "all"}, {"at_most": 1}, {"rerank": -1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VolumeSettings(**wrong)


def test_settings_say_nothing_of_slices_by_default() -> None:
    assert (VolumeSettings().spread_over, VolumeSettings().reranked) == (0, 0)
    assert (SET.spread_over, SET.reranked) == (5, 50)


@pytest.mark.parametrize(("series", "slices"), [("ct_head_neck", 60), ("mr_head_t1", 35)])
def test_a_real_series(
    engine: Engine, tmp_path: Path, shared_data: Path, series: str, slices: int
) -> None:
    """Each of its slices has a vector, and the series is exactly like itself."""
    whole = VolumeSettings(slices="set", at_most=slices + 1)
    with worked_node(engine, tmp_path, sections=settings(whole)) as node:
        for path in sorted((shared_data / "dicom/series" / series).iterdir()):
            node.receive(dcmread(path), "PACS")
        with node.engine.connect() as connection:
            study = connection.execute(text("SELECT study_instance_uid FROM studies")).scalar_one()
        node.work(study)
        (kept,) = sets(node)
    assert (kept["count"], kept["left_out"]) == (slices, [])
    vectors = unpacked(kept["vectors"], slices)
    assert max_sim(vectors, vectors) == 1.0


def test_a_series_of_one_slice_and_a_radiograph(node: WorkedNode) -> None:
    receive(node, "1.1", 0)
    node.queue("1.2")
    node.work("1.1")
    (kept,) = sets(node)
    assert (kept["count"], kept["sop_instance_uid"]) == (1, "1.1.1.100")


def test_slices_in_flight_take_the_room_of_studies(engine: Engine, tmp_path: Path) -> None:
    """Studies that wait in memory for a slow network would outlive their lease."""
    encoder = WatchedEncoder(batch=1)
    with worked_node(engine, tmp_path, encoder=encoder, sections=settings()) as node:
        receive(node, "1.1")
        node.close("1.1")
        with Stages(
            node.worker, readers=1, oldest_s=60, end=lambda _: None, idle=lambda: False
        ) as stages:
            assert stages.wait_for_room(0.0) == 4
            encoder.gate.clear()
            stages.start(node.worker.take([node.claim()]))
            assert stages.wait_for_room(0.0) == 0
            encoder.gate.set()
            assert stages.wait_until_empty(timeout_s=60)
            assert stages.wait_for_room(0.0) == 4
