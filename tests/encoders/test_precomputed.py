"""Vectors computed elsewhere: found by SOP instance, and nothing that is no vector taken."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders import precomputed
from encoders.encoder import EncoderError, EncoderOptions
from encoders.image import GrayscaleImage
from encoders.registry import create

KEYS = ["1.2.3", "1.2.4", "1.2.5#2"]
VECTORS = np.array([[3.0, 4.0], [0.0, -2.0], [1e30, 1e30]], np.float32)


def saved(path: Path, keys: Any = KEYS, vectors: Any = VECTORS) -> EncoderOptions:
    np.savez(path, keys=np.asarray(keys), vectors=np.asarray(vectors))
    return EncoderOptions(weights=path)


def of(key: str) -> GrayscaleImage:
    return GrayscaleImage(np.zeros((2, 2), np.float32), key=key)


def test_each_image_gets_the_vector_of_its_key_at_unit_length(tmp_path: Path) -> None:
    encoder = create("precomputed", saved(tmp_path / "v.npz"))
    found = encoder.embed([of("1.2.5#2"), of("1.2.3"), of("1.2.4")])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(found, [[half, half], [0.6, 0.8], [0, -1]], atol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("9.9", "no vector for SOP instance 9.9"),
        ("1.2.5", "no vector for SOP instance 1.2.5"),
        ("1.2.3#1", "no vector for SOP instance 1.2.3#1"),
        ("", "SOP instance without a UID"),
    ],
)
def test_an_image_that_the_file_lacks_is_named(tmp_path: Path, key: str, reason: str) -> None:
    encoder = create("precomputed", saved(tmp_path / "v.npz"))
    with pytest.raises(EncoderError, match=reason):
        encoder.prepare(of(key))


def test_the_space_is_the_file(tmp_path: Path) -> None:
    options = saved(tmp_path / "v.npz")
    space = create("precomputed", options).space
    assert options.weights is not None
    assert space.weights_digest == hashlib.sha256(options.weights.read_bytes()).hexdigest()
    assert space.dimension == 2
    assert {space.preprocessing, space.window_rule, space.slice_rule} == {"the file's own"}
    assert create("precomputed", options).space.id == space.id
    other = saved(tmp_path / "other.npz", vectors=VECTORS * [1, 2])
    assert create("precomputed", other).space.id != space.id


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_floating_point_numbers_are_taken(tmp_path: Path, kind: type) -> None:
    options = saved(tmp_path / "v.npz", vectors=np.array([[3, 4]] * 3, kind))
    found = create("precomputed", options).embed([of("1.2.3")])
    np.testing.assert_allclose(found, [[0.6, 0.8]], atol=1e-6)


NAN, ZERO = VECTORS.copy(), VECTORS.copy()
NAN[1, 0], ZERO[2] = np.nan, 0


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"vectors": NAN}, "NaN or infinity, rows: 1"),
        ({"vectors": ZERO}, "length 0, rows: 2"),
        ({"keys": ["1.2", "1.3", "1.2"]}, "keys that occur twice: 1.2"),
        ({"keys": ["1.2", "1.3", "../x"]}, "keys that are no UID: '../x'"),
        ({"keys": ["1.2", "1.3", "1.4#"]}, "keys that are no UID: '1.4#'"),
        ({"keys": ["1.2", "1.3"]}, "2 keys for 3 vectors"),
        ({"keys": [1, 2, 3]}, "keys are int64"),
        ({"keys": [["1.2"], ["1.3"], ["1.4"]]}, r"shape \(3, 1\), not a list of text"),
        ({"keys": np.array(KEYS, object)}, "Object arrays cannot be loaded"),
        ({"vectors": VECTORS.astype(object)}, "Object arrays cannot be loaded"),
        ({"vectors": np.ones((3, 2), np.int64)}, "int64 of shape"),
        ({"vectors": np.ones((3, 2, 1))}, r"shape \(3, 2, 1\)"),
        ({"vectors": np.ones((3, 0))}, r"shape \(3, 0\)"),
        ({"vectors": np.ones((0, 2)), "keys": np.array([], "U1")}, r"shape \(0, 2\)"),
    ],
)
def test_what_is_no_vector_is_refused_by_name(
    tmp_path: Path, arrays: dict[str, Any], reason: str
) -> None:
    options = saved(tmp_path / "v.npz", **arrays)
    with pytest.raises(EncoderError, match=reason) as caught:
        create("precomputed", options)
    assert str(options.weights) in str(caught.value)


def without_keys(path: Path) -> None:
    np.savez(path, vectors=VECTORS)


def one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, VECTORS)


def text(path: Path) -> None:
    path.write_text("1.2.3,0.6,0.8")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_text_files(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("keys", "1.2.3")
        made.writestr("vectors", "0.6")


def enormous(path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4611686018427387904), }"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("keys.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


@pytest.mark.parametrize("make", [without_keys, one_array, text, empty, of_text_files, enormous])
def test_other_files_are_refused(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "v.npz")
    with pytest.raises(EncoderError, match=r"v\.npz"):
        create("precomputed", EncoderOptions(weights=tmp_path / "v.npz"))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_half_a_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "v.npz"
    saved(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(EncoderError, match="no whole npz file"):
        create("precomputed", EncoderOptions(weights=path))


def test_no_damaged_byte_leads_to_another_error_or_another_vector(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    expected = create("precomputed", saved(path)).embed([of(key) for key in KEYS])
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            encoder = create("precomputed", EncoderOptions(weights=path))
        except EncoderError:
            continue
        np.testing.assert_array_equal(encoder.embed([of(key) for key in KEYS]), expected)


def test_a_file_that_is_changed_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = saved(tmp_path / "v.npz")
    saved(tmp_path / "other.npz", vectors=-VECTORS)
    read = precomputed._read

    def late(path: Path) -> Any:
        (tmp_path / "other.npz").rename(path)
        return read(path)

    monkeypatch.setattr(precomputed, "_read", late)
    with pytest.raises(EncoderError, match="changed while it was read"):
        create("precomputed", options)


def test_more_than_the_machine_can_hold_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a machine with too little memory for 10 MB of arrays: a file of some 10 KB."""
    monkeypatch.setattr("encoders.precomputed.SHARE_OF_MEMORY", 1e-9)
    path = tmp_path / "v.npz"
    np.savez_compressed(path, keys=np.asarray(["1.2"]), vectors=np.zeros((1, 2_500_000)))
    assert path.stat().st_size < 100_000
    with pytest.raises(EncoderError, match=r"v\.npz holds arrays of 0\.0 GB, too much for the"):
        create("precomputed", EncoderOptions(weights=path))
