"""Fetching weights from a hub in this process, through the hub's own library."""

import dataclasses
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import huggingface_hub.utils
import pytest

from encoders.declaration import Declaration, Hub, OwnFile
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import kept_path, lack_of_weights, located
from encoders.hub_fetch import Fetched, Request, fetch
from encoders.lock import alone, read_lock
from tests.encoders import hub_server

CONTENT = bytes(range(256)) * 800  # 200 KiB
NEWER = CONTENT[::-1]
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MADE = Declaration(
    name="made",
    summary="",
    network="",
    dimension=1,
    licence="",
    source=Hub(hub_server.REPOSITORY, hub_server.FILE),
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    with hub_server.running(hub_server.Hub()) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        served.publish(CONTENT)
        yield served
    huggingface_hub.utils.close_session()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def fetched(folder: Path, **request: object) -> Fetched:
    return fetch(MADE, folder, Request(**request))  # type: ignore[arg-type]


def refused(folder: Path, **request: object) -> str:
    with pytest.raises(EncoderError) as caught:
        fetched(folder, **request)
    return str(caught.value)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_file_and_its_lock_are_all_that_a_fetch_leaves(
    hub: hub_server.Hub, folder: Path
) -> None:
    got = fetched(folder)
    commit = hub.commits["main"]
    assert files(folder) == {"lock.json", f"made/weights/{commit}/model.safetensors"}
    assert got.path.read_bytes() == CONTENT
    assert (got.before, got.downloaded, got.fault) == (None, True, None)
    entry = json.loads((folder / "lock.json").read_text())["encoders"]["made"]
    assert datetime.fromisoformat(entry.pop("fetched_at")).utcoffset() is not None
    assert entry == {
        "repository": "made/weights",
        "revision": "main",
        "commit": commit,
        "file": "model.safetensors",
        "size": len(CONTENT),
        "sha256": SHA256,
    }


def test_afterwards_no_network_is_needed(hub: hub_server.Hub, folder: Path) -> None:
    fetched(folder)
    asked = len(hub.seen)
    again = fetched(folder)
    options = EncoderOptions(folder=folder)
    assert (again.downloaded, again.before) == (False, again.locked)
    assert lack_of_weights(MADE, options) is None
    assert located(MADE, options).sha256 == SHA256
    assert len(hub.seen) == asked


def test_the_folder_can_be_carried_elsewhere(
    hub: hub_server.Hub, folder: Path, tmp_path: Path
) -> None:
    fetched(folder)
    there = folder.rename(tmp_path / "elsewhere")
    assert located(MADE, EncoderOptions(folder=there)).sha256 == SHA256


def test_a_cut_download_is_gone_on_with(hub: hub_server.Hub, folder: Path) -> None:
    whole = CONTENT * 60  # the library writes 10 MiB at a time
    commit = hub.publish(whole)
    hub.cut_after = 11 << 20
    assert "HTTP 503" in refused(folder)
    assert files(folder) == {f"made/weights/{commit}/model.safetensors.part"}
    came = (folder / "made" / "weights" / commit / "model.safetensors.part").read_bytes()
    assert len(came) >= 10 << 20
    assert whole.startswith(came)
    hub.refuses = None
    assert fetched(folder).path.read_bytes() == whole
    assert hub.seen[-1].headers["range"] == f"bytes={len(came)}-"
    assert files(folder) == {"lock.json", f"made/weights/{commit}/model.safetensors"}


def left(hub: hub_server.Hub, folder: Path, content: bytes) -> None:
    part = folder / "made" / "weights" / hub.commits["main"] / "model.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content)


@pytest.mark.parametrize("size", [0, 1, 70_000, len(CONTENT), len(CONTENT) + 1])
@pytest.mark.parametrize("ranges", [True, False])
def test_what_an_interrupted_fetch_left_is_used(
    hub: hub_server.Hub, folder: Path, size: int, ranges: bool
) -> None:
    left(hub, folder, (CONTENT + b"surplus")[:size])
    hub.ranges = ranges
    assert fetched(folder).path.read_bytes() == CONTENT


def test_a_spoiled_rest_is_thrown_away_and_the_next_fetch_is_good(
    hub: hub_server.Hub, folder: Path
) -> None:
    left(hub, folder, bytes(1000))
    assert "altered on its way" in refused(folder)
    assert fetched(folder).path.read_bytes() == CONTENT


def test_what_tries_at_other_commits_left_is_removed(hub: hub_server.Hub, folder: Path) -> None:
    left(hub, folder, CONTENT[:10])
    commit = hub.publish(NEWER)
    fetched(folder)
    assert [path.name for path in (folder / "made" / "weights").iterdir()] == [commit]


def test_an_altered_body_is_refused(hub: hub_server.Hub, folder: Path) -> None:
    hub.altered = True
    said = refused(folder)
    assert "model.safetensors of made/weights was altered" in said
    assert SHA256 in said
    assert files(folder) == set()


def test_a_hub_that_tells_no_size_and_no_digest(hub: hub_server.Hub, folder: Path) -> None:
    hub.told = {"X-Linked-Size": None, "X-Linked-Etag": None, "ETag": '"abc"'}
    left(hub, folder, CONTENT[:10])
    got = fetched(folder)
    assert (got.locked.sha256, got.locked.size) == (SHA256, len(CONTENT))


def test_one_who_answers_but_is_no_hub(hub: hub_server.Hub, folder: Path) -> None:
    hub.told = {"X-Repo-Commit": None}
    assert "not as a model hub" in refused(folder)


def test_a_file_larger_than_the_disk_is_not_begun(hub: hub_server.Hub, folder: Path) -> None:
    hub.told = {"X-Linked-Size": str(10**18)}
    assert re.search(r"needs 1000000000.0 GB more, \d+\.\d GB are free", refused(folder))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_is_told(hub: hub_server.Hub, folder: Path) -> None:
    part = folder / "made" / "weights" / hub.commits["main"] / "model.safetensors.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    assert "is full; what was fetched so far is kept" in refused(folder)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ((401, "RepoNotFound"), "made/weights is not there, or given only to those who say"),
        ((401, ""), "--token-file FILE or in HF_TOKEN"),
        ((401, "GatedRepo"), "accepted its terms: do so on that page, then make a token"),
        ((403, ""), "accepted its terms"),
        ((404, "RevisionNotFound"), "no revision 'main'"),
        ((404, "EntryNotFound"), "no file model.safetensors at revision 'main'"),
        ((404, ""), "does HF_ENDPOINT name a whole mirror"),
        ((500, ""), "HTTP 500"),
    ],
)
def test_refusals_say_what_to_do(
    hub: hub_server.Hub, folder: Path, refusal: tuple[int, str], expected: str
) -> None:
    hub.refuses = refusal
    said = refused(folder)
    assert expected in said
    assert hub.url in said
    assert files(folder) == set()


