"""Percentiles: where a similarity stands among the archive's own, kept as a sketch.

The archive's own similarities are those between images of one modality group and of different
patients. A sketch holds at most ``QUANTILES`` of their quantiles.

- Of up to ``EXACT_IMAGES`` images it is made of all pairs, and anew whenever the archive changed:
  percentiles are then those of the archive itself, rounded down to a multiple of 0.05 where there
  are more than 2,000 pairs, and exact below that.
- Of more it is made of ``PAIRS`` pairs, drawn independently of each other. By the inequality of
  Dvoretzky, Kiefer and Wolfowitz (with Massart's constant, Annals of Probability 18, 1990) their
  distribution is nowhere further than sqrt(ln(2 / 0.01) / (2 * PAIRS)) from the archive's with a
  confidence of 99 %: with 20,000 pairs 1.15 percentile points.

Pairs are drawn with a fixed seed from the ids in their order, so the same archive gives the same
sketch. It is remade when the archive has changed by ``DUE``: by the worker when it has nothing
else to do. Who asks makes the first one, and any that is out by ``OVERDUE``: an archive that is
filled day and night has a worker that is never idle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, literal, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.rules.rows import live
from storage.rules.searched import count_all_images, count_images
from storage.searchable import Searchable
from storage.tables import Embedding, ImageCount, SimilaritySketch, Space, Study

QUANTILES = 2000
EXACT_IMAGES = 800
PAIRS = 20_000
MIN_PAIRS = 100
"""With fewer pairs of different patients, no percentile is given: it would be noise."""
DUE = 0.1
"""The share of its images by which an archive has grown, shrunk or changed until it is time."""
OVERDUE = 0.5
_SEED = 1
_ROWS_AT_ONCE = 10_000
_SPARE = 1.2
"""Rows drawn for each that is needed: some pairs are of one patient."""
_ROUNDS = 5
"""So often at most is drawn again, where most images are said to be of one patient."""
_PAIRS_AT_ONCE = 1000

Spread = NDArray[np.float64]
"""Similarities in ascending order."""


@dataclass(frozen=True)
class Sketch:
    """Quantiles of the archive's own similarities, and of what archive they are.

    ``quantiles`` is float64 of shape (n,), ascending. ``images`` is how many there were, ``change``
    the last one that had been seen.
    """

    quantiles: Spread
    pairs: int
    images: int
    change: int


def percentile(spread: Spread, value: float) -> float | None:
    """The share of ``spread`` that is not above ``value``, in [0, 100]; None of too few to say."""
    if len(spread) < MIN_PAIRS:
        return None
    return 100.0 * float(np.searchsorted(spread, value, side="right")) / len(spread)


def archive_similarities(connection: Connection, index: Searchable, *, group: str) -> Spread:
    """The archive's own similarities in a modality group, for whoever answers.

    Made here where there are none yet, or those kept are of another archive by now. One at a time
    makes them, and nobody waits for that: others go on with the old ones, or make their own.
    """
    images = count_images(connection, space_id=index.space_id, group=group)
    kept = sketch(connection, index.space_id, group)
    if kept is not None and not _is_due(connection, kept, index, images, OVERDUE):
        return kept.quantiles
    if _is_alone(connection):
        kept = _remade(connection, index, group, images)
    elif kept is None or images <= EXACT_IMAGES:
        kept = _made(connection, index, group, images)
    return kept.quantiles


def refresh(connection: Connection, index: Searchable) -> bool:
    """Remakes one sketch of a large group that is due; False if none is, or another makes one.

    Those of small groups are made for each question that needs them.
    """
    groups = connection.execute(
        select(ImageCount.modality_group, ImageCount.images)
        .where(ImageCount.space_id == index.space_id, ImageCount.images > EXACT_IMAGES)
        .order_by(ImageCount.modality_group)
    ).all()
    for group, images in groups:
        kept = sketch(connection, index.space_id, group)
        if kept is None or _is_due(connection, kept, index, images, DUE):
            if not _is_alone(connection):
                return False
            _remade(connection, index, group, images)
            return True
    return False


def sketch(connection: Connection, space_id: str, group: str) -> Sketch | None:
    """The sketch that is kept of a modality group, None before the first."""
    row = connection.execute(
        select(SimilaritySketch).where(
            SimilaritySketch.space_id == space_id, SimilaritySketch.modality_group == group
        )
    ).one_or_none()
    if row is None:
        return None
    return Sketch(np.frombuffer(row.quantiles, "<f8"), row.pairs, row.images, row.change)


def _is_due(
    connection: Connection, kept: Sketch, index: Searchable, images: int, share: float
) -> bool:
    if images <= EXACT_IMAGES:
        return (kept.images, kept.change) != (images, index.watermark)
    if abs(images - kept.images) > share * kept.images:
        return True
    most = int(share * count_all_images(connection, space_id=index.space_id))
    # All spaces share the numbers of changes: as few numbers as that are no more changes of this
    # one, but more may be those of another.
    return index.watermark - kept.change > most and embeddings.has_more_changes(
        connection, space_id=index.space_id, after=kept.change, than=most
    )


def _is_alone(connection: Connection) -> bool:
    """Whether nobody else makes a sketch until this transaction ends; never waits."""
    lock = text("SELECT pg_try_advisory_xact_lock(hashtext('similarity_sketches'))")
    return bool(connection.execute(lock).scalar_one())


def _remade(connection: Connection, index: Searchable, group: str, images: int) -> Sketch:
    made = _made(connection, index, group, images)
    told = {
        "quantiles": made.quantiles.astype("<f8").tobytes(),
        "pairs": made.pairs,
        "images": made.images,
        "change": made.change,
    }
    # A space whose row is locked is being removed, perhaps: whoever answers in it does not wait.
    space = select(Space.id, literal(group), *map(literal, told.values())).where(
        Space.id == index.space_id
    )
    space = space.with_for_update(read=True, key_share=True, skip_locked=True)
    connection.execute(
        upsert(SimilaritySketch)
        .from_select(["space_id", "modality_group", *told], space)
        .on_conflict_do_update(
            index_elements=[SimilaritySketch.space_id, SimilaritySketch.modality_group],
            set_=told | {"made_at": func.now()},
        )
    )
    return made


def _made(connection: Connection, index: Searchable, group: str, images: int) -> Sketch:
    if images <= EXACT_IMAGES:
        found = _of_all_pairs(connection, index, group)
    else:
        found = _of_drawn_pairs(connection, index, group, images)
    return Sketch(quantiles_of(np.sort(found)), len(found), images, index.watermark)


def quantiles_of(values: Spread) -> Spread:
    """At most ``QUANTILES`` of ascending values, from the lowest step to the greatest value.

    The i-th of n is the smallest that i / n of them do not surpass, so that the share of quantiles
    not above any number is the share of values not above it, rounded down to a multiple of 1 / n.
    """
    steps = min(QUANTILES, len(values))
    places = -(-np.arange(1, steps + 1) * len(values) // max(1, steps)) - 1
    chosen: Spread = values[places]
    return chosen


def _of_all_pairs(connection: Connection, index: Searchable, group: str) -> Spread:
    rows = connection.execute(
        select(Embedding.id, Study.id, Study.patient_id, Study.issuer_of_patient_id)
        .join(Study, Study.id == Embedding.study_id)
        .where(*live(index.space_id, group), Embedding.change <= index.watermark)
        .order_by(Embedding.id)
    ).all()
    patients = {row[0]: _patient(*row[1:]) for row in rows}
    keys, vectors = index.held(list(patients))
    return similarities_between_patients(vectors, [patients[key] for key in keys.tolist()])


def similarities_between_patients(
    vectors: NDArray[np.float32], patients: Sequence[object]
) -> Spread:
    """The cosines of all pairs of unit vectors, shape (n, dimension), of different patients."""
    numbers = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    who = np.array([numbers[patient] for patient in patients], dtype=np.int64)
    first, second = np.triu_indices(len(who), k=1)
    apart = who[first] != who[second]
    cosines = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    found: Spread = cosines[first[apart], second[apart]]
    return found


def _of_drawn_pairs(connection: Connection, index: Searchable, group: str, images: int) -> Spread:
    """Similarities of pairs of different patients, each drawn from all such pairs alike."""
    ids = _ids_to_draw_from(connection, index, group, images)
    drawing = np.random.default_rng(_SEED)
    if not len(ids):
        return np.empty(0)  # the index is behind, by a whole archive
    rows = round(2 * PAIRS * _SPARE * max(1.0, len(ids) / images))
    found = [np.empty(0)]
    for _ in range(_ROUNDS):
        chosen = drawing.choice(ids, rows)
        whose = _whose(connection, index.space_id, group, np.unique(chosen))
        known = iter([key for key in chosen.tolist() if key in whose])
        pairs = [
            (one, two) for one, two in zip(known, known, strict=False) if whose[one] != whose[two]
        ]
        found.extend(_cosines(index, pairs[:PAIRS]))
        if sum(map(len, found)) >= PAIRS:
            break
    return np.concatenate(found)[:PAIRS]


def _ids_to_draw_from(
    connection: Connection, index: Searchable, group: str, images: int
) -> NDArray[np.int64]:
    """All that the index holds, or, where too few of these are of the group, those that are."""
    held = index.ids()
    if 2 * PAIRS * _SPARE * len(held) < images * images:
        return held
    of_group = connection.execute(select(Embedding.id).where(*live(index.space_id, group)))
    return np.intersect1d(held, np.fromiter(of_group.scalars(), np.int64), assume_unique=True)


def _whose(
    connection: Connection, space_id: str, group: str, ids: NDArray[np.int64]
) -> dict[int, object]:
    """The patients of those images that are live and of the group."""
    found: dict[int, object] = {}
    for at in range(0, len(ids), _ROWS_AT_ONCE):
        rows = connection.execute(
            select(Embedding.id, Study.id, Study.patient_id, Study.issuer_of_patient_id)
            .join(Study, Study.id == Embedding.study_id)
            .where(Embedding.id == func.any(ids[at : at + _ROWS_AT_ONCE].tolist()))
            .where(*live(space_id, group))
        )
        found |= {row[0]: _patient(*row[1:]) for row in rows}
    return found


def _patient(study_id: int, patient_id: str, issuer: str) -> tuple[object, object]:
    """Who the patient is; without a patient id, only the study itself is known to be theirs."""
    return (patient_id, issuer) if patient_id else (study_id, None)


def _cosines(index: Searchable, pairs: Sequence[tuple[int, int]]) -> Iterator[Spread]:
    for at in range(0, len(pairs), _PAIRS_AT_ONCE):
        block = np.array(pairs[at : at + _PAIRS_AT_ONCE], np.int64)
        keys, vectors = index.held(np.unique(block))
        block = block[np.isin(block, keys).all(axis=1)]
        one, other = (vectors[np.searchsorted(keys, side)].astype(np.float64) for side in block.T)
        yield (one * other).sum(axis=1)
