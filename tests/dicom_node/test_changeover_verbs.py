"""``likeness encoders add|use|stop|remove|status``, and what other verbs say meanwhile."""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from dicom_node.changeover.asked import _device, node_runs, use
from dicom_node.changeover.process import Changeover
from dicom_node.making import make_encoder, summary_of
from dicom_node.settings import Settings
from dicom_node.settings_file import load_settings
from storage import spaces
from storage.spaces import Maker
from tests.dicom_node.changeover_archive import image, lay, npz, used, wanted
from tests.dicom_node.command_line import Likeness
from tests.dicom_node.objects import written
from tests.storage.made import NODE
from tests.waiting import wait_until

COUNT = 12


@pytest.fixture
def settings(settings_file: Path) -> Settings:
    return load_settings(settings_file, {})


@pytest.fixture
def archive(engine: Engine, settings: Settings) -> list[str]:
    """The Study Instance UIDs of studies that were worked."""
    settings.data_folder.mkdir()
    return lay(engine, settings, range(COUNT))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Vectors computed elsewhere for all of them."""
    return npz(tmp_path / "all.npz", range(COUNT))


@contextmanager
def _node_runs(engine: Engine, settings: Settings) -> Iterator[None]:
    """A node that does nothing but the changeover, as far as anybody can tell."""
    stop = threading.Event()

    def work() -> None:
        with Changeover(engine, settings, node=NODE) as changing:
            while not stop.is_set():
                changing.round(lambda _: stop.wait(0.05))
                stop.wait(0.01)

    running = threading.Thread(target=work)
    with (settings.data_folder / "node.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running.start()
        try:
            yield
        finally:
            stop.set()
            running.join()


def _status(likeness: Likeness) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(likeness("encoders", "status", "--json").out)
    return found


def test_it_is_added_filled_and_answers(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, weights: Path
) -> None:
    with _node_runs(engine, settings):
        ran = likeness("encoders", "add", "precomputed", "--weights", weights)
    assert ran.code == 0
    [compared, answers] = ran.out.splitlines()
    assert compared.startswith("compared with the space before it: of the 10 nearest studies ")
    assert "by chance" in compared
    assert answers == f"space {used(engine).id} (precomputed) answers now: {COUNT} vectors"
    answer = json.loads(likeness("search", archive[0], "--json").out)
    assert (answer["space"], answer["encoder"]) == (used(engine).id, "precomputed")


def test_without_a_node_it_waits_for_one(
    archive: list[str], engine: Engine, likeness: Likeness, weights: Path
) -> None:
    ran = likeness("encoders", "add", "precomputed", "--weights", weights)
    assert (ran.code, ran.err) == (0, "")
    assert "no node runs here: `likeness serve` embeds the archive into it" in ran.out
    assert used(engine).summary.encoder == "baseline"
    found = wanted(engine)
    assert found is not None
    assert found.maker == Maker("precomputed", str(weights))


def test_asked_not_to_it_does_not_wait(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, weights: Path
) -> None:
    with _node_runs(engine, settings):
        ran = likeness("encoders", "add", "precomputed", "--weights", weights, "--no-wait")
    assert "is being filled: `likeness encoders status`" in ran.out


def test_the_one_in_use_is_told(archive: list[str], engine: Engine, likeness: Likeness) -> None:
    ran = likeness("encoders", "add", "baseline")
    assert ran.out == f"space {used(engine).id} (baseline) answers already\n"
    assert likeness("encoders", "use", "baseline").out == ran.out
    assert wanted(engine) is None


def test_in_an_archive_without_a_space_it_is_the_first(engine: Engine, likeness: Likeness) -> None:
    assert "answers now" in likeness("encoders", "add", "baseline").out
    assert used(engine).maker == Maker("baseline")


def test_what_cannot_be_embedded_ends_the_wait_with_its_reason(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, tmp_path: Path
) -> None:
    few = npz(tmp_path / "few.npz", range(COUNT - 2))
    with _node_runs(engine, settings):
        ran = likeness("encoders", "add", "precomputed", "--weights", few)
    assert ran.code == 1
    assert f"1 not embedded: {few} has no vector for SOP instance" in ran.err
    found = wanted(engine)
    assert found is not None
    assert f"lacks 2 of {COUNT} images" in ran.err
    assert f"likeness encoders use {found.id} --incomplete" in ran.err
    refused = likeness("encoders", "use", found.id)
    assert (refused.code, used(engine).summary.encoder) == (1, "baseline")
    done = likeness("encoders", "use", found.id, "--incomplete")
    assert (done.code, used(engine).id) == (0, found.id)
    assert "2 images are not in it" in done.err
    assert archive[-1] in likeness("failed").out
    assert likeness("encoders", "use", "baseline").code == 0
    assert likeness("failed").out == ""


def test_filled_and_kept_it_is_taken_by_hand(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, weights: Path
) -> None:
    with _node_runs(engine, settings):
        ran = likeness("encoders", "add", "precomputed", "--weights", weights, "--no-switch")
    found = wanted(engine)
    assert found is not None
    assert f"space {found.id} is complete: `likeness encoders use {found.id}`" in ran.out
    assert f"{COUNT} of {COUNT} images (100%)" in likeness("encoders", "status").out
    assert likeness("encoders", "use", "precomputed").code == 0
    assert (used(engine).id, wanted(engine)) == (found.id, None)


def test_its_end_is_told_to_who_waits(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, tmp_path: Path
) -> None:
    """Stopped or removed meanwhile; here by what happens before the wait begins."""
    few = npz(tmp_path / "few.npz", range(2))
    likeness("encoders", "add", "precomputed", "--weights", few)
    assert "is not filled any more" in likeness("encoders", "stop").out
    assert "no space is being filled" in likeness("encoders", "stop").could_not()
    assert wanted(engine) is None


def test_the_space_of_an_id_is_filled_again(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, weights: Path
) -> None:
    before = used(engine).id
    with _node_runs(engine, settings):
        likeness("encoders", "add", "precomputed", "--weights", weights)
        assert likeness("encoders", "add", before[:6]).code == 0
        assert used(engine).id == before
        assert likeness("encoders", "add", "precomputed").code == 0  # its weights are known
    assert used(engine).maker == Maker("precomputed", str(weights))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["add", "basline"], "did you mean baseline"),
        (["add", "precomputed"], "needs weights of yours: name them by --weights"),
        (["add", "precomputed", "--weights", "/gone.npz"], "/gone.npz is not there"),
        (["use", "nothing"], "there is no space 'nothing'; there are: "),
        (["remove", "nothing"], "there is no space 'nothing'"),
        (["remove", "baseline"], "would be deleted: say so by --yes"),
        (["remove", "baseline", "--yes"], "in use, or being filled: take another into use first"),
    ],
)
def test_what_cannot_be_done_is_told(
    archive: list[str], likeness: Likeness, arguments: list[str], expected: str
) -> None:
    assert expected in likeness("encoders", *arguments).could_not()


def test_a_name_that_stands_for_several_spaces_is_refused(
    archive: list[str], engine: Engine, likeness: Likeness, tmp_path: Path
) -> None:
    for count in (1, 2):
        path = npz(tmp_path / f"{count}.npz", range(count))
        likeness("encoders", "add", "precomputed", "--weights", path)
    assert "stands for several spaces" in likeness("encoders", "use", "precomputed").could_not()


def test_a_space_whose_encoder_is_another_by_now_is_not_taken(
    archive: list[str], engine: Engine, likeness: Likeness, weights: Path
) -> None:
    likeness("encoders", "add", "precomputed", "--weights", weights)
    found = wanted(engine)
    assert found is not None
    npz(weights, range(COUNT), dimension=5)
    for verb in ("use", "add"):
        assert "is another by now" in likeness("encoders", verb, found.id).could_not()
    weights.unlink()
    assert "lacks weights file" in likeness("encoders", "use", found.id).could_not()


def test_a_removed_space_leaves_nothing(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, weights: Path
) -> None:
    with _node_runs(engine, settings):
        likeness("encoders", "add", "precomputed", "--weights", weights)
        likeness("encoders", "add", "baseline")
    [gone] = [entry["space"] for entry in _status(likeness) if not entry["in_use"]]
    path = settings.index_folder / f"{gone}.index"
    assert path.exists()
    assert f"is deleted: {COUNT} vectors" in likeness("encoders", "remove", gone, "--yes").out
    assert not path.exists()
    with engine.connect() as connection:
        left = text("SELECT count(*) FROM embeddings WHERE space_id = :id")
        assert connection.execute(left, {"id": gone}).scalar_one() == 0


def test_status_lists_the_spaces(
    archive: list[str], engine: Engine, likeness: Likeness, weights: Path
) -> None:
    likeness("encoders", "add", "precomputed", "--weights", weights)
    first, second = _status(likeness)
    assert (first["encoder"], first["in_use"], first["vectors"]) == ("baseline", True, COUNT)
    assert (second["encoder"], second["vectors"]) == ("precomputed", 0)
    assert second["wanted_since"] is not None
    lines = likeness("encoders", "status").out.splitlines()
    assert lines[0].startswith(f"* {first['space']} baseline: {COUNT} vectors, in use since 2")
    assert lines[1].startswith(f"  {second['space']} precomputed: 0 vectors, being filled since 2")
    assert "no node has begun yet" in lines[2]


def test_before_the_first_start_there_is_none(engine: Engine, likeness: Likeness) -> None:
    assert "there is no space yet" in likeness("encoders", "status").out


def test_the_nodes_status_tells_of_the_changeover(
    archive: list[str], likeness: Likeness, weights: Path
) -> None:
    assert json.loads(likeness("status", "--json").out)["changeover"] is None
    likeness("encoders", "add", "precomputed", "--weights", weights)
    told = json.loads(likeness("status", "--json").out)["changeover"]
    assert (told["encoder"], told["missing"]) == ("precomputed", 0)
    assert f"changeover: to precomputed, space {told['space']}: no node" in likeness("status").out


def test_verify_looks_at_each_space_that_has_an_index(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, weights: Path
) -> None:
    with _node_runs(engine, settings):
        likeness("encoders", "add", "precomputed", "--weights", weights, "--no-switch")
    found = wanted(engine)
    assert found is not None
    mine, other = likeness("verify").out.splitlines()
    assert mine == f"index and database agree: {COUNT} vectors"
    about = f"space {found.id} (precomputed, being filled): "
    assert other == f"{about}index and database agree: {COUNT} vectors"
    path = settings.index_folder / f"{found.id}.index"
    path.write_bytes(path.read_bytes()[:-1])
    ran = likeness("verify")
    assert ran.code == 1
    assert f"{about}the snapshot cannot be trusted: it is cut short" in ran.out
    assert f"index of space {found.id} rebuilt: {COUNT} vectors" in likeness("reindex").out
    assert likeness("verify").code == 0


def test_a_file_is_asked_with_by_the_encoder_in_use(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, tmp_path: Path
) -> None:
    """Not by the settings' one, which goes on naming the baseline."""
    path = npz(tmp_path / "more.npz", range(COUNT + 1))
    with _node_runs(engine, settings):
        likeness("encoders", "add", "precomputed", "--weights", path)
    asked = written(tmp_path / "asked.dcm", image(COUNT))
    answer = json.loads(likeness("search", asked, "--json").out)
    assert (answer["encoder"], answer["searched"]) == ("precomputed", COUNT)
    npz(path, range(COUNT), dimension=5)
    assert "made here is of space" in likeness("search", asked).could_not()


