"""What is learned beside the targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders.training.fault import TrainingError
from encoders.training.recipe import Targets
from evaluation.collection import Collection, CollectionError, states_of
from evaluation.learning.examples import examples_of
from evaluation.readers.fault import ReaderError
from evaluation.readers.teacher import read_teacher

ASKED = Targets(aim="labels", names=("Mass",))
COLLECTION = Collection(
    name="made",
    ids=("images/nih-00000001_000.png", "00000001_001.png", "other.png"),
    patients=("1", "1", "2"),
    label_names=("Mass", "Edema"),
    states=states_of([["Mass"], [], ["Edema"]], ["Mass", "Edema"]),
    attributes={"view": np.array(["AP", "", "PA"])},
    paths=(Path("a.png"), Path("b.png"), Path("c.png")),
)
SAID = """Image Index,prob_Mass,prob_Edema,patient_id
00000001_000.png,0.5,0.1,1
00000001_001.png,1,0,1
unknown.png,0.3,0.3,3
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "said.csv"
    path.write_text(text)
    return path


def test_a_teacher_is_met_by_the_ends_of_names(tmp_path: Path) -> None:
    found = read_teacher(written(tmp_path, SAID), COLLECTION)
    assert found.labels == ("Mass", "Edema")
    expected = np.array([[0, np.log(1 / 9)], np.log([0.99999 / 1e-5, 1e-5 / 0.99999])])
    assert np.allclose(found.logits[:2], expected)
    assert np.isnan(found.logits[2]).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Image Index,Mass\na.png,1\n", "no column of probabilities"),
        (SAID.replace("0.5", "1.5"), "1.5.*no probability"),
        (SAID.replace("0.5", "x"), "line 2"),
        (SAID.replace("00000001_001", "00000001_000"), "stands in line 2 already"),
        ("Image Index,prob_Mass\nnobody.png,0.1\n", "names none of the 3 images"),
    ],
)
def test_a_teacher_that_cannot_be_meant(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        read_teacher(written(tmp_path, text), COLLECTION)


def test_columns_and_teacher_stand_beside_the_targets(tmp_path: Path) -> None:
    asked = ASKED.model_copy(update={"beside": ("no finding", "view=AP"), "teacher": True})
    teacher = read_teacher(written(tmp_path, SAID), COLLECTION)
    taught = examples_of(COLLECTION, asked, teacher).taught
    assert taught is not None
    assert taught.names == ("no finding", "view=AP", "teacher: Mass", "teacher: Edema")
    assert taught.numbers == 2
    assert taught.targets[:, :2].tolist() == [[0, 1], [1, 0], [0, 0]]
    assert taught.known.tolist() == [
        [True, True, True, True],
        [True, False, True, True],
        [True, True, False, False],
    ]
    # two images: one deviation to either side of the mean
    assert np.allclose(taught.targets[:2, 2:], [[-1, 1], [1, -1]])
    assert not taught.targets[2, 2:].any()


def test_they_go_with_the_images_that_are_taken() -> None:
    asked = Targets(aim="label", names=("Mass",), negatives="no finding", beside=("view=AP",))
    found = examples_of(COLLECTION, asked)
    assert found.ids == COLLECTION.ids[:2]  # edema is neither mass nor nothing
    assert found.taught is not None
    assert found.taught.targets.tolist() == [[1], [0]]
    targets, known = found.all_targets()
    assert targets.tolist() == [[1, 1], [0, 0]]
    assert known.tolist() == [[True, True], [True, False]]
    assert found.all_outputs() == ("Mass", "view=AP")


@pytest.mark.parametrize(
    ("changes", "fault", "message"),
    [
        ({"teacher": True}, TrainingError, "--teacher FILE"),
        ({"beside": ("view",)}, TrainingError, "not COLUMN=VALUE"),
        ({"beside": ("scanner=X",)}, CollectionError, "no column 'scanner'"),
    ],
)
def test_what_cannot_be_taught(
    changes: dict[str, object], fault: type[Exception], message: str
) -> None:
    with pytest.raises(fault, match=message):
        examples_of(replace(COLLECTION), ASKED.model_copy(update=changes))
