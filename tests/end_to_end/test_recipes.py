"""Every recipe, from the command line to the reading room: trained, served, asked, answered."""

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pydicom
import pytest

from encoders.training.recipe_files import names, read_recipe
from evaluation.synthetic import make_study
from tests.end_to_end.running import (
    INDEXED_CALLER,
    dciodvfy_errors,
    dsrdump,
    node_in,
    reports_in,
    viewer,
)
from tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.shared_data, pytest.mark.timeout(1500)]
STUDIES = 4
LIMIT_S = 600
"""Of a recipe at smoke scale on two cores."""


@pytest.mark.parametrize("name", names())
def test_a_recipe_is_trained_and_its_encoder_answers(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    [product] = _trained(name, shared_data, tmp_path)
    recipe = read_recipe(name).at_smoke_scale()
    if recipe.schedule.epochs:
        losses = [epoch["train loss"] for epoch in product["history"]]
        assert min(losses[1:]) < losses[0], losses
    assert {path.name for path in (tmp_path / "encoder").glob("[!cpv]*") if path.is_file()} <= {
        "encoder.json",
        "model.safetensors",
        "README.md",
    }
    card = (tmp_path / "encoder" / "README.md").read_text()
    asks = recipe.schedule.parts[2] > 0
    assert ("chance" if asks else "nothing is known of how good it is") in card
    assert "Licence" in card
    _answers(tmp_path, "CT" if recipe.modalities == ("CT",) else "DX", name)


def _trained(name: str, shared_data: Path, folder: Path) -> list[dict[str, Any]]:
    data = ["--data", str(shared_data / "cxr"), "--where", "origin=NIH ChestX-ray14"]
    if name == "p2-xmir":
        data = ["--data", str(shared_data / "cxr"), "--target", "cxr3"]
    elif name.startswith("likeness-cxr"):
        data += ["--teacher", str(shared_data / "cxr" / "predictions.csv.gz")]
    elif name == "p1-ct-weight":
        data = ["--data", str(_with_weights(shared_data, folder / "ct"))]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dicom_node", "train", name, *data),
            *("--smoke", "-o", str(folder / "encoder"), "--json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _with_weights(shared_data: Path, folder: Path) -> Path:
    """Real CT slices with weights that are made up: nothing here tells a patient's weight."""
    folder.mkdir()
    with (shared_data / "multi" / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == "chestct_covid"]
    lines = ["file,patient_id,labels,weight"]
    for row in rows:
        path = shared_data / "multi" / row["file"]
        shutil.copy(path, folder / path.name)
        made_up = 100 + int(hashlib.sha256(row["patient_id"].encode()).hexdigest()[:4], 16) % 150
        lines.append(f"{path.name},{row['patient_id']},,{made_up}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


def _answers(folder: Path, modality: str, name: str) -> None:
    """A node with the encoder embeds studies, and answers for one that comes after them."""
    for index in range(STUDIES + 1):
        below = folder / ("asked" if index == STUDIES else "archive") / str(index)
        below.mkdir(parents=True)
        for number, dataset in enumerate(make_study(index, modality=modality).datasets):
            dataset.save_as(below / f"{number}.dcm", enforce_file_format=True)
    encoder = f"encoder = {{name = 'folder:{folder / 'encoder'}'}}"
    with node_in(folder, extra=encoder) as node:
        node.start()
        node.store(folder / "archive", calling=INDEXED_CALLER)
        node.wait_until_worked(STUDIES)
        with viewer(node.viewer_port, folder / "answers") as answers:
            node.store(folder / "asked")
            wait_until(lambda: reports_in(answers), f"the report; the log says {node.log}", 120)
        [path] = reports_in(answers)
        assert node.likeness("verify").returncode == 0
    assert dciodvfy_errors(path) == []
    assert name in dsrdump(path)
    asked = pydicom.dcmread(next((folder / "asked").rglob("*.dcm")))
    assert pydicom.dcmread(path).StudyInstanceUID == asked.StudyInstanceUID
