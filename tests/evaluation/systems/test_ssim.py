"""Structural similarity against its definition, window by window."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evaluation.collection import Collection, CollectionError
from evaluation.nearest import NOBODY
from evaluation.systems.pairwise import ByVector, ranked
from evaluation.systems.ssim import SIDE, Ssim, read_for_ssim, ssim
from storage.vectors.metric import Metric
from tests.evaluation.drawn import lot


def by_definition(first: np.ndarray, second: np.ndarray, data_range: float) -> float:
    """Wang et al. 2004, equation 13, with the sample's covariance, in windows of 7 x 7."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    found = []
    for row in range(first.shape[0] - 6):
        for column in range(first.shape[1] - 6):
            x = first[row : row + 7, column : column + 7].ravel()
            y = second[row : row + 7, column : column + 7].ravel()
            (xx, xy), (_, yy) = np.cov(x, y, ddof=1)
            top = (2 * x.mean() * y.mean() + c1) * (2 * xy + c2)
            found.append(top / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (xx + yy + c2)))
    return float(np.mean(found))


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    rows=st.integers(7, 14),
    columns=st.integers(7, 14),
    data_range=st.sampled_from([1.0, 255.0]),
)
def test_as_by_definition(seed: int, rows: int, columns: int, data_range: float) -> None:
    random = np.random.default_rng(seed)
    first = random.random((rows, columns)) * data_range
    second = np.clip(first + random.normal(0, 0.2, first.shape) * data_range, 0, data_range)
    expected = by_definition(first, second, data_range)
    assert ssim(first, second, data_range) == pytest.approx(expected, abs=1e-9)
    assert ssim(second, first, data_range) == pytest.approx(expected, abs=1e-9)


def test_known_values() -> None:
    random = np.random.default_rng(0)
    image = random.random((20, 20))
    assert ssim(image, image) == pytest.approx(1)
    # constant images have the luminance term only: (2ab + c1) / (a^2 + b^2 + c1)
    low, high = np.full((9, 9), 0.25), np.full((9, 9), 0.75)
    assert ssim(low, high) == pytest.approx((2 * 0.1875 + 1e-4) / (0.0625 + 0.5625 + 1e-4))
    assert ssim(image, 1 - image) < 0


@pytest.mark.parametrize("shape", [(6, 20), (20,), (20, 6)])
def test_images_smaller_than_a_window(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="7 x 7 at least"):
        ssim(np.zeros(shape), np.zeros(shape))


def test_images_of_other_shapes() -> None:
    with pytest.raises(ValueError, match="differ"):
        ssim(np.zeros((8, 8)), np.zeros((8, 9)))


def pictures(folder: Path, count: int) -> Collection:
    random = np.random.default_rng(0)
    paths = []
    for at in range(count):
        path = folder / f"{at}.png"
        Image.fromarray(random.integers(0, 256, (40, 30), np.uint8)).save(path)
        paths.append(path)
    return Collection(
        name="made",
        ids=tuple(str(at) for at in range(count)),
        patients=tuple(str(at) for at in range(count)),
        label_names=(),
        states=np.empty((count, 0), np.int8),
        paths=tuple(paths),
    )


def test_a_ranking_of_image_files(tmp_path: Path) -> None:
    made = pictures(tmp_path, 4)
    # the last is the first, a little brighter
    first = np.asarray(Image.open(made.paths[0]), np.float64)
    Image.fromarray(np.clip(first + 5, 0, 255).astype(np.uint8)).save(made.paths[3])
    scorer = read_for_ssim(made, np.arange(4))
    assert scorer.images[0].shape == (SIDE, SIDE)
    everyone = np.arange(4)
    run = ranked(scorer, np.array([0]), [everyone], 3, apart=everyone)
    assert run.neighbours[0, 0] == 3
    assert sorted(run.neighbours[0]) == [1, 2, 3]
    assert list(run.similarities[0]) == sorted(run.similarities[0], reverse=True)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    made = pictures(tmp_path, 2)
    made.paths[1].unlink()
    with pytest.raises(CollectionError, match=r"1\.png"):
        read_for_ssim(made, np.arange(2))
    vectors_only = Collection(
        name="vectors",
        ids=("a",),
        patients=("p",),
        label_names=(),
        states=np.empty((1, 0), np.int8),
    )
    with pytest.raises(CollectionError, match="vectors has no image files"):
        read_for_ssim(vectors_only, np.arange(1))


def test_ties_go_by_lot_and_the_patient_is_left_out() -> None:
    same = {at: np.zeros((8, 8), np.float32) for at in range(5)}
    apart = np.array([0, 1, 0, 2, 3])
    run = ranked(Ssim(same), np.array([0, 1]), [np.arange(5)] * 2, 4, apart=apart)
    drawn = [
        sorted(may, key=lambda at: lot(q, at)) for q, may in enumerate(([1, 3, 4], [0, 2, 3, 4]))
    ]
    assert run.neighbours.tolist() == [[*drawn[0], NOBODY], drawn[1]]


@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.L2])
def test_vectors_are_ranked_as_an_index_ranks_them(metric: Metric) -> None:
    from evaluation.evaluating import System
    from evaluation.nearest import Neighbourhood

    random = np.random.default_rng(1)
    vectors = random.standard_normal((30, 4)).astype(np.float32)
    apart, everyone = random.integers(0, 10, 30), np.arange(30)
    run = ranked(
        ByVector.of(System("made", vectors, metric)), everyone, [everyone] * 30, 5, apart=apart
    )
    expected = Neighbourhood(vectors, metric).nearest(5, apart=apart)
    assert run.neighbours.tolist() == expected.neighbours.tolist()


def test_rankings_that_cannot_be() -> None:
    scorer = Ssim({0: np.zeros((8, 8), np.float32)})
    with pytest.raises(ValueError, match="k is 0"):
        ranked(scorer, np.array([0]), [np.array([0])], 0, apart=np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="0 lists for 1 queries"):
        ranked(scorer, np.array([0]), [], 1, apart=np.zeros(1, np.int64))