def test_a_token_opens_gated_weights_and_stays_with_the_hub(
    hub: hub_server.Hub, folder: Path, tmp_path: Path
) -> None:
    hub.token = "hf_good"
    (tmp_path / "token").write_text("hf_good\n")
    fetched(folder, token_file=tmp_path / "token")
    assert {seen.host for seen in hub.seen if "authorization" in seen.headers} == {"127.0.0.1"}
    assert any(seen.host == "localhost" for seen in hub.seen)


def test_the_environments_token_is_used_and_one_of_no_use_is_told(
    hub: hub_server.Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "hf_good"
    monkeypatch.setenv("HF_TOKEN", "hf_of_someone_else")
    said = refused(folder)
    assert "with the account of your token" in said
    assert "hf_of" not in said
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert fetched(folder).downloaded


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\xfe", b"one\nmore"])
def test_a_file_without_a_token_is_refused(
    hub: hub_server.Hub, folder: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    said = refused(folder, token_file=path)
    assert str(path) in said
    assert "words" not in said
    assert hub.seen == []


def test_requests_name_this_program_and_no_other(hub: hub_server.Hub, folder: Path) -> None:
    fetched(folder)
    assert {seen.headers["user-agent"] for seen in hub.seen} == {"likeness"}


def test_nobody_there(hub: hub_server.Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_server.running(hub_server.Hub()) as gone:
        monkeypatch.setenv("HF_ENDPOINT", gone.url)
    said = refused(folder)
    assert said.startswith(f"{gone.url} gives no answer (")
    assert "copy its folder of weights" in said


@pytest.mark.parametrize("endpoint", ["", "nonsense", "ftp://hub", "http://"])
def test_an_endpoint_that_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert "HF_ENDPOINT" in refused(folder)


def test_weights_are_fetched_again_only_when_asked(hub: hub_server.Hub, folder: Path) -> None:
    old = fetched(folder)
    commit = hub.publish(NEWER)
    assert fetched(folder).locked == old.locked
    new = fetched(folder, again=True)
    assert (new.before, new.locked.commit) == (old.locked, commit)
    assert new.path.read_bytes() == NEWER
    assert old.path.read_bytes() == CONTENT  # a running node may still read it
    assert kept_path("made", folder, SHA256) == old.path
    back = fetched(folder, again=True, revision=old.locked.commit)
    assert (back.downloaded, back.locked.sha256) == (False, SHA256)


def test_encoders_that_take_one_file_share_it(hub: hub_server.Hub, folder: Path) -> None:
    first = fetched(folder)
    asked = len(hub.seen)
    other = fetch(dataclasses.replace(MADE, name="other"), folder, Request())
    assert (other.path, other.downloaded, other.before) == (first.path, False, None)
    assert len(hub.seen) == asked
    assert read_lock(folder).encoders["other"] == first.locked


def test_a_revision_can_be_asked_for(hub: hub_server.Hub, folder: Path) -> None:
    commit = hub.publish(NEWER, "refs/pr/1")
    got = fetched(folder, revision="refs/pr/1")
    assert (got.locked.revision, got.locked.commit) == ("refs/pr/1", commit)
    assert "with --again 'main' is fetched" in refused(folder, revision="main")
    assert not fetched(folder, revision=commit).downloaded


def cut_short(path: Path) -> None:
    path.write_bytes(CONTENT[:-1])


def grown(path: Path) -> None:
    path.write_bytes(CONTENT + b"x")


def altered(path: Path) -> None:
    path.write_bytes(b"x" + CONTENT[1:])


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (cut_short, "cut short: 204799 of 204800 bytes"),
        (grown, "204801 bytes, not 204800"),
        (altered, "its SHA-256 differs from the lock's"),
        (Path.unlink, "gone"),
    ],
)
def test_spoiled_weights_are_refused_and_mended_at_their_commit(
    hub: hub_server.Hub, folder: Path, spoil: object, fault: str
) -> None:
    old = fetched(folder)
    hub.publish(NEWER)
    assert callable(spoil)
    spoil(old.path)
    with pytest.raises(EncoderError, match=r"likeness encoders fetch made") as caught:
        located(MADE, EncoderOptions(folder=folder))
    assert str(old.path) in str(caught.value)
    mended = fetched(folder)
    assert fault in (mended.fault or "")
    assert (mended.locked, mended.downloaded) == (old.locked, True)
    assert located(MADE, EncoderOptions(folder=folder)).sha256 == SHA256


def test_a_lost_lock_is_written_anew_without_a_download(hub: hub_server.Hub, folder: Path) -> None:
    old = fetched(folder).locked
    (folder / "lock.json").unlink()
    got = fetched(folder)
    assert not got.downloaded
    assert read_lock(folder).encoders["made"].sha256 == old.sha256


def test_two_fetches_of_one_encoder_do_not_meet(hub: hub_server.Hub, folder: Path) -> None:
    fetched(folder)
    with alone(folder / "made" / "weights"):
        assert "another process is fetching" in refused(folder)


@pytest.mark.parametrize(
    ("source", "expected"), [(None, "needs no weights"), (OwnFile("a file of X"), "a file of X")]
)
def test_encoders_without_published_weights(
    folder: Path, source: OwnFile | None, expected: str
) -> None:
    made = dataclasses.replace(MADE, source=source)
    with pytest.raises(EncoderError, match=expected):
        fetch(made, folder, Request())


def test_the_hubs_library_is_named_where_it_is_missing(
    hub: hub_server.Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched(folder)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert not fetched(folder).downloaded  # what is here needs no library
    assert "pip install 'huggingface_hub>=" in refused(folder, again=True)
