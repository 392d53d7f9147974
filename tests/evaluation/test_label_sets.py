"""Label sets, and uncertain labels; expected values by hand."""

import numpy as np
import pytest

from evaluation.collection import NEGATIVE, POSITIVE, UNCERTAIN, UNSAID, Collection, CollectionError
from evaluation.label_sets import LABEL_SETS, UncertaintyRule, consolidated, decided
from evaluation.readers import chestx_ray14, chexpert

P, N, U, X = POSITIVE, NEGATIVE, UNCERTAIN, UNSAID


def collection(names: tuple[str, ...], states: list[list[int]]) -> Collection:
    ids = tuple(map(str, range(len(states))))
    return Collection("Set", ids, ids, names, np.array(states, np.int8))


@pytest.mark.parametrize(
    ("name", "count", "labels"),
    [
        ("nih13", 13, chestx_ray14.LABELS),
        ("nih-u", 9, chestx_ray14.LABELS),
        ("opacity8", 1, chestx_ray14.LABELS),
        ("stanford9", 9, chexpert.LABELS),
        ("stanford-u", 5, chexpert.LABELS),
    ],
)
def test_every_set_fits_the_labels_it_is_made_for(
    name: str, count: int, labels: tuple[str, ...]
) -> None:
    found = consolidated(collection(labels, [[P] * len(labels)]), name)
    assert found.label_names == tuple(LABEL_SETS[name].parts)
    assert found.states.tolist() == [[P] * count]
    assert LABEL_SETS[name].source


def test_merging_nih_labels() -> None:
    nothing = [N] * 14
    edema, mass, hernia = ([*nothing] for _ in range(3))
    edema[chestx_ray14.LABELS.index("Edema")] = P
    mass[chestx_ray14.LABELS.index("Mass")] = P
    hernia[chestx_ray14.LABELS.index("Hernia")] = P
    made = collection(chestx_ray14.LABELS, [edema, mass, hernia])
    merged = consolidated(made, "nih-u")
    assert merged.label("Opacities").tolist() == [P, N, N]
    assert merged.label("Lesion").tolist() == [N, P, N]
    assert merged.states.sum() == 2  # Hernia is in none
    assert consolidated(made, "opacity8").states.tolist() == [[P], [N], [N]]
    assert "Hernia" not in consolidated(made, "nih13").label_names


@pytest.mark.parametrize(
    ("parts", "merged"),
    [
        ((P, X), P),
        ((P, U), P),
        ((N, P), P),
        ((U, N), U),
        ((X, U), U),
        ((N, N), N),
        ((X, N), N),
        ((X, X), X),
    ],
)
def test_states_of_a_merged_label(parts: tuple[int, int], merged: int) -> None:
    heart = ("Enlarged Cardiomediastinum", "Cardiomegaly")
    rest = tuple(name for name in chexpert.LABELS if name not in heart)
    made = collection(heart + rest, [[*parts, *[N] * len(rest)]])
    assert consolidated(made, "stanford-u").label("Enlarged Heart").tolist() == [merged]


def test_a_missing_part_is_named() -> None:
    made = collection(("Mass", "Nodule"), [[P, N]])
    with pytest.raises(CollectionError, match=r"Set lacks Atelectasis, .* of label set nih-u; its"):
        consolidated(made, "nih-u")
    with pytest.raises(CollectionError, match="no label set 'nih14'; there are nih13, nih-u"):
        consolidated(made, "nih14")


@pytest.mark.parametrize(
    ("rule", "unsaid_known", "positive", "known"),
    [
        ("ignore", True, [1, 0, 0, 0], [1, 1, 0, 1]),
        ("positive", True, [1, 0, 1, 0], [1, 1, 1, 1]),
        ("negative", True, [1, 0, 0, 0], [1, 1, 1, 1]),
        ("ignore", False, [1, 0, 0, 0], [1, 1, 0, 0]),
        ("positive", False, [1, 0, 1, 0], [1, 1, 1, 0]),
        ("negative", False, [1, 0, 0, 0], [1, 1, 1, 0]),
    ],
)
def test_rules_for_uncertain_labels(
    rule: UncertaintyRule, unsaid_known: bool, positive: list[int], known: list[int]
) -> None:
    states = np.array([P, N, U, X], np.int8)
    found = decided(states, rule, unsaid_known=unsaid_known)
    assert [array.astype(int).tolist() for array in found] == [positive, known]


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(CollectionError, match="no rule 'maybe' for uncertain labels"):
        decided(np.zeros((1, 1), np.int8), "maybe")  # type: ignore[arg-type]
