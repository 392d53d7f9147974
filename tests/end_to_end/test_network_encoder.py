"""A node with MONAI's DenseNet-121: made, embedded, searched and answered like any other."""

from pathlib import Path

import pydicom
import pytest

from evaluation.synthetic import make_study
from tests.encoders.test_monai_nets import network, save
from tests.end_to_end.running import (
    INDEXED_CALLER,
    dciodvfy_errors,
    dsrdump,
    node_in,
    reports_in,
    viewer,
)
from tests.waiting import wait_until

STUDIES = 4


@pytest.mark.timeout(300)
def test_a_network_with_local_weights_answers(tmp_path: Path) -> None:
    """Random weights in the network's true shape; its space names their digest."""
    save(network(), tmp_path / "weights.safetensors")
    for index in range(STUDIES + 1):
        [dataset, *_] = make_study(index, modality="DX").datasets
        folder = tmp_path / ("asked" if index == STUDIES else "archive")
        folder.mkdir(exist_ok=True)
        dataset.save_as(folder / f"{index}.dcm", enforce_file_format=True)
    encoder = "encoder = {name = 'monai-densenet121', weights = 'weights.safetensors'}"
    with node_in(tmp_path, extra=encoder) as node:
        node.start()
        node.store(tmp_path / "archive", calling=INDEXED_CALLER)
        node.wait_until_worked(STUDIES)
        with viewer(node.viewer_port, tmp_path / "answers") as answers:
            node.store(tmp_path / "asked")
            wait_until(lambda: reports_in(answers), f"the report; the log says {node.log}")
        [path] = reports_in(answers)
        assert node.likeness("verify").returncode == 0
    assert dciodvfy_errors(path) == []
    assert "monai-densenet121" in dsrdump(path)
    asked = pydicom.dcmread(tmp_path / "asked" / f"{STUDIES}.dcm")
    assert pydicom.dcmread(path).StudyInstanceUID == asked.StudyInstanceUID
