"""Maps: repeatable, told what they are, and refused where there is nothing to map."""

import re
import sys
from types import ModuleType

import numpy as np
import pytest

from evaluation.evaluating import System
from evaluation.report import maps
from evaluation.report.maps import Map, MapError, coloured, tsne, umap
from storage.vectors.metric import Metric

CLASSES = np.arange(60) % 3


def system(metric: Metric = Metric.COSINE) -> System:
    random = np.random.default_rng(0)
    if metric is Metric.HAMMING:
        codes = np.array([[0, 0, 255, 255], [255, 255, 0, 0], [0, 255, 255, 0]], np.uint8)
        return System("codes", codes[CLASSES] ^ (random.random((60, 4)) < 0.2), metric)
    centres = random.standard_normal((3, 80)) * 5
    vectors = centres[CLASSES] + random.standard_normal((60, 80))
    return System("net", vectors.astype(np.float32), metric)


def own_neighbours(made: Map) -> float:
    """How often a point's nearest point is of its class."""
    apart = np.linalg.norm(made.places[:, None] - made.places, axis=2)
    np.fill_diagonal(apart, np.inf)
    return float((CLASSES[made.images][apart.argmin(axis=1)] == CLASSES[made.images]).mean())


@pytest.mark.parametrize("metric", list(Metric))
def test_classes_that_are_apart_stay_apart(metric: Metric) -> None:
    made = tsne(system(metric), np.arange(60), seed=3)
    assert own_neighbours(made) > 0.95


def test_a_map_says_how_it_was_made_and_is_made_again_the_same() -> None:
    made = tsne(system(), np.arange(60), seed=3)
    assert made.settings == "perplexity 19.6667, PCA to 50 first, seed 3"
    assert made.sample == "All 60 images"
    assert np.array_equal(made.places, tsne(system(), np.arange(60), seed=3).places)


def test_a_sample_is_told() -> None:
    made = tsne(system(), np.arange(10, 60), seed=3, most=20)
    assert made.sample == "20 of 50 images, drawn by lot"
    assert len(set(made.images.tolist())) == 20
    assert made.images.min() >= 10


def test_one_number_for_each_image_can_be_mapped() -> None:
    line = System("line", np.linspace(1, 9, 60, dtype=np.float32)[:, None], Metric.L2)
    assert np.isfinite(tsne(line, np.arange(60), seed=0).places).all()


@pytest.mark.parametrize(
    ("vectors", "members", "says"),
    [
        (np.eye(9, dtype=np.float32), 4, "4 images are too few for a map: 5 are needed"),
        (np.ones((9, 3), np.float32), 9, "all vectors of net are the same"),
    ],
)
def test_what_cannot_be_mapped(vectors: np.ndarray, members: int, says: str) -> None:
    with pytest.raises(MapError, match=says):
        tsne(System("net", vectors), np.arange(members), seed=0)


def test_umap_that_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MapError, match=re.escape("pip install 'likeness-node[umap]'")):
        umap(system(), np.arange(60), seed=0)


def test_umap_is_asked_with_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    class Stand:
        def __init__(self, **options: int) -> None:
            asked.update(options)

        def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
            return vectors[:, :2].astype(np.float32)

    module = ModuleType("umap")
    module.UMAP = Stand  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", module)
    made = umap(system(), np.arange(60), seed=4)
    assert asked == {"n_neighbors": 15, "random_state": 4, "n_jobs": 1}
    assert made.settings == "15 neighbours, PCA to 50 first, seed 4"
    assert own_neighbours(made) > 0.95


def test_umap_itself() -> None:
    pytest.importorskip("umap", reason="left out: UMAP is not here (likeness-node[umap])")
    assert own_neighbours(umap(system(), np.arange(60), seed=0)) > 0.95


def a_map(texts: list[str]) -> Map:
    places = np.random.default_rng(0).standard_normal((len(texts), 2))
    return Map("net", "t-SNE", "seed 0", np.arange(len(texts)), len(texts), places)


def test_twelve_have_a_look_of_their_own_and_the_others_one() -> None:
    texts = [f"class {at:02}" for at in range(15) for _ in range(20 - at)] + [""] * 5
    legend = coloured(a_map(texts), "class", texts).legend
    assert [entry.name for entry in legend[:12]] == [f"class {at:02}" for at in range(12)]
    assert [entry.count for entry in legend[:2]] == [20, 19]
    assert len({entry.look for entry in legend}) == 14
    assert [(entry.name, entry.count) for entry in legend[12:]] == [
        ("others (3)", 8 + 7 + 6),
        ("not known", 5),
    ]


def test_every_point_is_drawn_once_and_inside() -> None:
    texts = [f"<{at % 14}>" for at in range(90)]
    picture = coloured(a_map(texts), "<class>", texts)
    places = re.findall(r"M([-\d.]+) ([-\d.]+)", str(picture.svg))
    assert len(places) == 90
    numbers = np.array(places, float)
    assert numbers.min() >= 0
    assert numbers.max() <= maps.SIDE
    assert "<class>" not in picture.svg
    assert "&lt;class&gt;" in picture.svg


def test_the_colours_are_of_the_images_that_are_drawn() -> None:
    made = Map("net", "t-SNE", "seed 0", np.array([1, 3]), 4, np.array([[0, 0], [1, 1.0]]))
    legend = coloured(made, "view", ["AP", "PA", "AP", "LL"]).legend
    assert [(entry.name, entry.count) for entry in legend] == [("LL", 1), ("PA", 1)]
