"""Which tasks are made of what was asked for."""

import numpy as np
import pytest

from evaluation.collection import Collection, CollectionError
from evaluation.planning import Wanted, planned
from evaluation.tasks import Rules


def mixed() -> Collection:
    """Two sets, of one modality each, with two findings each."""
    return Collection(
        name="mixed",
        ids=tuple("abcdefgh"),
        patients=tuple("ABCDEFGH"),
        label_names=(),
        states=np.empty((8, 0), np.int8),
        attributes={
            "set": np.array(["knees"] * 4 + ["heads"] * 4),
            "modality": np.array(["DX"] * 4 + ["CT"] * 4),
            "finding": np.array(["none", "none", "worn", "worn"] * 2),
        },
    )


def test_classes_are_asked_within_a_set_where_it_has_several() -> None:
    wanted = Wanted(classes=("finding", "modality"), within="set")
    finding, modality = planned(mixed(), wanted, Rules())
    assert (finding.within, finding.says) == ("set", "of the same finding, within the same set")
    assert modality.within == ""
    assert modality.says == "of the same modality, among all: it is one within each set"


def test_a_set_that_is_not_told_is_refused() -> None:
    with pytest.raises(CollectionError, match="'origin'"):
        planned(mixed(), Wanted(classes=("finding",), within="origin"), Rules())
