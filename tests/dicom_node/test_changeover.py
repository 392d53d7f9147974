"""A wanted space filled beside the one that answers, and taken into use."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from dicom_node.changeover import finishing
from dicom_node.changeover.process import Changeover
from dicom_node.changeover.progress import ChangeoverProgress, Lack
from dicom_node.changeover.sources import Found, Sources
from dicom_node.making import make_encoder, summary_of
from dicom_node.settings import Settings
from dicom_node.verification import verify
from encoders.baseline import describe
from storage import changeover, embeddings, studies
from storage.answer import SpaceSummary
from storage.changeover import Gap, MissingImage
from storage.communities.kept import path_beside
from storage.database import connect
from storage.migrate import migrate
from storage.spaces import Maker
from tests.dicom_node.changeover_archive import (
    OLDER,
    become_older,
    gap,
    image,
    npz,
    run_to_its_end,
    study_uid,
    used,
    vectors,
    want,
    wanted,
    work,
)
from tests.dicom_node.worked import WorkedNode, worked_node
from tests.storage.servers import kill_server, own_server, revive
from tests.waiting import wait_until

COUNT = 5
BASELINE = Maker("baseline")


@pytest.fixture
def node(engine: Engine, tmp_path: Path) -> Iterator[WorkedNode]:
    """A node with an archive of one image for each study."""
    with worked_node(engine, tmp_path / "a") as made:
        work(made, range(COUNT))
        yield made


def _fill(node: WorkedNode) -> None:
    run_to_its_end(node.engine, node.worker.settings, node=node.worker.node)


def _progress(engine: Engine) -> ChangeoverProgress:
    found = wanted(engine)
    assert found is not None
    return ChangeoverProgress.of(found)


def _want_file(node: WorkedNode, numbers: range, *, switch: bool = True) -> SpaceSummary:
    """A space of vectors computed elsewhere, for these studies."""
    path = npz(node.worker.settings.data_folder / f"{len(numbers)}.npz", numbers)
    maker = Maker("precomputed", str(path))
    space = summary_of(make_encoder(node.worker.settings, maker).space)
    want(node.engine, space, maker, switch=switch)
    return space


def test_the_vectors_are_those_that_a_worker_makes(node: WorkedNode) -> None:
    """Embedded again from the spool: the same to the last bit, under a new space."""
    before = [vectors(node.engine, node.worker.space.id, number) for number in range(COUNT)]
    space = become_older(node.engine)
    want(node.engine, space, BASELINE)
    _fill(node)
    assert used(node.engine).id == space.id
    assert [vectors(node.engine, space.id, number) for number in range(COUNT)] == before
    assert wanted(node.engine) is None


def test_neighbours_are_compared_and_the_new_index_lies_ready(node: WorkedNode) -> None:
    space = become_older(node.engine)
    want(node.engine, space, BASELINE)
    _fill(node)
    overlap = ChangeoverProgress.of(used(node.engine)).overlap
    assert overlap is not None
    assert (overlap.mean, overlap.images, overlap.chance) == (1.0, COUNT, 1.0)
    [found] = verify(node.engine, node.worker.settings)
    assert (found.space.id, found.count, found.checked.faults) == (space.id, COUNT, [])
    assert (node.worker.settings.index_folder / f"{space.id}.index").exists()


def test_the_new_index_of_a_large_archive_lies_ready_too(
    node: WorkedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written row by row: it is not read into memory for that."""
    monkeypatch.setattr(finishing, "INLINE_MOST", COUNT - 1)
    space = become_older(node.engine)
    want(node.engine, space, BASELINE)
    _fill(node)
    [found] = verify(node.engine, node.worker.settings)
    assert (found.space.id, found.count, found.checked.faults) == (space.id, COUNT, [])
    assert (node.worker.settings.index_folder / f"{space.id}.index").exists()


