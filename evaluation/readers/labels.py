"""Labels of images that name what they have."""

from collections.abc import Sequence
from itertools import chain

from evaluation.collection import NEGATIVE, States, states_of

NO_FINDING = "No Finding"
"""Says that none of the labels is there; it is none itself."""

Named = tuple[str, ...]


def split_labels(cell: str) -> Named:
    """The labels of a cell that separates them by ``|``."""
    return tuple(label.strip() for label in cell.split("|") if label.strip())


def names_in(rows: Sequence[Named]) -> Named:
    """Every label that an image names, by name."""
    return tuple(sorted(set(chain(*rows)) - {NO_FINDING}))


def states_named(rows: Sequence[Named], names: Named, *, nothing: int = NEGATIVE) -> States:
    """States of images, shape (images, labels): POSITIVE where one names a label, else NEGATIVE.

    Args:
        rows: what each image names; ``No Finding`` is no label.
        names: the labels.
        nothing: the state of all labels of an image that names nothing, not even ``No Finding``.

    Raises:
        CollectionError: an image names what is none of ``names``.
    """
    kinds = {row: kind for kind, row in enumerate(dict.fromkeys(rows))}
    states = states_of([[name for name in row if name != NO_FINDING] for row in kinds], names)
    if () in kinds:
        states[kinds[()]] = nothing
    return states[[kinds[row] for row in rows]]
