"""A collection of images as evaluation sees it: patients, labels and attributes in columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
"""Images by their place in the collection, from 0."""
Codes = NDArray[np.int64]
"""One small number for each image: two images with the same number share something."""
States = NDArray[np.int8]
Texts = NDArray[np.str_]

POSITIVE, NEGATIVE, UNCERTAIN, UNSAID = 1, 0, -1, -2
"""What is known of a label: CheXpert's 1, 0, -1, and the empty cell."""
RECEIVED = "received"
"""The number that tells when an image's study began to come, in seconds since 1970."""
SHOWN = 5
"""Of what is wrong, so many examples are named."""


class CollectionError(ValueError):
    """A collection cannot be evaluated; the message names the images and the remedy."""


@dataclass(frozen=True)
class Collection:
    """Images with what is known of them; every column has one entry for each image.

    Attributes:
        name: of the whole, for people.
        ids: unique.
        patients: who must not find himself; never empty.
        label_names: the labels' names.
        states: int8, shape (images, labels): POSITIVE, NEGATIVE, UNCERTAIN or UNSAID.
        attributes: view, sex, age, scanner, source ... as text, empty where unknown.
        numbers: measured values such as weight, float64, NaN where unknown.
        splits: ``train``, ``val``, ``test`` ... or empty.
        studies: Study Instance UIDs or what stands for them, or empty.
        paths: the image files; empty where there are vectors only.
        notes: what was left out or is doubtful, in sentences; reports show them.
        boxes: of regions, where somebody drew them: left, top, width and height as parts of the
            image's width and height, float32, shape (images, regions, 4).
        region_states: what is said of each, int8, shape (images, regions, findings).
    """

    name: str
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    label_names: tuple[str, ...]
    states: States
    attributes: Mapping[str, Texts] = field(default_factory=dict)
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    splits: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    boxes: NDArray[np.float32] | None = None
    region_states: States | None = None

    def __post_init__(self) -> None:
        """Checks the columns against each other.

        Raises:
            CollectionError: it is empty, a column has another length, an id stands twice, a
                patient has no name, or a state is none.
        """
        if not self.ids:
            raise CollectionError(f"{self.name} holds no images")
        lengths = {
            "patients": len(self.patients),
            "states": len(self.states),
            **{name: len(column) for name, column in self.attributes.items()},
            **{name: len(column) for name, column in self.numbers.items()},
            **{
                name: len(column)
                for name, column in (
                    ("splits", self.splits),
                    ("studies", self.studies),
                    ("paths", self.paths),
                )
                if column
            },
            **{
                name: len(column)
                for name, column in (("boxes", self.boxes), ("regions", self.region_states))
                if column is not None
            },
        }
        uneven = [f"{length} {name}" for name, length in lengths.items() if length != len(self)]
        if uneven:
            raise CollectionError(f"{self.name}: {len(self)} images, but {', '.join(uneven)}")
        if self.states.shape != (len(self), len(self.label_names)):
            raise CollectionError(
                f"{self.name}: states of shape {self.states.shape} for {len(self)} images and "
                f"{len(self.label_names)} labels"
            )
        _refuse(self.name, "stand more than once", _repeated(self.ids))
        nameless = [one for one, who in zip(self.ids, self.patients, strict=True) if not who]
        _refuse(self.name, "have no patient", nameless)
        if not np.isin(self.states, (POSITIVE, NEGATIVE, UNCERTAIN, UNSAID)).all():
            raise CollectionError(f"{self.name}: a label's state is 1, 0, -1 or unsaid (-2)")
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))

    def __len__(self) -> int:
        return len(self.ids)

    def patient_codes(self) -> Codes:
        """One number for each patient."""
        return codes_of(np.array(self.patients))

    def take(self, positions: Positions, name: str = "") -> "Collection":
        """The images at these positions, in this order."""

        def some(column: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(column[at] for at in positions) if column else ()

        return Collection(
            name=name or self.name,
            ids=some(self.ids),
            patients=some(self.patients),
            label_names=self.label_names,
            states=self.states[positions],
            attributes={key: column[positions] for key, column in self.attributes.items()},
            numbers={key: column[positions] for key, column in self.numbers.items()},
            splits=some(self.splits),
            studies=some(self.studies),
            paths=tuple(self.paths[at] for at in positions) if self.paths else (),
            notes=self.notes,
            boxes=None if self.boxes is None else self.boxes[positions],
            region_states=None if self.region_states is None else self.region_states[positions],
        )

    def attribute(self, name: str) -> Texts:
        """One attribute's values, shape (images,).

        Raises:
            CollectionError: there is no such column.
        """
        if name not in self.attributes:
            known = ", ".join(self.attributes) or "none"
            raise CollectionError(f"{self.name} has no column {name!r}; it has {known}")
        return self.attributes[name]

    def label(self, name: str) -> States:
        """One label's states, shape (images,).

        Raises:
            CollectionError: there is no such label.
        """
        if name not in self.label_names:
            known = ", ".join(self.label_names)
            raise CollectionError(f"{self.name} has no label {name!r}; it has {known}")
        return self.states[:, self.label_names.index(name)]


def states_of(rows: Sequence[Sequence[str]], names: Sequence[str]) -> States:
    """States of images that tell their positive labels by name: others are negative.

    Raises:
        CollectionError: a name is none of ``names``.
    """
    place = {name: at for at, name in enumerate(names)}
    unknown = sorted({name for row in rows for name in row} - place.keys())
    if unknown:
        raise CollectionError(f"unknown labels: {', '.join(unknown[:SHOWN])}")
    states = np.full((len(rows), len(names)), NEGATIVE, np.int8)
    for at, row in enumerate(rows):
        states[at, [place[name] for name in row]] = POSITIVE
    return states


def codes_of(column: NDArray[np.generic]) -> Codes:
    """A number for each entry, the same for equal ones, from 0."""
    return np.asarray(np.unique(column, return_inverse=True)[1], np.int64)


def known_codes(column: Texts) -> Codes:
    """As `codes_of`, and -1 where nothing is known."""
    return np.where(column == "", -1, codes_of(column))


def _repeated(ids: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return [one for one in ids if one in seen or seen.add(one)]  # type: ignore[func-returns-value]


def _refuse(name: str, what: str, images: Sequence[str]) -> None:
    if images:
        some = ", ".join(images[:SHOWN])
        raise CollectionError(f"{name}: {len(images)} images {what}, such as {some}")
