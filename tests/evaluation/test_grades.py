"""Readers' grades: files, faults, and nDCG against the golden numbers."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.collection import Collection
from evaluation.figures import figure
from evaluation.grades import Grades, grade_of, judged, read_grades
from evaluation.readers.fault import ReaderError
from evaluation.systems.pairwise import ranked


def collection(count: int) -> Collection:
    return Collection(
        name="made",
        ids=tuple(f"i{at}" for at in range(count)),
        patients=tuple(f"p{at}" for at in range(count)),
        label_names=(),
        states=np.empty((count, 0), np.int8),
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "R1.csv"
    path.write_text(text)
    return path


def test_grades_of_ranks_are_papers_3() -> None:
    assert [grade_of(rank, 10) for rank in (1, 2, 10)] == [5.5, 5.0, 1.0]


def test_grades_and_ranks_are_read(tmp_path: Path) -> None:
    graded = read_grades(
        written(tmp_path, "query,image,grade\ni0,i1,2.5\ni0,i2,0\ni3,i0,1\n"), collection(4)
    )
    assert graded.name == "R1"
    assert graded.grades == {0: {1: 2.5, 2: 0.0}, 3: {0: 1.0}}
    ranks = read_grades(
        written(tmp_path, "query,image,rank\ni0,i1,2\ni0,i2,1\ni0,i3,3\n"), collection(4)
    )
    assert ranks.grades == {0: {1: 1.5, 2: 2.0, 3: 1.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query,image\ni0,i1\n", "no column 'grade'"),
        ("query,image,grade\ni0,x,1\n", "line 2, column 'image': 'x' is no image"),
        ("query,image,grade\ni0,i1,high\n", "line 2, column 'grade': 'high' is no grade"),
        ("query,image,grade\ni0,i1,-1\n", "'-1' is no grade"),
        ("query,image,grade\ni0,i1,nan\n", "'nan' is no grade"),
        ("query,image,grade\ni0,i0,1\n", "line 2.*against itself"),
        ("query,image,grade\ni0,i1,1\ni0,i1,2\n", "line 3.*stands above already"),
        ("query,image,rank\ni0,i1,1\ni0,i2,1\n", "ranks of query i0 are 1, 1, not 1 to 2"),
        ("query,image,rank\ni0,i1,1.5\n", "'1.5' is no rank"),
        ("query,image,rank\ni0,i1,0\n", "'0' is no rank"),
        ("", "is empty"),
    ],
)
def test_faults(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        read_grades(written(tmp_path, text), collection(3))


BEST = {at: 5.5 - (at - 1) / 2 for at in range(1, 11)}


def value(truth: Grades, reader: Grades, name: str, images: int) -> tuple[float, float]:
    everyone = np.arange(images)
    catalogues = [truth.catalogue(query) for query in truth.queries.tolist()]
    run = ranked(reader, truth.queries, catalogues, 10, apart=everyone)
    found = figure(judged(run, truth, name, everyone, everyone), draws=10)
    return found.value, found.chance


@pytest.mark.parametrize(
    ("name", "swapped", "chance"), [("ndcg.exp@10", 0.946, 0.698), ("ndcg.exp@3", 0.934, 0.398)]
)
def test_the_golden_numbers(name: str, swapped: float, chance: float) -> None:
    truth = Grades("R1", {0: BEST})
    assert value(truth, truth, name, 30)[0] == pytest.approx(1)
    other = Grades("R2", {0: {**BEST, 1: BEST[2], 2: BEST[1]}})
    found = value(truth, other, name, 30)
    assert round(found[0], 3) == swapped
    assert found[1] == pytest.approx(chance, abs=0.001)


def test_only_the_querys_own_catalogue_counts() -> None:
    truth = Grades("R1", {0: BEST, 20: {21: 3.0, 1: 1.0}})
    backwards = Grades("R2", {0: BEST, 20: {21: 1.0, 1: 3.0}})
    # 20 has (2^1 - 1) + (2^3 - 1) / log2(3) of (2^3 - 1) + (2^1 - 1) / log2(3)
    second = (1 + 7 / np.log2(3)) / (7 + 1 / np.log2(3))
    assert value(truth, backwards, "ndcg.exp@10", 30)[0] == pytest.approx((1 + second) / 2)


def test_what_a_reader_did_not_grade_comes_last() -> None:
    found = Grades("R2", {0: {2: 1.0}}).scores(0, np.array([1, 2]))
    assert found.tolist() == [-np.inf, 1.0]
    assert Grades("R2", {}).scores(0, np.array([1])).tolist() == [-np.inf]


def test_the_patients_own_images_are_neither_found_nor_looked_for() -> None:
    truth = Grades("R1", {0: {1: 5.0, 2: 1.0, 3: 2.0}})
    apart = np.array([0, 0, 1, 2])
    run = ranked(truth, truth.queries, [truth.catalogue(0)], 10, apart=apart)
    assert run.neighbours[0, :2].tolist() == [3, 2]
    scores = judged(run, truth, "ndcg.exp@10", apart, apart)
    assert scores.values.tolist() == pytest.approx([1.0])
