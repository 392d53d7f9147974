"""The file of a community index: what was saved comes back, and nothing else does."""

from pathlib import Path

import numpy as np
import pytest

from storage.communities.kept import About, Kept, about, load, path_beside, save
from storage.communities.partition import Method
from storage.communities.searching import CommunityIndex
from storage.index import forget, snapshot_path
from storage.vectors import sections
from storage.vectors.base import SnapshotError
from tests.storage.communities.test_graph import drawn

INDEX = CommunityIndex.build(
    drawn(1, 60, 4), np.arange(100, 160), 5, Method.LEIDEN, resolution=2.0, seed=3, least=2
)


def test_what_was_saved_answers_the_same(tmp_path: Path) -> None:
    path = tmp_path / "new" / "communities"
    save(path, Kept(INDEX, "a space", 17))
    kept = load(path, "a space")
    assert (kept.space_id, kept.watermark) == ("a space", 17)
    assert kept.index.graph.threshold == INDEX.graph.threshold
    for key in INDEX.keys.tolist():
        assert kept.index.search_member(key, 20) == INDEX.search_member(key, 20)
    was, found = INDEX.partition, kept.index.partition
    assert (found.method, found.resolution, found.seed, found.least) == (
        was.method,
        was.resolution,
        was.seed,
        was.least,
    )


def test_it_says_what_it_is_of(tmp_path: Path) -> None:
    path = tmp_path / "communities"
    save(path, Kept(INDEX, "a space", 17, 5))
    count = len(set(INDEX.partition.labels.tolist()))
    assert about(path, "a space") == About(17, Method.LEIDEN, 5, 60, count)
    assert load(path, "a space").degree == 5


def test_a_head_that_lacks_something_is_refused(tmp_path: Path) -> None:
    said = {"format": "likeness-communities-1", "space_id": "a space"}
    sections.write(tmp_path / "old", said, {})
    for read in (about, load):
        with pytest.raises(SnapshotError, match="its head lacks '"):
            read(tmp_path / "old", "a space")


def test_it_goes_with_the_index_beside_it(tmp_path: Path) -> None:
    path = path_beside(snapshot_path(tmp_path, "a"))
    other = path_beside(snapshot_path(tmp_path, "b"))
    for one in (path, other):
        save(one, Kept(INDEX, "a space", 1))
    forget(tmp_path, "a")
    assert (path.exists(), other.exists()) == (False, True)


def test_a_later_one_takes_its_place(tmp_path: Path) -> None:
    for watermark in (1, 2):
        save(tmp_path / "communities", Kept(INDEX, "a space", watermark))
    assert load(tmp_path / "communities", "a space").watermark == 2


def test_another_space_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "communities", Kept(INDEX, "a space", 1))
    with pytest.raises(SnapshotError, match="it holds space a space, asked was another"):
        load(tmp_path / "communities", "another")


@pytest.mark.parametrize("at", [20, 5000, -10])
def test_an_altered_file_is_refused(tmp_path: Path, at: int) -> None:
    path = tmp_path / "communities"
    save(path, Kept(INDEX, "a space", 1))
    altered = bytearray(path.read_bytes())
    altered[at] ^= 1
    path.write_bytes(altered)
    with pytest.raises(SnapshotError):
        load(path, "a space")


@pytest.mark.parametrize("length", [0, 100, 9000])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "communities"
    save(path, Kept(INDEX, "a space", 1))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(SnapshotError):
        load(path, "a space")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    sections.write(tmp_path / "other", {"format": "likeness-index-2"}, {})
    with pytest.raises(SnapshotError, match="its format is 'likeness-index-2'"):
        load(tmp_path / "other", "a space")


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "communities", "a space")
