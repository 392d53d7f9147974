"""A walk over the registry: each declared network is built small, saved, loaded and asked."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from encoders.checked import CheckedEncoder
from encoders.declaration import Declaration, Names
from encoders.encoder import EncoderError, EncoderOptions
from encoders.image import GrayscaleImage
from encoders.preprocessing import Preprocessing
from encoders.registry import create, declarations, find, make
from encoders.torch_encoder import build, space_of
from tests.encoders.small_networks import small

NETWORKS = [entry for entry in declarations() if entry.preprocessing is not None]
by_name = pytest.mark.parametrize("declaration", NETWORKS, ids=lambda entry: entry.name)


def images() -> list[GrayscaleImage]:
    """A tall ramp, a wide one and noise: odd sides, larger and smaller than the inputs."""
    tall = np.tile(np.linspace(0, 1, 301, dtype=np.float32)[:, None], (1, 97))
    noise = np.random.default_rng(0).random((40, 50), dtype=np.float32)
    return [GrayscaleImage(pixels) for pixels in (tall, tall.T, noise)]


def saved(declaration: Declaration, folder: Path, seed: int = 0) -> CheckedEncoder:
    """The small network with random weights, as loaded from the file that they were saved in."""
    torch.manual_seed(seed)
    path = folder / f"{seed}.safetensors"
    body = build(declaration).body
    with torch.no_grad():
        for parameter in body.parameters():  # some begin as zeros, and would hide what they do
            parameter.normal_(0, 0.2)
    save_file(body.state_dict(), path)
    return make(declaration, EncoderOptions(weights=path, device="cpu", threads=1))


@by_name
def test_it_is_built_saved_loaded_and_asked(declaration: Declaration, tmp_path: Path) -> None:
    shrunk = dataclasses.replace(small(declaration), names=Names())
    encoder = saved(shrunk, tmp_path)
    vectors = encoder.embed(images())
    assert vectors.shape == (3, shrunk.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(encoder.embed(images()), vectors)
    again = saved(shrunk, tmp_path)
    assert again.space.id == encoder.space.id
    np.testing.assert_array_equal(again.embed(images()), vectors)
    assert saved(shrunk, tmp_path, seed=1).space.id != encoder.space.id


@by_name
def test_another_preprocessing_is_another_space(declaration: Declaration) -> None:
    asked = declaration.preprocessing
    assert asked is not None
    changes: dict[str, Any] = {
        "mean": (0.123,) * asked.channels,
        "std": (0.321,) * asked.channels,
        "size": asked.size + 32,
        "filter": "nearest",
        "high": 2.0,
        "stretch": not asked.stretch,
    }
    if asked.filter != "gaussian":  # which is in floating point in any case
        changes["eight_bits"] = not asked.eight_bits
    for name, value in changes.items():
        other: Preprocessing = dataclasses.replace(asked, **{name: value})
        told = dataclasses.replace(declaration, preprocessing=other)
        assert space_of(told, "0").id != space_of(declaration, "0").id, name


@by_name
def test_what_changes_vectors_changes_the_space_and_nothing_else(declaration: Declaration) -> None:
    space = space_of(declaration, "0")
    for changed in (
        {"pooling": "another"},
        {"dimension": declaration.dimension + 1},
        {"version": "next"},
        {"ct_window": (40.0, 400.0)},
    ):
        assert space_of(dataclasses.replace(declaration, **changed), "0").id != space.id
    for said in ({"summary": "x"}, {"licence": "x"}, {"reference": "x"}, {"modalities": ("PX",)}):
        assert space_of(dataclasses.replace(declaration, **said), "0").id == space.id


@pytest.mark.parametrize("key", ["size", "channels"])
def test_a_file_cannot_ask_for_another_input_of_a_published_network(
    key: str, tmp_path: Path
) -> None:
    shrunk = dataclasses.replace(small(find("medsam")), names=Names())
    path = tmp_path / "w.safetensors"
    save_file(build(shrunk).body.state_dict(), path, {key: "96"})
    with pytest.raises(EncoderError, match=f"metadata gives {key}, but medsam is of one size"):
        make(shrunk, EncoderOptions(weights=path, device="cpu"))


@by_name
def test_it_declares_what_a_user_has_to_know(declaration: Declaration) -> None:
    assert declaration.summary
    assert declaration.licence
    assert declaration.reference.startswith(("https://", "docs/"))
    assert declaration.source is not None
    assert isinstance(declaration.preprocessing, Preprocessing)


def test_the_encoders_without_a_network() -> None:
    others = {entry.name for entry in declarations()} - {entry.name for entry in NETWORKS}
    assert others == {"baseline", "precomputed"}
    encoder = create("baseline")
    vectors = encoder.embed(images())
    assert vectors.shape == (3, encoder.space.dimension)
    np.testing.assert_array_equal(vectors, create("baseline").embed(images()))
