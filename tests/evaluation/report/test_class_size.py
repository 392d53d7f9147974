"""Precision by class size: each class once, at its size."""

import re

import pytest
from markupsafe import escape

from evaluation.report.answered import groups_of
from evaluation.report.class_size import by_class_size, shortened
from evaluation.report.drawing import Picture
from evaluation.tasks import Rules
from tests.evaluation.report.made import SCRIPT, collection_of, evaluated, near

SIZES = {"rare": 3, "some": 12, SCRIPT: 40}


def drawn(classes: list[str], at: int = 0, rules: Rules = Rules()) -> Picture | None:  # noqa: B008
    collection = collection_of(classes)
    made = evaluated(collection, [near(collection)], rules=rules)
    judgement, task = made.judgements[at], made.tasks[at]
    groups = groups_of(task, collection, "ignore")
    return by_class_size(judgement, task, collection, groups, rules)


def test_every_class_is_told_with_its_size() -> None:
    picture = drawn([name for name, size in SIZES.items() for _ in range(size)])
    assert picture is not None
    assert picture.title == "p@1 of near class by size of the class, class"
    for name, size in SIZES.items():
        assert f"<title>{escape(name)}: {size} images, " in picture.svg
    assert picture.svg.count("<title>") == 3
    assert "<script" not in picture.svg
    # sizes stand by their logarithm: 3 to 12 is 4-fold, 12 to 40 is 3.33-fold
    dots = re.findall(r'class="mark dot hue-0" d="M([\d.]+) ', str(picture.svg))
    x = sorted(float(dot) for dot in dots)
    assert (x[1] - x[0]) / (x[2] - x[1]) == pytest.approx(1.386 / 1.204, rel=0.01)


def test_labels_have_sizes_too() -> None:
    picture = drawn(["a", "b"] * 20, at=2)
    assert picture is not None
    assert picture.title.startswith("p@5 of")
    assert picture.svg.count("<title>") == 2


def test_any_label_knows_no_classes() -> None:
    assert drawn(["a", "b"] * 20, at=1) is None


def test_many_classes_and_equal_sizes() -> None:
    picture = drawn([f"class {at % 64}" for at in range(256)])
    assert picture is not None
    assert picture.svg.count("<title>") == 64
    assert '<text class="name' not in picture.svg  # too many to be named in it
    assert "nan" not in picture.svg


@pytest.mark.parametrize(
    ("name", "told"), [("short", "short"), ("x" * 20, "x" * 20), ("x" * 21, "x" * 19 + "…")]
)
def test_long_names(name: str, told: str) -> None:
    assert shortened(name) == told
