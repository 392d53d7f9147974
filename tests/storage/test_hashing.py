"""Binary codes, against their bits one by one, FAISS, and what theory expects."""

import math
from itertools import pairwise

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from storage.hashing import SIZES, Hash, HashingError, hasher, itq_rotation
from storage.vectors.metric import Metric, VectorError

Vectors = NDArray[np.float32]

METHODS = pytest.mark.parametrize("method", list(Hash))


def unit(vectors: NDArray[np.float64]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def clustered(seed: int, count: int, dimension: int, clusters: int = 12) -> Vectors:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(clusters, dimension))
    around = 0.3 * random.normal(size=(count, dimension))
    return unit(centres[random.integers(0, clusters, count)] + around)


@METHODS
@pytest.mark.parametrize("bits", SIZES)
@pytest.mark.parametrize("dimension", [14, 80])
def test_bits_are_the_sides_of_the_directions(method: Hash, bits: int, dimension: int) -> None:
    vectors = clustered(bits, 200, dimension)
    made = hasher(method, vectors, bits)
    codes = made.codes(vectors)
    assert codes.shape == (200, bits // 8)
    assert codes.dtype == np.uint8
    wide = vectors.astype(np.float64) - made.mean.astype(np.float64)
    for vector, code in zip(wide[:20], codes[:20].tolist(), strict=True):
        told = "".join(f"{byte:08b}" for byte in code)
        for bit, direction in zip(told, made.directions.astype(np.float64), strict=True):
            side = sum(a * b for a, b in zip(vector, direction, strict=True))
            assert bit == str(int(side > 0)) or abs(side) < 1e-6


@METHODS
def test_the_order_by_hamming_is_that_of_the_bits_that_differ(method: Hash) -> None:
    vectors = clustered(1, 150, 20)
    made = hasher(method, vectors, 32)
    codes = made.codes(vectors)
    bits = made.projected(vectors) > 0
    for query in range(10):
        expected = [sum(a != b for a, b in zip(bits[query], one, strict=True)) for one in bits]
        assert Metric.HAMMING.distances(codes[query], codes).tolist() == expected
        flat = faiss.IndexBinaryFlat(32)
        flat.add(codes)
        assert np.sort(expected)[:20].tolist() == flat.search(codes[[query]], 20)[0][0].tolist()


@METHODS
def test_a_code_does_not_depend_on_what_stands_beside_it(method: Hash) -> None:
    vectors = clustered(2, 100, 20)
    made = hasher(method, vectors, 16, seed=3)
    again = hasher(method, vectors, 16, seed=3)
    one_by_one = np.concatenate([made.codes(vectors[[at]]) for at in range(100)])
    assert (made.codes(vectors) == one_by_one).all()
    assert (again.codes(vectors) == one_by_one).all()
    assert made.codes(vectors[:0]).shape == (0, 2)
    assert (hasher(method, vectors, 16, seed=4).codes(vectors) != one_by_one).any()


def test_lsh_is_faiss() -> None:
    vectors = clustered(3, 300, 24)
    theirs = faiss.IndexLSH(24, 48, True)
    theirs.rrot.init(9)
    bits = np.unpackbits(theirs.sa_encode(vectors), axis=1, bitorder="little")
    ours = np.unpackbits(hasher(Hash.LSH, vectors, 48, seed=9).codes(vectors), axis=1)
    assert (bits == ours).all()


@pytest.mark.parametrize("degrees", [10, 45, 90, 150])
def test_the_bits_of_lsh_differ_as_the_angle_says(degrees: int) -> None:
    angle = math.radians(degrees)
    pair = np.zeros((2, 16), np.float32)
    pair[0, 0], pair[1, :2] = 1.0, [math.cos(angle), math.sin(angle)]
    codes = [hasher(Hash.LSH, pair, 64, seed=seed).codes(pair) for seed in range(100)]
    apart = [Metric.HAMMING.distances(one, other[None])[0] for one, other in codes]
    # 6,400 bits: by lot their share has a standard deviation below .007
    assert np.mean(apart) / 64 == pytest.approx(degrees / 180, abs=0.02)


@pytest.mark.parametrize(("bits", "dimension"), [(16, 16), (16, 40), (64, 80)])
def test_the_directions_of_itq_are_orthonormal(bits: int, dimension: int) -> None:
    found = hasher(Hash.ITQ, clustered(4, 500, dimension), bits).directions.astype(np.float64)
    assert found @ found.T == pytest.approx(np.eye(bits), abs=1e-5)


@pytest.mark.parametrize("bits", [16, 64])
def test_with_more_bits_than_dimensions_itq_keeps_inner_products(bits: int) -> None:
    found = hasher(Hash.ITQ, clustered(5, 500, 14), bits).directions.astype(np.float64)
    assert found.T @ found == pytest.approx(np.eye(14), abs=1e-5)


def test_itq_spans_the_principal_directions() -> None:
    vectors = clustered(6, 500, 30)
    made = hasher(Hash.ITQ, vectors, 8)
    principal = faiss.PCAMatrix(30, 8)
    principal.train(vectors)
    theirs = faiss.vector_to_array(principal.A).reshape(8, 30)
    # the same subspace: one's directions lie wholly in the other
    assert np.linalg.norm(made.directions @ theirs.T, axis=1) == pytest.approx(1.0, abs=1e-3)


def error_of(laid: NDArray[np.float64], rotation: NDArray[np.float64]) -> float:
    turned = laid @ rotation
    return float(((np.where(turned > 0, 1.0, -1.0) - turned) ** 2).sum())


def test_the_error_of_itq_falls_with_each_turn() -> None:
    vectors = clustered(7, 800, 16).astype(np.float64)
    laid = vectors - vectors.mean(axis=0)
    start = np.linalg.qr(np.random.default_rng(8).normal(size=(16, 16)))[0]
    errors = [error_of(laid, itq_rotation(laid, start, turns)) for turns in range(30)]
    assert all(after <= before + 1e-9 for before, after in pairwise(errors))
    assert errors[-1] < 0.97 * errors[0]


def test_it_loses_less_than_a_rotation_by_lot_and_no_more_than_the_librarys() -> None:
    vectors = clustered(9, 800, 16).astype(np.float64)
    laid = vectors - vectors.mean(axis=0)
    ours = error_of(laid, itq_rotation(laid, np.eye(16)))
    theirs = faiss.ITQMatrix(16)
    theirs.train(laid.astype(np.float32))
    matrix = faiss.vector_to_array(theirs.A).reshape(16, 16).astype(np.float64)
    assert ours < 1.01 * error_of(laid, matrix.T)
    random = np.random.default_rng(10)
    by_lot = [np.linalg.qr(random.normal(size=(16, 16)))[0] for _ in range(20)]
    assert ours < min(error_of(laid, one) for one in by_lot)


def test_itq_finds_corners_that_are_turned() -> None:
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 8)).reshape(8, -1).T
    turn = np.linalg.qr(np.random.default_rng(11).normal(size=(8, 8)))[0]
    start = np.linalg.qr(turn.T + 0.1 * np.random.default_rng(12).normal(size=(8, 8)))[0]
    start *= np.sign(np.einsum("ij,ji->j", turn, start))
    assert error_of(corners @ turn, itq_rotation(corners @ turn, start)) == pytest.approx(0)


@pytest.mark.parametrize("bits", [0, -8, 7, 20])
def test_codes_have_whole_bytes(bits: int) -> None:
    with pytest.raises(HashingError, match=f"codes of {bits} bits"):
        hasher(Hash.LSH, clustered(0, 20, 5), bits)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_out_of_range(seed: int) -> None:
    with pytest.raises(HashingError, match="seed"):
        hasher(Hash.ITQ, clustered(0, 20, 5), 8, seed=seed)


def test_too_few_to_learn_from() -> None:
    with pytest.raises(HashingError, match="more than 16 vectors of 40 dimensions, here are 16"):
        hasher(Hash.ITQ, clustered(0, 16, 40), 16)


def test_vectors_that_are_none() -> None:
    vectors = clustered(0, 50, 10)
    made = hasher(Hash.ITQ, vectors, 8)
    with pytest.raises(VectorError, match="10 dimensions"):
        made.codes(vectors[:, :9])
    vectors[3, 3] = math.nan
    with pytest.raises(VectorError, match="NaN"):
        hasher(Hash.LSH, vectors, 8)
