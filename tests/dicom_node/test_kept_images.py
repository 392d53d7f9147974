"""Images kept for embedding again: exact, bounded, private, and no study's business."""

import logging
import multiprocessing
import os
import stat
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from dicom_node.kept_format import DamagedError, packed, plain, unpacked
from dicom_node.kept_images import KeptImages, KeptKey
from tests.dicom_node.filesystems import small_tmpfs

KB = 1000


def key(number: int = 0) -> KeptKey:
    return KeptKey(f"{number:064x}", None, "rule")


def noise(seed: int = 0, shape: tuple[int, int] = (20, 25)) -> NDArray[np.uint16]:
    """Samples that nothing makes smaller: 1000 bytes, and some more as a file."""
    return np.random.default_rng(seed).integers(0, 1 << 16, shape, dtype=np.uint16)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in files(folder))


@given(arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_every_image_comes_back_as_it_was(samples: NDArray[np.uint16]) -> None:
    for way in (plain, packed):
        found = unpacked(way(samples))
        np.testing.assert_array_equal(found, samples)
        assert found.dtype == np.uint16


@given(st.integers(1, 1 << 16), st.integers(0, 1))
def test_few_gray_levels_come_back_as_they_were(levels: int, axis: int) -> None:
    rng = np.random.default_rng(levels)
    chosen = rng.integers(0, 1 << 16, levels, dtype=np.uint16)
    samples = np.sort(chosen[rng.integers(0, levels, (30, 40))], axis=axis)
    np.testing.assert_array_equal(unpacked(packed(samples)), samples)


def test_an_image_of_400_gray_levels_takes_less_than_half() -> None:
    """A CT slice in a soft tissue window: one gray level for each HU."""
    steps = np.cumsum(np.random.default_rng(0).integers(-9, 10, (512, 512)), axis=1)
    samples = np.rint(np.clip(steps + 200, 0, 399) * (65535 / 399)).astype(np.uint16)
    assert len(packed(samples)) < 0.4 * samples.nbytes


@pytest.mark.parametrize("soon", [False, True])
def test_what_is_put_is_there_for_another_process_and_after_a_restart(
    tmp_path: Path, soon: bool
) -> None:
    kept = KeptImages(tmp_path / "images", most_bytes=100 * KB)
    (kept.put_soon if soon else kept.put)(key(1), noise(1))
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        found = pool.apply(_get, (tmp_path / "images", key(1)))
    np.testing.assert_array_equal(found, noise(1))
    assert kept.get(key(2)) is None


def _get(folder: Path, wanted: KeptKey) -> NDArray[np.uint16] | None:
    return KeptImages(folder, most_bytes=100 * KB).get(wanted)


@pytest.mark.parametrize(
    "other",
    [
        KeptKey("b" * 64, 2, "rule"),
        KeptKey("a" * 64, 3, "rule"),
        KeptKey("a" * 64, None, "rule"),
        KeptKey("a" * 64, 2, "another rule"),
    ],
)
def test_whatever_decides_how_an_image_looks_is_in_its_key(other: KeptKey) -> None:
    assert other.name != KeptKey("a" * 64, 2, "rule").name


def test_the_oldest_go_first_and_the_bound_holds_after_a_restart(tmp_path: Path) -> None:
    """Each image takes some 1.1 KB; 10 KB hold eight or nine of them."""
    for number in range(30):
        KeptImages(tmp_path, most_bytes=10 * KB).put(key(number), noise(number))
        _is_as_old_as(tmp_path, key(number), number)
        assert size(tmp_path) <= 10 * KB
    kept = KeptImages(tmp_path, most_bytes=10 * KB)
    there = [number for number in range(30) if kept.get(key(number)) is not None]
    assert there == list(range(30 - len(there), 30))
    assert 7 <= len(there) <= 9


def _is_as_old_as(folder: Path, kept: KeptKey, seconds: int) -> None:
    (path,) = folder.rglob(kept.name)
    os.utime(path, (1_000_000 + seconds,) * 2)


def test_the_bound_holds_while_several_threads_write(tmp_path: Path) -> None:
    kept = KeptImages(tmp_path, most_bytes=20 * KB)

    def write(first: int) -> None:
        for number in range(first, first + 40):
            kept.put(key(number), noise(number))

    threads = [threading.Thread(target=write, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 10 * KB < size(tmp_path) <= 20 * KB


def test_an_image_larger_than_all_that_may_be_kept_is_not(tmp_path: Path) -> None:
    kept = KeptImages(tmp_path, most_bytes=500)
    kept.put(key(), noise())
    assert (kept.get(key()), files(tmp_path)) == (None, [])


def test_nothing_is_kept_where_nothing_is_to_be(tmp_path: Path) -> None:
    kept = KeptImages(tmp_path / "images", most_bytes=0)
    kept.put(key(), noise())
    kept.put_soon(key(), noise())
    assert not kept.pack_one()
    assert kept.get(key()) is None
    assert not (tmp_path / "images").exists()


def test_what_cannot_be_packed_stays_as_it_is_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be the last there is of its pixels."""
    kept = KeptImages(tmp_path, most_bytes=100 * KB)
    kept.put_soon(key(), noise())
    place = tmp_path / key().name[:2]
    place.write_text("a file where the folder should be")
    assert [kept.pack_one() for _ in range(3)] == [False] * 3
    np.testing.assert_array_equal(kept.get(key()), noise())
    assert sum("not kept for embedding again" in told for told in caplog.messages) == 1
    place.unlink()
    assert kept.pack_one()
    np.testing.assert_array_equal(kept.get(key()), noise())
    assert files(tmp_path / "plain") == []


@pytest.mark.parametrize("refuses", ["full", "read-only"])
def test_a_disk_that_refuses_destroys_nothing(tmp_path: Path, refuses: str) -> None:
    with small_tmpfs(tmp_path) as disk:
        kept = KeptImages(disk.folder / "images", most_bytes=10_000 * KB)
        for number in range(3):
            kept.put_soon(key(number), noise(number, (200, 250)))
        with ExitStack() as stack:
            if refuses == "full":
                disk.leave_free(0)
            else:
                stack.enter_context(disk.read_only())
            assert not kept.pack_one()
            for number in range(3):
                np.testing.assert_array_equal(kept.get(key(number)), noise(number, (200, 250)))


def test_a_file_that_cannot_be_read_now_is_not_taken_for_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptImages(tmp_path, most_bytes=100 * KB)
    (tmp_path / "plain" / key().name).mkdir(parents=True)  # reading it is an OSError
    assert [kept.get(key()) for _ in range(3)] == [None] * 3
    assert not kept.pack_one()
    assert sum("cannot be read" in told for told in caplog.messages) == 1
    assert "damaged" not in caplog.text


def test_what_was_put_soon_is_packed_later_and_stays_as_old_as_it_is(tmp_path: Path) -> None:
    kept = KeptImages(tmp_path, most_bytes=100 * KB)
    even = np.full((20, 25), 7, np.uint16)
    kept.put_soon(key(), even)
    _is_as_old_as(tmp_path, key(), 5)
    assert size(tmp_path) > even.nbytes
    assert kept.pack_one()
    assert not kept.pack_one()
    (path,) = files(tmp_path)
    assert path.stat().st_mtime == 1_000_005
    assert path.stat().st_size < 300
    np.testing.assert_array_equal(kept.get(key()), even)


def test_a_worker_that_is_never_idle_packs_at_once_before_all_is_full(tmp_path: Path) -> None:
    """A quarter of the bound may be as it is: 25 of 100 images of 1 KB."""
    kept = KeptImages(tmp_path, most_bytes=100 * KB)
    for number in range(40):
        kept.put_soon(key(number), np.full((20, 25), number, np.uint16))
    assert 20 <= len(files(tmp_path / "plain")) <= 25
    assert len(files(tmp_path)) == 40
    while kept.pack_one():
        pass
    assert files(tmp_path / "plain") == []
    assert all(kept.get(key(number)) is not None for number in range(40))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "changed": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "another shape": lambda data: data.replace(b"[20, 25]", b"[20, 26]"),
    "no shape": lambda data: data.replace(b'"shape"', b'"form"'),
    "no JSON": lambda data: b"\xff\xfe" + data,
    "no object": lambda _: b"[]\n",
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("way", [plain, packed], ids=["plain", "packed"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_told_as_one(
    damage: str, way: Callable[[NDArray[np.uint16]], bytes]
) -> None:
    data = way(noise())
    assert len(unpacked(data)) == 20
    with pytest.raises(DamagedError):
        unpacked(DAMAGES[damage](data))


@pytest.mark.parametrize("soon", [False, True])
def test_a_damaged_file_is_removed_and_told_in_the_log(
    tmp_path: Path, soon: bool, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptImages(tmp_path, most_bytes=100 * KB)
    (kept.put_soon if soon else kept.put)(key(), noise())
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    assert kept.get(key()) is None
    assert files(tmp_path) == []
    assert "is damaged and removed" in caplog.text
    assert not kept.pack_one()


def test_only_the_nodes_own_account_may_read_them(tmp_path: Path) -> None:
    kept = KeptImages(tmp_path / "images", most_bytes=100 * KB)
    kept.put(key(1), noise(1))
    kept.put_soon(key(2), noise(2))
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "images").rglob("*")}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    assert stat.S_IMODE((tmp_path / "images").stat().st_mode) == 0o700


def test_a_disk_that_takes_nothing_is_told_once_and_hinders_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").write_text("a file where the folder should be")
    kept = KeptImages(tmp_path / "images", most_bytes=100 * KB)
    for number in range(3):
        kept.put(key(number), noise())
        kept.put_soon(key(number), noise())
    assert not kept.pack_one()
    assert kept.get(key()) is None
    told = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert [r.getMessage().split(":")[0] for r in told][:1] == [
        "images are not kept for embedding again"
    ]
    assert sum("not kept" in r.getMessage() for r in told) == 1
    (tmp_path / "images").unlink()
    kept.put(key(), noise())
    assert kept.get(key()) is not None
