"""Encoder folders are written whole, or not at all."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from encoders.folders.told import HEAD, TOLD, WEIGHTS, read_told
from encoders.folders.writing import tensors_of, write_file
from encoders.networks.pooled import PooledNetwork
from tests.encoders.folders.made import folder


def test_weights_are_the_body_s_and_those_of_the_head(tmp_path: Path) -> None:
    here = folder(tmp_path / "here")
    names = load_file(here / WEIGHTS).keys()
    assert {one for one in names if one.startswith(HEAD)} == {"head.out.weight", "head.out.bias"}
    digest = hashlib.sha256((here / WEIGHTS).read_bytes()).hexdigest()
    assert read_told(here).weights_sha256 == digest
    assert {one.name for one in here.iterdir()} == {TOLD, WEIGHTS}


def test_the_same_network_is_the_same_file(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one"), folder(tmp_path / "other")
    assert (one / WEIGHTS).read_bytes() == (other / WEIGHTS).read_bytes()
    assert (one / TOLD).read_bytes() == (other / TOLD).read_bytes()


def test_a_body_with_names_of_a_head_s_is_refused() -> None:
    network = PooledNetwork(nn.ModuleDict({"head": nn.Linear(1, 1)}), lambda found: found)
    with pytest.raises(ValueError, match=r"head\.weight"):
        tensors_of(network)


def test_tensors_of_one_storage_are_written_apart() -> None:
    linear = nn.Linear(2, 2)
    body = nn.ModuleDict({"one": linear, "two": linear})
    found = tensors_of(PooledNetwork(body, lambda one: one))
    assert torch.equal(found["one.weight"], found["two.weight"])
    assert found["one.weight"].data_ptr() != found["two.weight"].data_ptr()


def test_what_was_there_stays_where_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    write_file(file, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_file(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
