"""Bars of abstention and drift: as long as the shares, and never more than can be looked at."""

import math
import re

import pytest
from markupsafe import escape

from evaluation.report.shadow_picture import MOST_BARS, PANEL, shadow_picture
from evaluation.report.shadow_rows import ValueRow
from evaluation.shadow import Abstention, Drift
from tests.evaluation.report.made import SCRIPT

NOBODY = float("nan")


def row(name: str, share: float, distance: float, p: float, studies: int = 30) -> ValueRow:
    return ValueRow(
        name,
        Abstention("source", name, studies, 0, share, 50.0),
        Drift("source", name, 9, 90, 0.5, 0.5, distance, p, unseen=math.isnan(p)),
        p,
        (),
    )


def bars(svg: str) -> list[tuple[str, float]]:
    """Colours and lengths, as shares of a panel."""
    found = re.findall(r'class="bar ([\w-]+)" d="M[\d.]+ [\d.]+h([\d.]+)v', svg)
    return [(hue, float(length) / PANEL) for hue, length in found]


def test_bars_are_as_long_as_the_shares() -> None:
    picture = shadow_picture([row("CT1", 0.25, 0.75, 0.01), row(SCRIPT, 1.0, 0.5, 0.3)])
    hues, lengths = zip(*bars(picture.svg), strict=True)
    assert hues == ("hue-0", "hue-1", "hue-0", "hue-none")
    assert lengths == pytest.approx((0.25, 0.75, 1.0, 0.5), abs=0.001)
    assert "<title>CT1; 30 studies, nothing similar .250; 9 new images" in picture.svg
    assert f"<title>{escape(SCRIPT)}" in picture.svg
    assert "<script" not in picture.svg


def test_what_cannot_be_drawn_is_said() -> None:
    alone = ValueRow("CT2", Abstention("source", "CT2", 0, 30, NOBODY, NOBODY), None, NOBODY, ())
    picture = shadow_picture([row("new", 0.1, NOBODY, NOBODY), alone])
    assert ">not seen before</text>" in picture.svg
    assert len(bars(picture.svg)) == 1
    assert "nan" not in picture.svg


def test_of_many_values_those_of_the_most_studies_are_drawn_in_their_order() -> None:
    rows = [row(f"CT{at:02}", 0.5, 0.5, 0.5, studies=at) for at in range(60)]
    picture = shadow_picture(rows)
    assert picture.says.startswith(f"The {MOST_BARS} of 60 values with the most studies.")
    names = re.findall(r"<title>(CT\d\d);", picture.svg)
    assert names == [f"CT{at}" for at in range(60 - MOST_BARS, 60)]
