"""Binary codes of vectors: iterative quantisation and hyperplanes by lot.

Baselines of the papers: vectors become codes of 16 to 64 bits, which a space with the metric
``Metric.HAMMING`` compares. What was learnt is kept as plain numbers, so that a code can be made
again from them years later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from storage.vectors.metric import Metric
from storage.vectors.untyped import faiss

Vectors = NDArray[np.float32]
Codes = NDArray[np.uint8]
Wide = NDArray[np.float64]

SIZES = (16, 32, 48, 64)
"""Bits of the codes in the papers' tables."""
MOST_SEED = 2**31 - 1
ITERATIONS = 50
"""Of ITQ, as its authors have them."""
_BLOCK = 65536


class HashingError(ValueError):
    """Codes that cannot be made; the message says why and what to do."""


class Hash(StrEnum):
    """How codes are made.

    ``ITQ``: the principal directions, turned so that the signs lose least (Gong et al. 2012).
    ``LSH``: the sides of hyperplanes by lot, those of FAISS's ``IndexLSH``. The share of the bits
    that differ between two vectors is expected to be their angle over pi (Charikar, STOC 2002).
    """

    ITQ = "itq"
    LSH = "lsh"


@dataclass(frozen=True)
class Hasher:
    """Makes codes: bit j is 1 where ``directions[j] . (x - mean)`` is positive.

    Attributes:
        method: by which it was made.
        mean: float32, shape (dimension,); with LSH zeros.
        directions: float32, shape (bits, dimension).
    """

    method: Hash
    mean: Vectors
    directions: Vectors

    @property
    def bits(self) -> int:
        """Of a code."""
        return len(self.directions)

    def projected(self, vectors: Vectors) -> NDArray[np.float32]:
        """The numbers whose signs are the bits, float32, shape (n, bits).

        Raises:
            VectorError: the vectors are not finite, not of unit length, or of another dimension.
        """
        checked: Vectors = Metric.COSINE.checked(vectors, len(self.mean))
        return np.asarray((checked - self.mean) @ self.directions.T, np.float32)

    def codes(self, vectors: Vectors) -> Codes:
        """The codes of vectors of unit length, uint8, shape (n, bits / 8), the first bit highest.

        Raises:
            VectorError: as ``projected``.
        """
        found = np.empty((len(vectors), self.bits // 8), np.uint8)
        for at in range(0, max(1, len(vectors)), _BLOCK):
            some = slice(at, at + _BLOCK)
            found[some] = np.packbits(self.projected(vectors[some]) > 0, axis=1)
        return found


def hasher(method: Hash, vectors: Vectors, bits: int, *, seed: int = 0) -> Hasher:
    """One that is made for vectors like these.

    Args:
        method: how.
        vectors: to learn from, float32, shape (n, dimension), of unit length; LSH takes only their
            dimension. ITQ wants more of them than the smaller of dimension and bits.
        bits: a multiple of 8; the papers have those of SIZES.
        seed: from 0 to 2**31 - 1; the same gives the same codes.

    Raises:
        HashingError: the bits are no whole bytes, the seed is out of range, or there are too few
            vectors.
        VectorError: a vector is not finite, or not of unit length.
    """
    if bits < 8 or bits % 8:
        raise HashingError(f"codes of {bits} bits; they have whole bytes, such as {SIZES}")
    if not 0 <= seed <= MOST_SEED:
        raise HashingError(f"the seed is {seed}; it is from 0 to {MOST_SEED}")
    checked: Vectors = Metric.COSINE.checked(vectors, vectors.shape[-1])
    mean, directions = _LEARNT[method](checked, bits, seed)
    return Hasher(method, mean, directions)


def _lsh(vectors: Vectors, bits: int, seed: int) -> tuple[Vectors, Vectors]:
    dimension = vectors.shape[1]
    made = faiss.IndexLSH(dimension, bits, True)
    made.rrot.init(seed)
    directions: Vectors = faiss.vector_to_array(made.rrot.A).reshape(bits, dimension)
    return np.zeros(dimension, np.float32), directions


def _itq(vectors: Vectors, bits: int, seed: int) -> tuple[Vectors, Vectors]:
    """Principal directions, as many as bits, and the rotation of them whose signs lose least.

    Of more bits than the vectors have dimensions there are too few principal directions. The
    vectors are then laid into as many dimensions as bits by directions by lot that keep their
    inner products (a tight frame), and the rotation is learnt there.
    """
    count, dimension = vectors.shape
    if count <= min(bits, dimension):
        raise HashingError(
            f"ITQ of {bits} bits learns from more than {min(bits, dimension)} vectors of "
            f"{dimension} dimensions, here are {count}: give more, or take LSH"
        )
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    random = np.random.default_rng(seed)
    if bits > dimension:
        axes = _orthogonal(random, bits)[:, :dimension]
    else:
        axes = np.linalg.eigh(centred.T @ centred)[1].T[::-1][:bits]
    rotation = itq_rotation(centred @ axes.T, _orthogonal(random, bits))
    return mean.astype(np.float32), np.ascontiguousarray(rotation.T @ axes, np.float32)


def itq_rotation(laid: Wide, start: Wide, iterations: int = ITERATIONS) -> Wide:
    """The rotation R of V that makes ``|sign(V R) - V R|`` small (Gong et al. 2012, section 2.2).

    In turn the signs are fixed and the rotation is the best for them, the orthogonal Procrustes
    problem, and so on: no turn makes it worse. FAISS has the same as ``ITQTransform``, but its
    turns (1.15) do not lower the error, which stays about that of a rotation by lot.

    Args:
        laid: V, centred, float64, shape (n, bits).
        start: the first rotation, shape (bits, bits).
        iterations: turns.
    """
    rotation = start
    for _ in range(iterations):
        signs = np.where(laid @ rotation > 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(laid.T @ signs)
        rotation = left @ right
    return rotation


def _orthogonal(random: np.random.Generator, size: int) -> Wide:
    """A rotation by lot; signs are put right so that all are as likely (Mezzadri 2007)."""
    found, upper = np.linalg.qr(random.standard_normal((size, size)))
    rotation: Wide = found * np.sign(np.diag(upper))
    return rotation


_LEARNT: Mapping[Hash, Callable[[Vectors, int, int], tuple[Vectors, Vectors]]] = MappingProxyType(
    {Hash.ITQ: _itq, Hash.LSH: _lsh}
)
