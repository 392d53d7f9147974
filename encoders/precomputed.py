"""The encoder ``precomputed``: vectors that were computed elsewhere, looked up by SOP instance."""

import os
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.declaration import Declaration
from encoders.encoder import EncoderError, EncoderOptions, Prepared
from encoders.fetched import located
from encoders.image import GrayscaleImage
from encoders.space import Space

THE_FILES_OWN = "the file's own"
_LISTED = 3  # keys in a message
SHARE_OF_MEMORY = 0.2
"""Of the machine's memory: so much the arrays may take, which are held five times for a moment."""

DAMAGE = (
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and numpy's reader raise for other or damaged files, depending on the damage."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class PrecomputedEncoder:
    """Looks vectors up; nothing is computed here.

    Attributes:
        space: with the file's digest; how the pixels were made is the file's own affair.
        path: of the file, for messages.
        rows: row of ``vectors`` by key.
        vectors: float32, shape (keys, dimension), each of unit length.
        batch: images in one call.
    """

    space: Space
    path: Path
    rows: Mapping[str, int]
    vectors: Vectors
    batch: int
    lanes: int = 1

    def prepare(self, image: GrayscaleImage) -> Prepared:
        """The image's vector, float32, shape (dimension,), found by ``GrayscaleImage.key``.

        Raises:
            EncoderError: the file has no vector for it; the message names the SOP instance.
        """
        row = self.rows.get(image.key)
        if row is None:
            raise EncoderError(
                f"{self.path} has no vector for SOP instance {image.key or 'without a UID'}"
            )
        found: Prepared = self.vectors[row]
        return found

    def infer(self, prepared: Sequence[Prepared]) -> Vectors:
        """The vectors, float32, shape (images, dimension)."""
        return np.stack(prepared)


def load(declaration: Declaration, options: EncoderOptions) -> PrecomputedEncoder:
    """Read the file of vectors that the settings name.

    Raises:
        EncoderError: the file is missing, is no such file, or holds what is no vector.
    """
    file = located(declaration, options)
    path = file.path
    keys, vectors = _read(path)
    file.must_be_unchanged()
    return PrecomputedEncoder(
        space=_space_of(declaration, file.sha256, vectors.shape[1]),
        path=path,
        rows={key: row for row, key in enumerate(_checked_keys(path, keys, len(vectors)))},
        vectors=_unit_length(path, vectors),
        batch=options.batch,
    )


def _space_of(declaration: Declaration, digest: str, dimension: int) -> Space:
    return Space(
        encoder=declaration.name,
        encoder_version=declaration.version,
        weights_digest=digest,
        preprocessing=THE_FILES_OWN,
        window_rule=THE_FILES_OWN,
        slice_rule=THE_FILES_OWN,
        pooling=f"{THE_FILES_OWN}, unit length",
        dimension=dimension,
    )


def _read(path: Path) -> tuple[NDArray[np.str_], NDArray[np.floating]]:
    """Keys and vectors; pickled objects in the file are never opened."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            _must_fit(path, arrays.zip)
            keys, vectors = np.asarray(arrays["keys"]), np.asarray(arrays["vectors"])
    except OSError as error:
        raise EncoderError(f"vectors file {path} cannot be read: {error}") from error
    except DAMAGE as error:
        raise EncoderError(
            f"vectors file {path} is no whole npz file with arrays 'keys' (text) and 'vectors' "
            f"(numbers, one row per key) and nothing pickled: {error}"
        ) from error
    if keys.ndim != 1 or keys.dtype.kind != "U":
        raise EncoderError(f"vectors file {path}: keys are {_shape(keys)}, not a list of text")
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or 0 in vectors.shape:
        raise EncoderError(
            f"vectors file {path}: vectors are {_shape(vectors)}, not floating point numbers of "
            "shape (keys, dimension)"
        )
    return keys, vectors


def _must_fit(path: Path, packed: zipfile.ZipFile) -> None:
    """A small file of zeros may unpack to more than the machine has; numpy would take it all."""
    size = sum(entry.file_size for entry in packed.infolist())
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > there * SHARE_OF_MEMORY:
        raise EncoderError(
            f"vectors file {path} holds arrays of {size / 1e9:.1f} GB, too much for the "
            f"{there / 1e9:.1f} GB of this machine"
        )


def _shape(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _checked_keys(path: Path, keys: NDArray[np.str_], vectors: int) -> list[str]:
    if len(keys) != vectors:
        raise EncoderError(f"vectors file {path} has {len(keys)} keys for {vectors} vectors")
    found = [str(key) for key in keys]
    _refuse(path, "keys that occur twice", [k for k, n in Counter(found).items() if n > 1])
    _refuse(path, "keys that are no UID", [repr(k) for k in found if not _is_key(k)])
    return found


def _is_key(key: str) -> bool:
    """A UID (PS3.5 section 9.1), perhaps with ``#`` and a frame number."""
    uid, hash_sign, frame = key.partition("#")
    whole = 0 < len(uid) <= 64 and not set(uid) - set("0123456789.")
    return whole and (not hash_sign or (frame.isdecimal() and frame.isascii()))


def _unit_length(path: Path, vectors: NDArray[np.floating]) -> Vectors:
    # in float64 and scaled first: the squares of large float32 numbers are beyond float32
    large = np.abs(vectors.astype(np.float64)).max(axis=1, keepdims=True)
    _refuse(path, "vectors with NaN or infinity, rows", np.flatnonzero(~np.isfinite(large)))
    _refuse(path, "vectors of length 0, rows", np.flatnonzero(large == 0))
    scaled = vectors / large
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.ascontiguousarray(scaled / lengths, dtype=np.float32)


def _refuse(path: Path, what: str, found: "Sequence[object] | NDArray[np.intp]") -> None:
    if len(found):
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        listed = ", ".join(str(one) for one in found[:_LISTED])
        raise EncoderError(f"vectors file {path} holds {what}: {listed}{more}")
