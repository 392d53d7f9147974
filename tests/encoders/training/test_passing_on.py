"""Which of a user's own values reach the recipes that a recipe is made of."""

from typing import Any

import pytest

from encoders.training.fault import TrainingError
from encoders.training.passing_on import passed_on
from encoders.training.recipe_files import read_recipe


@pytest.mark.parametrize(
    ("whole", "part", "own", "passed"),
    [
        # the paper's other finding: both networks learn it
        ("p3-ig", "p3-cnn", {"targets": {"names": ["Pneumonia"], "label_set": ""}}, None),
        ("p3-cnn-ig", "p3-cnn", {"targets": {"names": ["Pneumonia"]}}, None),
        ("p3-ig", "p3-cnn", {"preprocessing": {"size": 512}, "optimiser": {"rate": 0.5}}, None),
        ("p4-ath-binary", "p4-ath", {"network": {"config": {"bits": 64}}}, None),
        ("likeness-cxr", "likeness-cxr-network", {"targets": {"names": ["Mass"]}}, None),
        # what is the whole's alone stays with it
        ("p3-ig", "p3-cnn", {"network": {"config": {"mean": [0.4]}}}, {}),
        ("p3-ig", "p3-cnn", {"network": {"builder": "x", "dimension": 9}}, {"dimension": 9}),
    ],
)
def test_a_part_gets_what_it_has_as_the_whole_has_it(
    whole: str, part: str, own: dict[str, Any], passed: dict[str, Any] | None
) -> None:
    found = passed_on(own, read_recipe(whole), read_recipe(part))
    if passed is None:
        assert found == own
    else:
        assert found == ({"network": passed} if passed else {})


@pytest.mark.parametrize(
    ("whole", "part", "own", "said"),
    [
        (
            "p1-ensemble",
            "p1-cardiomegaly",
            {"targets": {"names": ["Mass"]}},
            (
                "recipe p1-ensemble is made of p1-cardiomegaly, which has targets.names of its "
                "own: train p1-cardiomegaly by itself .* --part p1-cardiomegaly=FOLDER"
            ),
        ),
        ("p1-ensemble", "p1-opacity", {"targets": {"label_set": "nih13"}}, "targets.label_set"),
        ("likeness-cxr", "likeness-cxr-network", {"targets": {"teacher": False}}, "targets.teach"),
        ("p4-ath-binary", "p4-ath", {"schedule": {"epochs": 9}}, "p4-ath, which has schedule.epo"),
    ],
)
def test_what_would_be_learned_by_half_or_not_at_all_is_refused(
    whole: str, part: str, own: dict[str, Any], said: str
) -> None:
    with pytest.raises(TrainingError, match=said):
        passed_on(own, read_recipe(whole), read_recipe(part))
