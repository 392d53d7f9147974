"""Samples per class: draws, curves, and what is refused; the plot."""

import dataclasses
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from evaluation.ablation.curves import Ablation, Design, Pool, _drawn, ablation
from evaluation.ablation.plot import draw
from evaluation.collection import CollectionError
from evaluation.evaluating import System

DESIGN = Design(sizes=(2, 5, 20), queries=6, seeds=(0, 1), measures=("p@1", "p@5"))


def pool(counts: dict[str, int], *, patients: int = 0, halves: bool = False) -> Pool:
    """Classes of so many images; ``halves``: the first third of each asks, the others answer."""
    codes = np.repeat(np.arange(len(counts)), list(counts.values()))
    everyone = np.arange(len(codes))
    whose = everyone if not patients else everyone % patients
    first = np.concatenate([np.arange(count) < count // 3 for count in counts.values()])
    asking, answering = (everyone[first], everyone[~first]) if halves else (everyone, everyone)
    return Pool(codes, tuple(counts), whose, whose, asking, answering)


def around_centres(made: Pool, spread: float) -> System:
    random = np.random.default_rng(0)
    centres = random.standard_normal((len(made.class_names), 6))
    noise = random.standard_normal((len(made.classes), 6)) * spread
    return System("made", (centres[made.classes] + noise).astype(np.float32))


@pytest.mark.parametrize("halves", [True, False])
def test_indexes_are_nested_and_queries_stay(halves: bool) -> None:
    made = pool({"a": 60, "b": 70}, halves=halves)
    drawn = list(_drawn(made, DESIGN, [0, 1]))
    assert [size for size, _, _ in drawn] == [2, 5, 20] * 2
    for run in (drawn[:3], drawn[3:]):
        queries = run[0][1]
        assert np.bincount(made.classes[queries]).tolist() == [6, 6]
        for size, asked, index in run:
            assert asked.tolist() == queries.tolist()
            assert np.bincount(made.classes[index]).tolist() == [size, size]
            assert not set(index) & set(queries)
            assert set(index) <= set(run[-1][2])
            assert set(index) <= set(made.answering)
            assert set(asked) <= set(made.asking)
    assert drawn[0][1].tolist() != drawn[3][1].tolist()


def test_more_images_of_each_class_are_of_use() -> None:
    made = pool({"a": 200, "b": 200, "c": 200}, halves=True)
    design = Design(sizes=(1, 100), queries=30, seeds=(0, 1, 2), measures=("p@1",))
    (found,) = ablation(around_centres(made, 1.2), made, design, draws=200)
    few, many = found.points
    assert many.figure.value > few.figure.value
    # three classes of as many images: a third is right by chance
    assert few.figure.chance == pytest.approx(1 / 3)
    assert many.figure.queries == 3 * 30 * 3
    assert many.by_seed == pytest.approx(many.by_seed)
    assert np.mean(many.by_seed) == pytest.approx(many.figure.value)


def test_vectors_by_lot_are_at_chance() -> None:
    made = pool({"a": 100, "b": 100, "c": 100, "d": 100})
    random = np.random.default_rng(3).standard_normal((400, 16)).astype(np.float32)
    design = Design(sizes=(5, 50), queries=38, seeds=tuple(range(5)), measures=("p@5",))
    (found,) = ablation(System("random", random), made, design)
    for point in found.points:
        assert point.figure.low <= point.figure.chance <= point.figure.high


def test_the_querys_patient_is_left_out() -> None:
    # two images of each patient, which are equal; classes mean nothing
    codes = np.arange(120) % 2
    whose = np.arange(120) // 4
    vectors = np.random.default_rng(0).standard_normal((30, 8))[whose].astype(np.float32)
    everyone = np.arange(120)
    design = Design(sizes=(30,), queries=20, seeds=(0, 1, 2), measures=("p@1",))
    made = Pool(codes, ("a", "b"), whose, whose, everyone, everyone)
    (apart,) = ablation(System("twins", vectors), made, design, draws=50)
    loose = dataclasses.replace(made, apart=everyone)
    (near,) = ablation(System("twins", vectors), loose, design, draws=50)
    assert apart.points[0].figure.value != near.points[0].figure.value
    assert apart.points[0].figure.patients <= 30


def test_classes_with_too_few_images_are_left_out_by_name() -> None:
    made = pool({"a": 30, "small": 10, "b": 26})
    seen: list[tuple[int, int]] = []
    found = ablation(around_centres(made, 0.1), made, DESIGN, lambda *at: seen.append(at), draws=20)
    assert [one.measure for one in found] == ["p@1", "p@5"]
    assert found[0].classes == ("a", "b")
    assert found[0].left_out == (("small", 10, 10),)
    assert seen == [(at, 6) for at in range(1, 7)]


def test_a_class_just_large_enough() -> None:
    made = pool({"a": 26, "b": 26})  # six ask, twenty answer
    assert ablation(around_centres(made, 0.1), made, DESIGN, draws=20)[0].classes == ("a", "b")
    made = pool({"a": 26, "b": 25})
    with pytest.raises(CollectionError, match=r"1 classes have 6 queries.*a \(26 may ask, 26 ans"):
        ablation(around_centres(made, 0.1), made, DESIGN)


@pytest.mark.parametrize(
    "wrong",
    [{"sizes": ()}, {"sizes": (5, 2)}, {"sizes": (0, 2)}, {"queries": 0}, {"seeds": ()}],
)
def test_designs_that_are_none(wrong: dict[str, object]) -> None:
    with pytest.raises(CollectionError):
        dataclasses.replace(DESIGN, **wrong)  # type: ignore[arg-type]


def curves(*names: str) -> list[Ablation]:
    made = pool({"a": 60, "b": 60})
    (found,) = ablation(
        around_centres(made, 1.0), made, dataclasses.replace(DESIGN, measures=("p@1",)), draws=20
    )
    return [dataclasses.replace(found, system=name) for name in names]


def test_the_plot_is_an_svg_with_its_words_and_always_the_same() -> None:
    hard = "encoder <b> & \u0627\u0644"
    found = draw(curves("baseline", hard), "Samples per class")
    words = "".join(ET.fromstring(found).itertext())
    for word in ("baseline", hard, "chance", "Samples per class", "p@1", "20"):
        assert word in words
    assert found == draw(curves("baseline", hard), "Samples per class")


def test_plots_that_are_none() -> None:
    (one,) = curves("a")
    shorter = dataclasses.replace(one, points=one.points[:1])
    for wrong in ([], [one, shorter], [one, dataclasses.replace(one, measure="p@5")]):
        with pytest.raises(CollectionError, match="one measure and the same sizes"):
            draw(wrong)