def test_a_file_is_still_asked_with_though_the_settings_changed(
    archive: list[str], likeness: Likeness, settings_file: Path, tmp_path: Path
) -> None:
    with settings_file.open("a") as file:
        file.write("[encoder]\nname = 'monai-densenet121'\n")
    asked = written(tmp_path / "asked.dcm", image(COUNT))
    assert json.loads(likeness("search", asked, "--json").out)["encoder"] == "baseline"


def test_whether_a_node_runs_is_seen_by_its_lock(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path)
    assert not node_runs(settings)
    with (tmp_path / "node.lock").open("a") as lock:
        assert not node_runs(settings)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert node_runs(settings)
    assert not node_runs(settings)


def test_the_encoder_of_a_maker_is_made(tmp_path: Path, weights: Path) -> None:
    settings = Settings(data_folder=tmp_path)
    space = summary_of(make_encoder(settings, Maker("precomputed", str(weights))).space)
    assert (space.encoder, space.dimension) == ("precomputed", 4)


def test_the_device_of_a_lock_is_told_as_the_kernel_tells_it(tmp_path: Path) -> None:
    """So that a file of the same inode number on another disk is another file."""
    with (tmp_path / "node.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        name = f"{_device(lock.fileno())}:{os.fstat(lock.fileno()).st_ino}"
        locks = Path("/proc/locks").read_text(encoding="ascii")
    assert name in locks.split()


def test_a_space_is_taken_by_hand_while_the_node_takes_it(
    archive: list[str], engine: Engine, settings: Settings, likeness: Likeness, weights: Path
) -> None:
    """Whoever switches holds that lock and then writes the space's row."""
    with _node_runs(engine, settings):
        likeness("encoders", "add", "precomputed", "--weights", weights, "--no-switch")
    space = wanted(engine)
    assert space is not None
    by_hand = threading.Thread(target=partial(use, engine, settings, space, incomplete=False))
    with engine.begin() as connection:
        spaces.alone(connection)
        by_hand.start()
        wait_until(lambda: _is_waiting_for_a_lock(engine), "the command to wait")
        spaces.use(connection, space.summary)
    by_hand.join()
    assert used(engine).id == space.id


def _is_waiting_for_a_lock(engine: Engine) -> bool:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        return bool(found.scalar_one())
