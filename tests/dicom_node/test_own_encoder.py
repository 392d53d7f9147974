"""The encoder that comes with Likeness, in a node: its networks speak of chest radiographs only."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import CTImageStorage, MRImageStorage
from sqlalchemy import Engine

from dicom_node.making import make_encoder, summary_of
from dicom_node.settings import EncoderSettings
from encoders.baseline_size import DIMENSION
from storage.spaces import Maker
from tests.dicom_node.changeover_archive import run_to_its_end, used, vectors, want, work
from tests.dicom_node.worked import WorkedNode, worked_node

OWN = EncoderSettings(name="likeness-cxr", device="cpu", threads=1, deterministic=True)
KINDS: dict[int, tuple[dict[str, Any], bool]] = {
    0: ({}, True),
    1: ({"BodyPartExamined": None}, True),
    2: ({"Modality": "DX", "BodyPartExamined": "THORAX"}, True),
    3: ({"Modality": "DX", "BodyPartExamined": "KNEE"}, False),
    4: ({"Modality": "CT", "SOPClassUID": CTImageStorage}, False),
    5: ({"Modality": "MR", "SOPClassUID": MRImageStorage, "BodyPartExamined": None}, False),
}
"""Attributes, and whether its networks were made for such an image."""


def _worked(node: WorkedNode) -> dict[int, np.ndarray[Any, np.dtype[np.float32]]]:
    for number, (attributes, _) in KINDS.items():
        work(node, [number], **attributes)
    return _vectors(node)


def _vectors(node: WorkedNode) -> dict[int, np.ndarray[Any, np.dtype[np.float32]]]:
    space = used(node.engine).id
    found = {number: vectors(node.engine, space, number) for number in KINDS}
    assert all(len(some) == 1 for some in found.values())
    return {number: np.frombuffer(one, np.float32) for number, [one] in found.items()}


def test_of_other_images_only_the_descriptor_is_asked(engine: Engine, tmp_path: Path) -> None:
    with worked_node(engine, tmp_path / "a", sections={"encoder": OWN}) as node:
        found = _worked(node)
        for number, (_, is_made_for) in KINDS.items():
            assert bool(found[number][DIMENSION:].any()) == is_made_for, KINDS[number]


@pytest.mark.parametrize("with_files", [True, False])
def test_a_changeover_makes_the_vectors_that_a_worker_makes(
    engine: Engine, tmp_path: Path, with_files: bool
) -> None:
    with worked_node(engine, tmp_path / "a") as node:
        before = _worked(node)
        if not with_files:  # what is kept does not say what it shows
            assert node.sweep(keep_days=0) == len(KINDS)
        settings = node.worker.settings.model_copy(update={"encoder": OWN})
        maker = Maker("likeness-cxr")
        want(engine, summary_of(make_encoder(settings, maker).space), maker)
        run_to_its_end(engine, settings, node=node.worker.node)
        found = _vectors(node)
    for number, (_, is_made_for) in KINDS.items():
        learned = found[number][DIMENSION:]
        assert bool(learned.any()) == is_made_for, KINDS[number]
        share = np.linalg.norm(found[number][:DIMENSION])
        np.testing.assert_allclose(found[number][:DIMENSION] / share, before[number], atol=1e-5)
