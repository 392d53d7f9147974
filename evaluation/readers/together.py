"""Sets that are published as several lists, one for each split."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from evaluation.collection import Collection
from evaluation.readers.fault import ReaderError, some


def together(parts: Sequence[Collection]) -> Collection:
    """One collection of several with the same labels and attributes, without image files.

    Raises:
        ReaderError: an image stands in two of them.
    """
    first = parts[0]
    ids = tuple(chain(*(part.ids for part in parts)))
    if len(set(ids)) < len(ids):
        raise ReaderError(
            f"{first.name}: images stand in two of its lists: {some(_in_two(parts))}. What is "
            "tested would be in the training too; remove them from one list"
        )
    return Collection(
        name=first.name,
        ids=ids,
        patients=tuple(chain(*(part.patients for part in parts))),
        label_names=first.label_names,
        states=np.concatenate([part.states for part in parts]),
        attributes={
            name: np.concatenate([part.attributes[name] for part in parts])
            for name in first.attributes
        },
        numbers={
            name: np.concatenate([part.numbers[name] for part in parts]) for name in first.numbers
        },
        splits=tuple(chain(*(part.splits for part in parts))),
        studies=tuple(chain(*(part.studies for part in parts))),
        notes=tuple(dict.fromkeys(chain(*(part.notes for part in parts)))),
    )


def _in_two(parts: Sequence[Collection]) -> list[str]:
    seen: set[str] = set()
    found: list[str] = []
    for part in parts:
        found += [one for one in part.ids if one in seen]
        seen.update(part.ids)
    return found
