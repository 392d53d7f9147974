"""Encoder folders as declarations: what they may say, and which space they make."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from encoders import registry
from encoders.checked import CheckedEncoder
from encoders.encoder import EncoderError, EncoderOptions
from encoders.folders.naming import PREFIX, absolute
from encoders.folders.told import TOLD, WEIGHTS, read_told
from encoders.image import GrayscaleImage
from tests.encoders.folders.made import change, folder, without
from tests.encoders.training.small import recipe

OPTIONS = EncoderOptions(device="cpu")
IMAGE = GrayscaleImage(np.linspace(0, 1, 40 * 36, dtype=np.float32).reshape(40, 36))


def made(place: Path) -> CheckedEncoder:
    return registry.create(f"{PREFIX}{place}", OPTIONS)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return folder(tmp_path / "here")


def test_a_folder_is_an_encoder(here: Path) -> None:
    encoder = made(here)
    [vector] = encoder.embed([IMAGE])
    assert vector.shape == (16,)
    assert (encoder.space.encoder, encoder.space.dimension) == ("small", 16)


def test_a_moved_folder_keeps_its_space_and_its_vectors(here: Path, tmp_path: Path) -> None:
    before = made(here)
    shutil.copytree(here, tmp_path / "else" / "where")
    after = made(tmp_path / "else" / "where")
    assert after.space.id == before.space.id
    np.testing.assert_array_equal(after.embed([IMAGE]), before.embed([IMAGE]))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("config", "num_heads"), 4),  # tensors of the same names and shapes
        (("config", "dropout_rate"), 0.2),
        (("network",), "densenet121"),
        (("pooling",), "mean of patches"),
        (("preprocessing", "size"), 64),
        (("preprocessing", "mean"), [0.4]),
        (("preprocessing", "stretch"), True),
        (("name",), "other"),
        (("weights_sha256",), "0" * 64),
    ],
)
def test_what_changes_vectors_makes_another_space(
    here: Path, keys: tuple[str, ...], value: Any
) -> None:
    def space() -> str:
        from encoders.torch_encoder import space_of

        told = read_told(here)
        return space_of(registry.find(f"{PREFIX}{here}"), told.weights_sha256).id

    before = space()
    change(here, *keys, to=value)
    assert space() != before


def test_what_changes_no_vector_keeps_the_space(here: Path) -> None:
    before = made(here).space.id
    for key, value in (("summary", "x"), ("made", {}), ("outputs", ["y"]), ("licence", "z")):
        change(here, key, to=value)
    told = read_told(here)
    change(here, "config", to=dict(reversed(told.config.items())))
    assert made(here).space.id == before


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("format",), 2, "format"),
        (("colour",), "red", "colour: Extra inputs are not permitted"),
        (("name",), "", "name"),
        (("name",), "two\nlines", "name"),
        (("name",), "x" * 65, "name"),
        (("network",), "densent121", "no network 'densent121'; there are densenet121"),
        (("network",), "../../network", "no network"),
        (("network",), "os:system", "no network"),
        (("network",), "__import__('os').system('true')", "no network"),
        (("config",), "__import__('os')", "config"),
        (("config", "hidden_size"), float("nan"), "config"),
        (("config", "hidden_size"), "__import__('os')", "look at its config"),
        (("config", "hidden_size"), -16, "look at its config"),
        (("config", "num_heads"), 0, "look at its config"),
        (("config", "num_heads"), 3, "look at its config"),
        (("config", "hidden_size"), 32, "does not fit the network"),
        (("config", "whatever"), 1, "whatever.*look at its config"),
        (("dimension",), 0, "dimension"),
        (("dimension",), 1.5, "dimension"),
        (("preprocessing", "size"), 0, "preprocessing.*at least one pixel, and at most 4096"),
        (("preprocessing", "size"), 10**9, "preprocessing.*at least one pixel, and at most 4096"),
        (("preprocessing", "mean"), [float("nan")], "preprocessing.mean"),
        (("preprocessing", "std"), [0.0], "std above 0"),
        (("preprocessing", "std"), [0.5, 0.5], "as many channels"),
        (("preprocessing", "low"), 2.0, "low is below high"),
        (("preprocessing", "sharpen"), True, "preprocessing.sharpen"),
        (("preprocessing", "filter"), "/etc/passwd", "preprocessing.filter"),
        (("preprocessing", "regions"), "grid 9x9", "no layout 'grid 9x9'"),
        (("weights_sha256",), "../../x", "weights_sha256"),
        (("weights_sha256",), "0" * 64, "is not the one that its folder's declaration tells of"),
    ],
)
def test_a_faulty_declaration_is_refused(
    here: Path, keys: tuple[str, ...], value: Any, message: str
) -> None:
    change(here, *keys, to=value)
    with pytest.raises(EncoderError, match=message):
        made(here)


def test_a_declared_dimension_that_is_not_the_network_s_is_refused(here: Path) -> None:
    change(here, "dimension", to=8)
    with pytest.raises(EncoderError, match=r"shape \(1, 16\), not \(1, 8\)"):
        made(here).embed([IMAGE])


@pytest.mark.parametrize("key", ["name", "network", "config", "preprocessing", "weights_sha256"])
def test_what_lacks_is_told(here: Path, key: str) -> None:
    without(here, key)
    with pytest.raises(EncoderError, match=f"{TOLD}: {key}: Field required"):
        made(here)


def test_all_faults_are_told_at_once(here: Path) -> None:
    change(here, "dimension", to=-1)
    change(here, "colour", to="red")
    with pytest.raises(EncoderError, match=r"dimension.*; colour"):
        made(here)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Invalid JSON"),
        (b"\xff\xfe\x00", "Invalid JSON"),
        (b"[]", "valid dictionary|object"),
        (b"{" * 9000, "Invalid JSON"),
        (b'{"format": 1', "Invalid JSON"),
    ],
)
def test_a_declaration_that_is_none(here: Path, content: bytes, message: str) -> None:
    (here / TOLD).write_bytes(content)
    with pytest.raises(EncoderError, match=message):
        made(here)


def _gone(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 7)


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 64
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_gone, "lacks weights file .*model.safetensors .copy the whole folder"),
        (_cut, "SHA-256 differs; copy the whole folder again"),
        (_flipped, "SHA-256 differs"),
        (_empty, "SHA-256 differs"),
    ],
)
def test_weights_that_are_damaged_or_gone(
    here: Path, harm: Callable[[Path], None], message: str
) -> None:
    harm(here / WEIGHTS)
    with pytest.raises(EncoderError, match=message):
        made(here)


def test_weights_of_another_folder_are_refused(here: Path, tmp_path: Path) -> None:
    other = folder(tmp_path / "other", seed=1)
    shutil.copy(other / WEIGHTS, here / WEIGHTS)
    with pytest.raises(EncoderError, match="SHA-256 differs"):
        made(here)


def test_weights_that_are_whole_and_hold_nan_are_refused(here: Path) -> None:
    import hashlib

    tensors = load_file(here / WEIGHTS)
    tensors["norm.weight"][3] = float("nan")
    save_file(tensors, here / WEIGHTS)
    digest = hashlib.sha256((here / WEIGHTS).read_bytes()).hexdigest()
    change(here, "weights_sha256", to=digest)
    with pytest.raises(EncoderError, match=r"holds NaN or infinity in norm.weight"):
        made(here)


def test_other_weights_by_the_settings_are_refused(here: Path, tmp_path: Path) -> None:
    other = folder(tmp_path / "other", seed=1) / WEIGHTS
    options = EncoderOptions(device="cpu", weights=other)
    with pytest.raises(EncoderError, match=r"other weights than its folder's .remove encoder.weig"):
        registry.create(f"{PREFIX}{here}", options)


@pytest.mark.parametrize("name", ["", "nowhere", "a/file"])
def test_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    with pytest.raises(
        EncoderError, match=r"cannot be read .*; an encoder folder has encoder.json"
    ):
        registry.create(f"{PREFIX}{tmp_path / name}")


def test_an_encoder_that_sees_regions_finds_them_itself(tmp_path: Path) -> None:
    asked = recipe(
        preprocessing={"regions": "grid 2x3"},
        network={"config": {**recipe().network.config, "in_channels": 6}},
    )
    [vector] = made(folder(tmp_path / "regions", asked)).embed([IMAGE])
    assert vector.shape == (16,)


def test_names_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert absolute("baseline") == "baseline"
    assert absolute("timm:a/b") == "timm:a/b"
    assert absolute("folder:one/two") == f"folder:{tmp_path}/one/two"
    assert absolute("folder:/one") == "folder:/one"
    assert absolute("folder:~/one") == "folder:/home/somebody/one"
    assert absolute("folder:one", Path("/etc")) == "folder:/etc/one"