def test_without_files_it_is_done_from_the_kept_images(node: WorkedNode) -> None:
    before = vectors(node.engine, node.worker.space.id, 0)
    space = become_older(node.engine)
    assert node.sweep(keep_days=0) == COUNT
    want(node.engine, space, BASELINE)
    _fill(node)
    assert vectors(node.engine, space.id, 0) == before
    with node.engine.connect() as connection:
        of_new = text(
            "SELECT DISTINCT produced_by ->> 'pixels' FROM embeddings WHERE space_id = :n"
        )
        assert connection.execute(of_new, {"n": space.id}).scalars().all() == ["kept image"]


def test_images_without_any_source_keep_it_from_switching(node: WorkedNode) -> None:
    space = become_older(node.engine)
    node.sweep(keep_days=0)
    for kept in node.worker.settings.kept_images_folder.glob("*/*"):
        kept.unlink()
    want(node.engine, space, BASELINE)
    _fill(node)
    assert used(node.engine).id == OLDER
    progress = _progress(node.engine)
    assert (progress.images, progress.missing, progress.is_stuck) == (COUNT, COUNT, True)
    [lack] = progress.lacking
    assert (lack.count, lack.example) == (COUNT, f"{study_uid(0)}.1.1")
    for said in ("kept_images_gb", "spool.keep_days", "encoder.fetch_from"):
        assert said in lack.reason


def test_one_bad_image_is_told_and_the_others_go_on(node: WorkedNode) -> None:
    space = _want_file(node, range(COUNT - 1))
    _fill(node)
    assert gap(node.engine, space.id) == Gap(COUNT, 1, 0)
    [lack] = _progress(node.engine).lacking
    assert f"no vector for SOP instance {study_uid(COUNT - 1)}.1.1" in lack.reason
    assert used(node.engine).id == node.worker.space.id


