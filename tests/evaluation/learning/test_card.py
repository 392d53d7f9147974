"""The model card: what it tells, and that no name of a set breaks its tables."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from encoders.folders.told import Told
from encoders.networks.known import build
from encoders.training.examples import Examples
from encoders.training.heads import head_of
from encoders.training.loop import Ended
from encoders.training.recipe import Recipe
from encoders.training.splitting import Split
from encoders.training.training import Trained, write
from evaluation.evaluating import Row
from evaluation.figures import Figure
from evaluation.learning.card import card
from evaluation.learning.judged import Judged
from tests.encoders.training.small import examples, recipe

NASTY = "a|b\n| c \\| d\r\n\n# no heading"


def trained(shown: Examples, asked: Recipe | None = None, ended: Ended | None = None) -> Trained:
    asked = asked or recipe()
    network = asked.network
    torch.manual_seed(0)
    made = build(network.builder, network.config, network.pooling)
    at = np.arange(len(shown))
    split = Split(at[:30], at[30:40], at[40:], "by hand")
    head = head_of(network.head, made, network.dimension, len(shown.outputs))
    return Trained(asked, shown, split, ended, made, head)


def figure(measure: str = "p@1", mean: str = "micro") -> Figure:
    return Figure(
        measure=measure,
        mean=mean,
        value=0.75,
        low=0.5,
        high=0.875,
        chance=0.25,
        lift_low=0.1,
        lift_high=0.6,
        queries=8,
        undefined=0,
        patients=4,
    )


JUDGED = Judged(
    "of the same target",
    (Row("class", "", figure()), Row("class", "", figure("p@5", "class_mean"))),
    (("auc", 0.875), ("f1", float("nan"))),
)


def text_of(
    one: Trained, folder: Path, judged: Judged | None = JUDGED, data: str = "/data/set"
) -> str:
    told: Told = write(one, folder, {"recipe": f"small ({one.recipe.digest})", "seed": "3"})
    return card(one.recipe, told, one, judged, data)


def section(text: str, name: str) -> list[str]:
    return text.split(f"\n## {name}\n")[1].split("\n## ", maxsplit=1)[0].strip().splitlines()


def rows(lines: list[str]) -> list[list[str]]:
    """The cells of a table, as CommonMark has them: a pipe behind a backslash is none."""
    table = [line for line in lines if line.startswith("|")]
    return [
        [cell.strip() for cell in line.replace("\\|", "\0").strip("|").split("|")] for line in table
    ]


def test_it_tells_the_data_and_its_counts(tmp_path: Path) -> None:
    shown = examples(48)
    known = shown.known.copy()
    known[:4] = False
    targets = np.where(known, shown.targets, 0).astype(np.float32)
    lines = section(
        text_of(trained(replace(shown, known=known, targets=targets)), tmp_path), "Data"
    )
    assert lines[0] == "made (/data/set): 48 images of 24 patients."
    assert lines[1] == "Learned: 30; chose the epoch: 10; asked at the end: 8 (by hand)."
    assert rows(lines)[2] == ["bright", "22", "44"]


def test_it_tells_the_range_of_a_number(tmp_path: Path) -> None:
    asked = recipe(targets={"aim": "number", "names": ["age"]}, schedule={"monitor": "mae"})
    shown = examples(48)
    ages = np.arange(48, dtype=np.float32)[:, None] + 20
    known = np.ones((48, 1), bool)
    known[-1] = False
    numbers = replace(shown, outputs=("age",), targets=ages * known, known=known)
    lines = section(text_of(trained(numbers, asked), tmp_path), "Data")
    assert rows(lines)[0] == ["target", "least", "median", "greatest", "known"]
    assert rows(lines)[2] == ["age", "20", "43", "66", "47"]


def test_figures_stand_with_chance_and_interval(tmp_path: Path) -> None:
    lines = section(text_of(trained(examples()), tmp_path), "Figures")
    table = rows(lines)
    assert table[0] == ["measure", "value", "interval", "chance", "queries"]
    assert table[2] == ["class: p@1", ".750", ".500 to .875", ".250", "8"]
    assert table[3][0] == "class: p@5, class mean"
    assert "Its head on the same images: auc .875, f1 -." in lines
    assert "Few patients ask: read the intervals, not the values." in lines


def test_without_test_images_it_claims_nothing(tmp_path: Path) -> None:
    text = text_of(trained(examples()), tmp_path, None)
    assert section(text, "Figures") == [
        "No images were kept to ask with: nothing is known of how good it is."
    ]
    assert "p@" not in text
    assert "auc" not in text


def test_it_tells_licence_use_and_how_it_was_made(tmp_path: Path) -> None:
    ended = Ended(2, ({}, {}, {}), "all epochs done", "the loss is nan in epoch 4")
    one = trained(examples(), ended=ended)
    text = text_of(one, tmp_path)
    assert "Not a medical device." in text
    assert "their licence, and what their patients agreed to" in " ".join(section(text, "Licence"))
    assert '    name = "folder:/path/to/this/folder"' in section(text, "Use")
    made = section(text, "Made")
    assert made[0] == "Epoch 2 of 3 was kept; all epochs done."
    assert made[1] == "the loss is nan in epoch 4."
    assert f"- recipe: small ({one.recipe.digest})" in made


@pytest.mark.parametrize("judged", [JUDGED, None])
def test_no_text_breaks_a_table_or_makes_a_heading(tmp_path: Path, judged: Judged | None) -> None:
    shown = replace(examples(), name=NASTY, outputs=(NASTY,), notes=(NASTY, "plain"))
    asked = recipe().model_copy(update={"summary": NASTY, "source": NASTY, "notes": (NASTY,)})
    if judged is not None:
        judged = replace(judged, says=NASTY, rows=(Row(NASTY, "", figure()),))
    text = text_of(trained(shown, asked), tmp_path, judged, NASTY)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# small", *(f"## {one}" for one in
                        ("Use", "Data", "Figures", "Licence", "Made"))]  # fmt: skip
    assert {len(row) for row in rows(section(text, "Data"))} == {3}
    assert {len(row) for row in rows(section(text, "Figures"))} <= {5}


def test_a_set_of_many_labels_has_a_row_for_each(tmp_path: Path) -> None:
    names = tuple(f"label {at}" for at in range(14))
    targets = np.zeros((48, 14), np.float32)
    targets[:, 3] = 1
    shown = replace(examples(), outputs=names, targets=targets, known=np.ones((48, 14), bool))
    asked = recipe(targets={"aim": "labels", "names": []})
    table = rows(section(text_of(trained(shown, asked), tmp_path), "Data"))
    assert [row[0] for row in table[2:]] == list(names)
    assert [row[1] for row in table[2:]] == ["48" if at == 3 else "0" for at in range(14)]
