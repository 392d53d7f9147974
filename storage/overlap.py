"""How much the nearest studies of two spaces have in common, over a sample of images.

Overlap@k: of the k studies of other patients that are nearest to an image in one space, the share
that is also among the k nearest in the other; the mean over the images. Two spaces that know
nothing of each other share k of n studies by chance.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from storage.searchable import Searchable
from storage.tables import Embedding, Study
from storage.vectors.segment import Neighbour

K = 10
MOST_IMAGES = 500
AT_ONCE = 64
"""Images that are searched with in one pass over an index."""


@dataclass(frozen=True)
class Overlap:
    """Mean overlap@k of ``images`` images, in [0, 1], and what chance would give."""

    k: int
    images: int
    mean: float
    chance: float


@dataclass(frozen=True)
class Sampled:
    """An image that two spaces have: its rows in the first and the second, and whose it is."""

    first: int
    second: int
    group: str
    study_id: int
    patient: tuple[str, str] | int


Nearest = Mapping[int, Sequence[int]]
"""The nearest studies of other patients to each image, by the image's row in the first space."""


def sample(connection: Connection, first: str, second: str) -> list[Sampled]:
    """Images that both spaces have, some 500 at most; the same archive gives the same ones."""
    one, other = aliased(Embedding), aliased(Embedding)
    rows = connection.execute(
        select(
            one.id.label("first"),
            other.id.label("second"),
            one.modality_group,
            one.study_id,
            Study.patient_id,
            Study.issuer_of_patient_id,
        )
        .join(Study, Study.id == one.study_id)
        .join(
            other,
            (other.space_id == second)
            & other.retired_at.is_(None)
            & (other.sop_instance_uid == one.sop_instance_uid)
            & (other.frame == one.frame),
        )
        .where(one.space_id == first, one.retired_at.is_(None))
        .order_by(func.hashint8(one.id), one.id)
        .limit(MOST_IMAGES)
    )
    return [
        Sampled(
            row.first,
            row.second,
            row.modality_group,
            row.study_id,
            _patient(row.study_id, row.patient_id, row.issuer_of_patient_id),
        )
        for row in rows
    ]


def _patient(study_id: int, patient_id: str, issuer: str) -> tuple[str, str] | int:
    """Who the patient is; without a patient id, only the study itself is known to be his."""
    return (patient_id, issuer) if patient_id else study_id


def nearest(
    connection: Connection, index: Searchable, images: Sequence[Sampled], *, second: bool = False
) -> Nearest:
    """The K nearest studies of other patients to each image, by the vectors of one space.

    ``second`` says that the index is that of the sample's second space.
    """
    held = set(index.ids().tolist())
    groups: dict[str, list[tuple[int, Sampled]]] = {}
    for image in images:
        row = image.second if second else image.first
        if row in held:  # else it was retired since the sample was taken
            groups.setdefault(image.group, []).append((row, image))
    found: dict[int, list[int]] = {}
    for group, members in groups.items():
        among = _of_group(connection, index.space_id, group)
        for at in range(0, len(members), AT_ONCE):
            found.update(_nearest(connection, index, members[at : at + AT_ONCE], among))
    return found


def _of_group(connection: Connection, space_id: str, group: str) -> NDArray[np.int64]:
    rows = connection.execute(
        select(Embedding.id).where(
            Embedding.space_id == space_id,
            Embedding.modality_group == group,
            Embedding.retired_at.is_(None),
        )
    )
    return np.fromiter(rows.scalars(), dtype=np.int64)


def _nearest(
    connection: Connection,
    index: Searchable,
    images: Sequence[tuple[int, Sampled]],
    among: NDArray[np.int64],
) -> Iterator[tuple[int, list[int]]]:
    """Shortlists widen until K studies of other patients stand in each, or all are listed."""
    vectors = index.vectors([row for row, _ in images])
    wanted = 4 * K
    left = list(range(len(images)))
    while left:
        lists = index.search_each(vectors[left], wanted, among=among)
        whose = _whose(connection, lists)
        again: list[int] = []
        for place, neighbours in zip(left, lists, strict=True):
            image = images[place][1]
            studies = _others(image, neighbours, whose)
            if len(studies) < K and len(neighbours) == wanted:
                again.append(place)
            else:
                yield image.first, studies
        left, wanted = again, 4 * wanted


Whose = Mapping[int, tuple[int, tuple[str, str] | int]]


def _whose(connection: Connection, lists: Sequence[Sequence[Neighbour]]) -> Whose:
    """Study and patient of each listed vector."""
    keys = {neighbour.key for neighbours in lists for neighbour in neighbours}
    rows = connection.execute(
        select(Embedding.id, Study.id, Study.patient_id, Study.issuer_of_patient_id)
        .join(Study, Study.id == Embedding.study_id)
        .where(Embedding.id == func.any(list(keys)))
    )
    return {key: (study, _patient(study, patient, issuer)) for key, study, patient, issuer in rows}


def _others(image: Sampled, neighbours: Sequence[Neighbour], whose: Whose) -> list[int]:
    """The first K studies of other patients, nearest first."""
    studies: dict[int, None] = {}
    for neighbour in neighbours:
        study, patient = whose.get(neighbour.key, (image.study_id, image.patient))
        if study != image.study_id and patient != image.patient:
            studies[study] = None
    return list(studies)[:K]


def compare(
    connection: Connection, images: Sequence[Sampled], first: Nearest, second: Nearest
) -> Overlap | None:
    """How much the two have in common; None where no image has studies to be compared with."""
    counts = _studies_by_group(connection, [image.first for image in images])
    shares, chances = [], []
    for image in images:
        one, other = first.get(image.first, ()), second.get(image.first, ())
        most = min(len(one), len(other))
        if most:
            shares.append(len(set(one) & set(other)) / most)
            chances.append(most / max(most, counts[image.group] - 1))
    if not shares:
        return None
    return Overlap(K, len(shares), float(np.mean(shares)), float(np.mean(chances)))


def _studies_by_group(connection: Connection, sampled: Sequence[int]) -> dict[str, int]:
    """How many studies compare with each other in each group of the first space."""
    of_first = select(Embedding.space_id).where(Embedding.id.in_(sampled[:1])).scalar_subquery()
    rows = connection.execute(
        select(Embedding.modality_group, func.count(func.distinct(Embedding.study_id)))
        .where(Embedding.space_id == of_first, Embedding.retired_at.is_(None))
        .group_by(Embedding.modality_group)
    )
    return dict(rows.all())
