"""Sets of labels that merge what looks alike, and what becomes of labels that are uncertain."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import (
    NEGATIVE,
    POSITIVE,
    UNCERTAIN,
    UNSAID,
    Collection,
    CollectionError,
    States,
)
from evaluation.readers import chestx_ray14

UncertaintyRule = Literal["ignore", "positive", "negative"]
RULES: tuple[UncertaintyRule, ...] = ("ignore", "positive", "negative")

_PRECEDENCE = (POSITIVE, UNCERTAIN, NEGATIVE)
"""Of a merged label's parts, the first that any has; else UNSAID."""


@dataclass(frozen=True)
class LabelSet:
    """Labels of a collection, merged.

    Attributes:
        name: of the set.
        source: who uses it.
        parts: of each label, the collection's labels that it is made of.
    """

    name: str
    source: str
    parts: Mapping[str, tuple[str, ...]]


def _same(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names}


_HAQ = (
    "Haq, Moradi, Wang: A Deep Community Based Approach for Large Scale Content Based X-Ray Image "
    "Retrieval, Medical Image Analysis, 2020, table 3"
)
_THAKRAR = (
    "Thakrar et al.: Semantic Retrieval of Similar Radiological Images using Vision Transformers, "
    "Methods"
)
_OPACITY = {
    "Opacity": (
        "Atelectasis",
        "Effusion",
        "Infiltration",
        "Pneumonia",
        "Consolidation",
        "Edema",
        "Fibrosis",
        "Pleural_Thickening",
    )
}
_SETS = (
    LabelSet(
        "nih13",
        _HAQ,
        _same(*(label for label in chestx_ray14.LABELS if label != "Hernia")),
    ),
    LabelSet(
        "nih-u",
        _HAQ,
        {
            **_same("Atelectasis", "Cardiomegaly", "Effusion", "Pneumothorax", "Emphysema"),
            **_same("Pleural_Thickening", "Fibrosis"),
            "Opacities": ("Consolidation", "Edema", "Pneumonia", "Infiltration"),
            "Lesion": ("Nodule", "Mass"),
        },
    ),
    LabelSet(
        "stanford9",
        _HAQ,
        _same(
            "Atelectasis",
            "Enlarged Cardiomediastinum",
            "Cardiomegaly",
            "Pleural Effusion",
            "Pneumothorax",
            "Lung Opacity",
            "Consolidation",
            "Edema",
            "Pneumonia",
        ),
    ),
    LabelSet(
        "stanford-u",
        _HAQ,
        {
            "Atelectasis": ("Atelectasis",),
            "Enlarged Heart": ("Enlarged Cardiomediastinum", "Cardiomegaly"),
            **_same("Pleural Effusion", "Pneumothorax"),
            "Opacities": ("Lung Opacity", "Consolidation", "Edema", "Pneumonia"),
        },
    ),
    LabelSet("opacity8", _THAKRAR, _OPACITY),
    LabelSet("thakrar3", _THAKRAR, {**_same("Cardiomegaly", "Emphysema"), **_OPACITY}),
)
LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType({one.name: one for one in _SETS})


def consolidated(collection: Collection, set_name: str) -> Collection:
    """The collection with the labels of a set.

    A merged label is POSITIVE where any part is, else UNCERTAIN where any is, else NEGATIVE where
    any is, else UNSAID. Labels beside the set's are left out.

    Raises:
        CollectionError: there is no such set, or the collection lacks a part of it.
    """
    if set_name not in LABEL_SETS:
        known = ", ".join(LABEL_SETS)
        raise CollectionError(f"there is no label set {set_name!r}; there are {known}")
    parts = LABEL_SETS[set_name].parts
    missing = [
        name for names in parts.values() for name in names if name not in collection.label_names
    ]
    if missing:
        raise CollectionError(
            f"{collection.name} lacks {', '.join(missing)} of label set {set_name}; its labels "
            f"are {', '.join(collection.label_names)}: choose a set made for them"
        )
    merged = [_merged(collection, names) for names in parts.values()]
    return replace(collection, label_names=tuple(parts), states=np.stack(merged, axis=1))


def decided(
    states: States, rule: UncertaintyRule, *, unsaid_known: bool = True
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """States as yes or no.

    Args:
        states: of any shape.
        rule: what uncertain labels are: positive, negative, or not known (``ignore``).
        unsaid_known: labels of which nothing is said are known to be negative, as CheXpert's
            makers take them; else they are not known.

    Returns:
        Which are positive, and which are known, in the shape of ``states``; what is not known is
        not positive.

    Raises:
        CollectionError: there is no such rule.
    """
    if rule not in RULES:
        raise CollectionError(f"there is no rule {rule!r} for uncertain labels; there are {RULES}")
    uncertain = states == UNCERTAIN
    positive = states == POSITIVE
    if rule == "positive":
        positive = positive | uncertain
    known = np.ones(states.shape, bool)
    if rule == "ignore":
        known &= ~uncertain
    if not unsaid_known:
        known &= states != UNSAID
    return positive, known


def _merged(collection: Collection, names: tuple[str, ...]) -> States:
    states = np.stack([collection.label(name) for name in names], axis=1)
    conditions = [(states == state).any(axis=1) for state in _PRECEDENCE]
    return np.select(conditions, _PRECEDENCE, UNSAID).astype(np.int8)
