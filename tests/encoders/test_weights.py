"""Files of weights: formats, damage, what fits a network, and what memory they take."""

import dataclasses
import os
import re
import socket
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets.densenet import DenseNet121
from safetensors.torch import save_file
from torch import Tensor, nn

from encoders.declaration import Hub, Names
from encoders.encoder import EncoderError, EncoderOptions
from encoders.fetched import WeightsFile, located, sha256_of
from encoders.image import GrayscaleImage
from encoders.lock import Locked, locked_path, write_locked
from encoders.registry import create, find, make
from encoders.weights import Weights, load_into, read_weights

BLANK = GrayscaleImage(np.zeros((32, 32), np.float32))


def tensors() -> dict[str, Tensor]:
    made = torch.Generator().manual_seed(3)
    return {
        "body.weight": torch.randn(3, 4, generator=made),
        "body.bias": torch.randn(3, generator=made),
    }


def opened(path: Path, *, pickle_allowed: bool = True) -> Weights:
    return read_weights(WeightsFile(path, sha256_of(path), pickle_allowed))


def same(found: Weights, expected: dict[str, Tensor]) -> bool:
    return set(found.tensors) == set(expected) and all(
        torch.equal(found.tensors[name], tensor) for name, tensor in expected.items()
    )


class Touch:
    """Unpickled by the book it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize(
    "held",
    [
        tensors(),
        OrderedDict(tensors()),
        {"state_dict": tensors(), "epoch": 3, "args": {"lr": 0.1}},
        {"model": {"state_dict": tensors()}, "optimizer": {"state": {}}},
        dict([*tensors().items(), ("version", "1"), (7, torch.zeros(1))]),
        {name: nn.Parameter(tensor) for name, tensor in tensors().items()},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_give_their_tensors_where_allowed(
    tmp_path: Path, held: object, zipped: bool
) -> None:
    path = tmp_path / "weights.pt"
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    assert same(opened(path), tensors())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_pickle_needs_leave_whatever_its_name(tmp_path: Path, name: str, zipped: bool) -> None:
    path = tmp_path / name
    torch.save(tensors(), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(EncoderError, match="a pickle, which can hold programs") as caught:
        opened(path, pickle_allowed=False)
    assert "encoder.allow_pickle = true" in str(caught.value)
    assert f"likeness encoders convert {path}" in str(caught.value)


def test_a_safetensors_file_needs_none_whatever_its_name(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "weights.bin", {"size": "96"})
    found = opened(tmp_path / "weights.bin", pickle_allowed=False)
    assert same(found, tensors())
    assert found.metadata == {"size": "96"}


def test_a_header_that_begins_like_a_pickle_is_none(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"w": torch.zeros(1)}, path, {"padding": ""})
    length = int.from_bytes(path.read_bytes()[:8], "little")
    save_file({"w": torch.zeros(1)}, path, {"padding": "x" * (0x480 - length)})
    assert path.read_bytes()[:2] == b"\x80\x04"  # as pickles of protocol 4 do
    assert opened(path, pickle_allowed=False).metadata


@pytest.mark.parametrize("zipped", [True, False])
def test_programs_in_pickles_do_not_run(tmp_path: Path, zipped: bool) -> None:
    path, made = tmp_path / "weights.pt", tmp_path / "made"
    torch.save({**tensors(), "x": Touch(made)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(EncoderError, match="mkdir"):
        opened(path)
    assert not made.exists()


@pytest.mark.parametrize("held", [[1, 2], "text", {}, {"epoch": 1}, {7: torch.zeros(1)}])
def test_a_pickle_of_other_things(tmp_path: Path, held: object) -> None:
    torch.save(held, tmp_path / "weights.pt")
    with pytest.raises(EncoderError, match="holds no named tensors"):
        opened(tmp_path / "weights.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_cut_short_anywhere_is_refused(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "weights.pt"
    torch.save(tensors(), path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:size])
        with pytest.raises(EncoderError, match=re.escape(str(path))):
            opened(path)


def test_a_safetensors_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(tensors(), path)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:size])
        with pytest.raises(EncoderError, match="no whole safetensors file"):
            opened(path)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_damage_never_gets_further_than_a_reason(tmp_path: Path, kind: str, seed: int) -> None:
    path = tmp_path / "weights"
    if kind == "safetensors":
        save_file(tensors(), path)
    else:
        torch.save(tensors(), path, _use_new_zipfile_serialization=kind == "zip")
    rng = np.random.default_rng(seed)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(40):
        spoiled = whole.copy()
        spoiled[rng.integers(0, len(whole), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(spoiled.tobytes())
        with suppress(EncoderError):  # damage to the numbers themselves is for the digest to find
            opened(path)


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.register_buffer("count", torch.tensor(1))


def weights(**changes: Tensor | None) -> Weights:
    held = {**tensors(), "count": torch.tensor(2), **changes}
    kept = {name: tensor for name, tensor in held.items() if tensor is not None}
    return Weights(Path("made.safetensors"), "", kept, {})


def test_half_precision_is_taken_as_it_is() -> None:
    model, half = Body(), {name: tensor.half() for name, tensor in tensors().items()}
    load_into(model, weights(**half), Names())
    assert model.body.weight.dtype == torch.float32
    assert torch.equal(model.body.weight, half["body.weight"].float())
    assert int(model.get_buffer("count")) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body.bias": None}, "missing: body.bias"),
        ({"head.bias": torch.zeros(1)}, "unexpected: head.bias"),
        ({"body.bias": torch.zeros(4)}, r"of another shape: body.bias \(4,\) instead of \(3,\)"),
        ({"body.bias": torch.zeros(3).int()}, "another type: body.bias torch.int32 instead of tor"),
        ({"body.bias": torch.tensor([0, 0, torch.nan])}, "NaN or infinity in body.bias"),
        ({"body.bias": torch.tensor([-torch.inf, 0, 0])}, "NaN or infinity in body.bias"),
        ({"body.bias": torch.tensor([torch.nan] * 3).half()}, "NaN or infinity in body.bias"),
    ],
)
def test_what_does_not_fit_is_listed(changes: dict[str, Tensor | None], reason: str) -> None:
    model = Body()
    before = model.body.weight.clone()
    with pytest.raises(EncoderError, match=reason) as caught:
        load_into(model, weights(**changes), Names())
    assert "made.safetensors" in str(caught.value)
    assert torch.equal(model.body.weight, before)


def test_many_differences_are_counted() -> None:
    surplus: dict[str, Tensor | None] = {f"blocks.{at}": torch.zeros(1) for at in range(300)}
    with pytest.raises(EncoderError, match=r"blocks.0, .* and 295 more$"):
        load_into(Body(), weights(**surplus), Names())


def test_nan_in_what_the_network_does_not_need_is_no_fault() -> None:
    head = {"head.weight": torch.full((2,), torch.nan), "empty": torch.zeros(0)}
    load_into(Body(), weights(**head), Names(ignored=("head.", "empty")))


def anonymous_mb(field: str) -> float:
    line = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert line is not None
    return int(line[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("pickled", [False, True])
def test_a_large_file_is_not_held_a_third_time(tmp_path: Path, pickled: bool) -> None:
    model = nn.Linear(4096, 4096)  # 64 MB in one tensor, the worst case
    path = tmp_path / "weights"
    (torch.save if pickled else save_file)(model.state_dict(), path)
    file = WeightsFile(path, "", pickle_allowed=True)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here, proc(5)
    before = anonymous_mb("VmRSS")
    load_into(model, read_weights(file), Names())
    assert anonymous_mb("VmHWM") - before < 1.25 * 64


def written_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(bytes(4))


def renamed_over(path: Path) -> None:
    save_file({name: torch.zeros_like(held) for name, held in tensors().items()}, f"{path}.new")
    Path(f"{path}.new").rename(path)


@pytest.mark.parametrize("change", [written_in_place, renamed_over, Path.unlink])
@pytest.mark.parametrize("when", ["before it is opened", "before it is copied"])
@pytest.mark.parametrize("pickled", [False, True])
def test_tensors_of_another_file_than_the_digest_are_refused(
    tmp_path: Path, change: Callable[[Path], None], when: str, pickled: bool
) -> None:
    path = tmp_path / "weights"
    held = {**tensors(), "count": torch.tensor(2)}
    (torch.save if pickled else save_file)(held, path)
    os.utime(path, (1_000_000, 1_000_000))  # or the change might fall into the same clock tick
    asked = EncoderOptions(weights=path, allow_pickle=True)
    file = located(find("monai-densenet121"), asked)
    weights = read_weights(file) if when == "before it is copied" else None
    change(path)
    with pytest.raises(EncoderError, match=rf"{path}.* (changed while it was read|cannot be read)"):
        load_into(Body(), weights or read_weights(file), Names())


def densenet(folder: Path) -> tuple[Path, str]:
    """Weights as a fetch would have left them, and their SHA-256."""
    torch.manual_seed(7)
    model = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2)
    made = folder / "made.safetensors"
    save_file(model.state_dict(), made)
    digest = sha256_of(made)
    locked = Locked(
        repository="made/densenet",
        revision="main",
        commit="1" * 40,
        file="model.safetensors",
        size=made.stat().st_size,
        sha256=digest,
        fetched_at="2026-11-21T10:00:00+00:00",
    )
    write_locked(folder, "made-densenet", locked)
    path = locked_path(folder, locked)
    path.parent.mkdir(parents=True)
    return made.rename(path), digest


def test_fetched_weights_load_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = densenet(tmp_path)
    monkeypatch.setattr(socket, "socket", None)
    declared = dataclasses.replace(
        find("monai-densenet121"), name="made-densenet", source=Hub("made/densenet")
    )
    fetched = make(declared, EncoderOptions(folder=tmp_path, device="cpu"))
    assert fetched.space.weights_digest == digest
    own = create("monai-densenet121", EncoderOptions(weights=path, device="cpu"))
    np.testing.assert_array_equal(fetched.embed([BLANK]), own.embed([BLANK]))


def test_a_network_of_another_dimension_than_declared(tmp_path: Path) -> None:
    path, _ = densenet(tmp_path)
    declared = dataclasses.replace(find("monai-densenet121"), dimension=768)
    encoder = make(declared, EncoderOptions(weights=path, device="cpu"))
    with pytest.raises(EncoderError, match=r"shape \(1, 1024\), not \(1, 768\)"):
        encoder.embed([BLANK])