def test_it_goes_on_where_it_was(node: WorkedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended after each batch of two, as if killed: nothing is done twice."""
    monkeypatch.setattr("dicom_node.changeover.filling.MOST_AT_ONCE", 2)
    space = _want_file(node, range(COUNT))
    left = []
    for _ in range(3):
        run_to_its_end(node.engine, node.worker.settings, node=node.worker.node, rounds=1)
        left.append(gap(node.engine, space.id).missing)
    assert left == [3, 1, 0]
    _fill(node)
    assert used(node.engine).id == space.id
    with node.engine.connect() as connection:
        assert embeddings.last_change(connection) == 2 * COUNT


def test_switching_back_embeds_nothing_again(node: WorkedNode) -> None:
    _want_file(node, range(COUNT))
    _fill(node)
    want(node.engine, node.worker.space, BASELINE)
    _fill(node)
    assert used(node.engine).id == node.worker.space.id
    with node.engine.connect() as connection:
        assert embeddings.last_change(connection) == 2 * COUNT


def test_a_space_kept_up_is_not_taken_into_use_until_that_is_said(node: WorkedNode) -> None:
    space = _want_file(node, range(COUNT + 1), switch=False)
    _fill(node)
    assert _progress(node.engine).is_complete
    work(node, [COUNT])
    _fill(node)
    assert (used(node.engine).id, gap(node.engine, space.id).missing) == (node.worker.space.id, 0)
    _want_file(node, range(COUNT + 1))
    _fill(node)
    assert used(node.engine).id == space.id


def test_what_comes_and_goes_meanwhile_is_followed(node: WorkedNode) -> None:
    """A new study, other bytes under a known UID, and an image that is taken out."""
    space = _want_file(node, range(COUNT + 1))
    with Changeover(node.engine, node.worker.settings, node=node.worker.node) as changing:
        changing.round(lambda _: None)
        work(node, [COUNT])
        work(node, [0], StudyDescription="corrected")
        with node.engine.begin() as connection:
            state = studies.state_of(connection, study_uid(1))
            assert state is not None
            embeddings.retire_study(connection, space_id=node.worker.space.id, study_id=state.id)
        wait_until(lambda: not changing.round(lambda _: None), "the switch")
    assert used(node.engine).id == space.id
    counts = [len(vectors(node.engine, space.id, number)) for number in range(COUNT + 1)]
    assert counts == [1, 0, 1, 1, 1, 1]


def test_an_encoder_that_cannot_be_made_is_told_and_not_tried_each_second(
    node: WorkedNode, caplog: pytest.LogCaptureFixture
) -> None:
    space = _want_file(node, range(COUNT))
    (node.worker.settings.data_folder / f"{COUNT}.npz").unlink()
    with Changeover(node.engine, node.worker.settings, node=node.worker.node) as changing:
        for _ in range(3):
            assert changing.round(lambda _: None)
    [fault] = _progress(node.engine).faults.values()
    assert f"{COUNT}.npz" in fault
    assert len([said for said in caplog.messages if space.id in said]) == 1


def test_an_encoder_that_is_another_by_now_fills_nothing(node: WorkedNode) -> None:
    space = _want_file(node, range(COUNT))
    npz(node.worker.settings.data_folder / f"{COUNT}.npz", range(COUNT), dimension=5)
    _fill(node)
    [fault] = _progress(node.engine).faults.values()
    assert "dimension is '5' instead of '4'" in fault
    assert gap(node.engine, space.id).missing == COUNT


def test_when_nothing_is_wanted_any_more_it_ends(node: WorkedNode) -> None:
    with Changeover(node.engine, node.worker.settings, node=node.worker.node) as changing:
        assert not changing.round(lambda _: None)
        stop = threading.Event()
        changing.run(stop)
        assert stop.is_set()


def test_each_of_two_nodes_embeds_what_it_received(
    node: WorkedNode, engine: Engine, tmp_path: Path
) -> None:
    with worked_node(engine, tmp_path / "b") as other:
        work(other, [COUNT])
        space = become_older(engine)
        want(engine, space, BASELINE)
        _fill(other)
        assert gap(engine, space.id).missing == COUNT
        [lack] = _progress(engine).lacking
        assert "it was received by another node" in lack.reason
        _fill(node)
        assert used(engine).id == space.id


def test_a_running_node_that_cannot_go_on_keeps_the_others_from_switching(
    node: WorkedNode, engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    space = _want_file(node, range(COUNT))
    path = node.worker.settings.data_folder / f"{COUNT}.npz"
    aside = path.rename(path.with_suffix(".aside"))
    run_to_its_end(engine, Settings(data_folder=tmp_path / "b"), node="2.25.2")
    aside.rename(path)
    _fill(node)
    assert (used(engine).id, gap(engine, space.id).missing) == (node.worker.space.id, 0)
    assert "there is no changing over while a node cannot" in caplog.text


def test_an_outage_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.changeover.filling.MOST_AT_ONCE", 1)
    tmp_path.chmod(0o755)
    with own_server(tmp_path / "server" / "postgres") as server:
        engine = connect(server.url)
        migrate(engine)
        with worked_node(engine, tmp_path / "a") as node:
            work(node, range(COUNT))
            space = _want_file(node, range(COUNT))
            with Changeover(engine, node.worker.settings, node=node.worker.node) as changing:
                changing.round(lambda _: None)
                kill_server(tmp_path / "server" / "postgres")
                running = threading.Thread(target=changing.run, args=(threading.Event(),))
                running.start()
                revive(server)
                running.join(60)
            assert not running.is_alive()
            assert used(engine).id == space.id
        engine.dispose()


def test_a_snapshot_of_a_space_that_was_removed_and_made_again_is_forgotten(
    node: WorkedNode,
) -> None:
    space = _want_file(node, range(COUNT))
    found = wanted(node.engine)
    assert found is not None
    path = node.worker.settings.index_folder / f"{space.id}.index"
    path.parent.mkdir(exist_ok=True)
    for one in (path, path_beside(path)):
        one.write_bytes(b"of an earlier life")
    finishing.forget_stale_snapshot(node.worker.settings, found)
    assert path.exists()
    assert path_beside(path).exists()
    with node.engine.begin() as connection:
        connection.execute(text("UPDATE spaces SET created_at = now() + interval '1 h'"))
    found = wanted(node.engine)
    assert found is not None
    finishing.forget_stale_snapshot(node.worker.settings, found)
    assert not path.exists()
    assert not path_beside(path).exists()


def test_an_image_whose_new_bytes_are_not_worked_yet_is_done_from_the_kept_one(
    node: WorkedNode,
) -> None:
    """The vector in use is of the old bytes, and so is the one beside it."""
    before = vectors(node.engine, node.worker.space.id, 0)
    space = become_older(node.engine)
    node.receive(image(0, PixelData=np.ones((64, 64), "<u2").tobytes()), "X")
    want(node.engine, space, BASELINE, switch=False)
    _fill(node)
    assert vectors(node.engine, space.id, 0) == before


def test_a_fault_that_nobody_foresaw_costs_its_image_only(
    node: WorkedNode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    space = become_older(node.engine)
    want(node.engine, space, BASELINE)
    left = [ZeroDivisionError("of ours")]

    def failing(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        if left:
            raise left.pop()
        return describe(pixels)

    monkeypatch.setattr("encoders.baseline_encoder.describe", failing)
    _fill(node)
    assert gap(node.engine, space.id).missing == 1
    [lack] = _progress(node.engine).lacking
    assert lack.reason == "ZeroDivisionError: of ours"
    assert "Traceback" in caplog.text


def test_what_was_lacking_is_tried_again_after_a_while(
    node: WorkedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.changeover.process.AGAIN_S", 0.0)
    space = become_older(node.engine)
    folder = node.worker.settings.kept_images_folder
    node.sweep(keep_days=0)
    aside = folder.rename(folder.with_name("aside"))
    want(node.engine, space, BASELINE)
    with Changeover(node.engine, node.worker.settings, node=node.worker.node) as changing:
        for _ in range(3):
            changing.round(lambda _: None)
        assert gap(node.engine, space.id).missing == COUNT
        aside.rename(folder)
        wait_until(lambda: not changing.round(lambda _: None), "the switch")
    assert used(node.engine).id == space.id


def test_studies_that_come_while_it_is_compared_keep_it_from_nothing(
    node: WorkedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comes during the comparison, one during each look that follows."""
    space = _want_file(node, range(COUNT + 3))
    compare, look, coming = finishing.compare, changeover._look, iter(range(COUNT, COUNT + 3))

    def come(does: Callable[..., Any]) -> Callable[..., Any]:
        def after(*given: Any) -> Any:
            done = does(*given)
            work(node, [next(coming)])
            return done

        return after

    monkeypatch.setattr(finishing, "compare", come(compare))
    monkeypatch.setattr(changeover, "_look", come(look))
    _fill(node)
    assert (used(node.engine).id, next(coming)) == (space.id, COUNT + 2)
    assert len(vectors(node.engine, space.id, COUNT + 1)) == 1


def test_between_two_looks_newcomers_are_embedded_all_the_same(node: WorkedNode) -> None:
    space = _want_file(node, range(COUNT), switch=False)
    paused: list[float] = []
    with Changeover(node.engine, node.worker.settings, node=node.worker.node) as changing:
        wait_until(lambda: changing.round(paused.append) and paused, "the first look")
        work(node, [0], StudyDescription="corrected")
        assert gap(node.engine, space.id).missing == 1
        changing.round(paused.append)
        assert gap(node.engine, space.id).missing == 0
    assert set(paused) == {1.0}


def test_an_image_that_hangs_is_passed_over_the_second_time(
    node: WorkedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    become_older(node.engine)
    hanging, find = f"{study_uid(1)}.1.1", Sources.find

    def hang(sources: Sources, wanted: MissingImage) -> Found:
        if wanted.image.sop_instance_uid == hanging:
            raise ChildProcessError("no answer in 120 s")
        return find(sources, wanted)

    monkeypatch.setattr(Sources, "find", hang)
    want(node.engine, node.worker.space, BASELINE)
    with Changeover(node.engine, node.worker.settings, node=node.worker.node) as changing:
        with pytest.raises(ChildProcessError):
            changing.round(lambda _: None)
        wait_until(lambda: changing.round(lambda _: None) and _stuck(node.engine), "the end")
    assert gap(node.engine, node.worker.space.id).missing == 1
    [lack] = _progress(node.engine).lacking
    assert lack == Lack("ChildProcessError: no answer in 120 s", 1, hanging, passing=1)


def _stuck(engine: Engine) -> bool:
    return _progress(engine).is_stuck
