"""Shadow mode: what answers would have been like, in a site's own archive, before anybody saw one.

For those who decide: how often neighbours agree with what the archive says of a study, per modality
and source; how often the node would have said that nothing is similar; and whether what came lately
resembles what was there before, on which all else was measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from evaluation.collection import (
    RECEIVED,
    Codes,
    Collection,
    CollectionError,
    Positions,
    known_codes,
)
from evaluation.nearest import NOBODY, Neighbourhood, Vectors
from evaluation.relevance import Values
from storage.embeddings import modality_group
from storage.rules.percentiles import EXACT_IMAGES, MIN_PAIRS, PAIRS, percentile
from storage.vectors.metric import Metric

ATTRIBUTES = ("modality", "source", "scanner", "body_part")
NEW_SHARE = 0.1
SMALLEST = 20
"""Studies that a row needs."""


@dataclass(frozen=True)
class Abstention:
    """How often the best hit of a study is below the level.

    Attributes:
        attribute: such as ``source``; empty for all.
        value: of it.
        studies: that have somebody to be compared with.
        alone: that have nobody, and get no answer.
        abstained: the share of ``studies`` whose best hit is below the level.
        median: of the best hits' percentiles.
    """

    attribute: str
    value: str
    studies: int
    alone: int
    abstained: float
    median: float


@dataclass(frozen=True)
class Drift:
    """Whether new studies resemble the archive as its own studies do.

    Attributes:
        attribute: such as ``source``; empty for all.
        value: of it.
        new: how many new images.
        old: how many were there.
        similarity_new: median similarity of a new image's nearest among the old.
        similarity_old: of an old image's nearest among the other old ones.
        distance: the greatest difference of the two distributions (Kolmogorov and Smirnov).
        p: that they are the same; of each patient the median counts, once among the new and once
            among the old.
        unseen: this value was not in the archive before.
    """

    attribute: str
    value: str
    new: int
    old: int
    similarity_new: float
    similarity_old: float
    distance: float
    p: float
    unseen: bool


@dataclass(frozen=True)
class Shadow:
    """What shadow mode found.

    Attributes:
        level: the percentile that a best hit had to reach.
        abstentions: over all, then by attribute.
        since: what came from then on is new, in seconds since 1970; NaN where all came at once.
        drifts: over all, then by attribute; none where all came at once.
    """

    level: float
    abstentions: tuple[Abstention, ...]
    since: float
    drifts: tuple[Drift, ...]


def shadow(
    collection: Collection,
    vectors: Vectors,
    metric: Metric,
    level: float,
    since: float | None = None,
    *,
    seed: int = 0,
) -> Shadow:
    """Abstentions, and the drift of what came lately.

    Args:
        collection: the archive's images; ``numbers["received"]`` tells when they came.
        vectors: in its order.
        metric: of the space.
        level: the percentile that the best hit must reach (``search.level``).
        since: from when images are new; None for the last tenth of them, and for no drift where all
            came at one moment.
        seed: of every draw.

    Raises:
        CollectionError: the collection does not tell what is needed, or all or none of it is new
            as from the moment that was named.
    """
    found = tuple(abstentions(collection, vectors, metric, level, seed=seed))
    received = collection.numbers.get(RECEIVED)
    if received is None:
        raise CollectionError(f"{collection.name} does not tell when images came")
    if since is None and received.min() == received.max():  # an archive that was filled in one go
        return Shadow(level, found, float("nan"), ())
    start = float(np.quantile(received, 1 - NEW_SHARE)) if since is None else since
    drifted = tuple(drifts(collection, vectors, metric, received >= start))
    return Shadow(level, found, start, drifted)


def groups(collection: Collection) -> Codes:
    """The modality group of each image, within which images compare, as the node has it.

    Raises:
        CollectionError: the collection does not tell modalities.
    """
    if "modality" not in collection.attributes:
        raise CollectionError(f"{collection.name} does not tell modalities")
    told = [modality_group(str(one)) for one in collection.attributes["modality"]]
    return known_codes(np.array(told))


def abstentions(
    collection: Collection, vectors: Vectors, metric: Metric, level: float, *, seed: int = 0
) -> Iterator[Abstention]:
    """Yield how often the node would say that no study is similar: over all, then by attribute.

    A study's best hit is its best image's; its percentile is among the similarities of pairs of
    different patients' images of its modality group, as the node counts it.

    Args:
        collection: the archive's images, with their studies.
        vectors: in its order.
        metric: of the space.
        level: the percentile that the best hit must reach (``search.level``).
        seed: of the pairs.

    Raises:
        CollectionError: it tells neither studies nor modalities.
    """
    if not collection.studies:
        raise CollectionError(f"{collection.name} does not tell studies")
    own = groups(collection)
    run = Neighbourhood(vectors, metric).nearest(1, apart=collection.patient_codes(), strata=own)
    best = np.full(len(collection), np.nan)
    for group in np.unique(own[own >= 0]):
        spread = _spread(collection, vectors, metric, np.flatnonzero(own == group), seed)
        here = np.flatnonzero((own[run.queries] == group) & (run.neighbours[:, 0] != NOBODY))
        for row in here:
            found = percentile(spread, float(run.similarities[row, 0]))
            best[run.queries[row]] = np.nan if found is None else found
    studies, first, which = np.unique(
        np.array(collection.studies), return_index=True, return_inverse=True
    )
    of_study = np.full(len(studies), -np.inf)
    np.maximum.at(of_study, which, np.where(np.isnan(best), -np.inf, best))
    for attribute, value, rows in _rows(collection, first):
        some = of_study[rows]
        told = some[np.isfinite(some)]
        share = float((told < level).mean()) if len(told) else float("nan")
        median = float(np.median(told)) if len(told) else float("nan")
        yield Abstention(attribute, value, len(told), len(some) - len(told), share, median)


def drifts(
    collection: Collection, vectors: Vectors, metric: Metric, new: NDArray[np.bool_]
) -> Iterator[Drift]:
    """Yield whether what is new resembles what was there: over all, then by attribute.

    Raises:
        CollectionError: all or none of the images are new.
    """
    if new.all() or not new.any():
        many = "all" if new.all() else "none"
        raise CollectionError(f"{many} of the images of {collection.name} are new")
    own, patients = groups(collection), collection.patient_codes()
    old = np.flatnonzero(~new)
    run = Neighbourhood(vectors, metric, index=old).nearest(1, apart=patients, strata=own)
    similarity = np.full(len(collection), np.nan)
    similarity[run.queries] = np.where(
        run.neighbours[:, 0] == NOBODY, np.nan, run.similarities[:, 0]
    )
    for attribute, value, rows in _rows(collection, np.arange(len(collection))):
        yield _drift(attribute, value, similarity[rows], new[rows], patients[rows])


def _drift(
    attribute: str, value: str, similarity: Values, new: NDArray[np.bool_], patients: Codes
) -> Drift:
    known = ~np.isnan(similarity)
    ours = _of_patients(similarity[new & known], patients[new & known])
    theirs = _of_patients(similarity[~new & known], patients[~new & known])
    nothing = float("nan")
    distance, p = nothing, nothing
    if len(ours) and len(theirs):
        test = ks_2samp(ours, theirs)
        distance, p = float(test.statistic), float(test.pvalue)
    return Drift(
        attribute,
        value,
        int(new.sum()),
        int((~new).sum()),
        float(np.median(ours)) if len(ours) else nothing,
        float(np.median(theirs)) if len(theirs) else nothing,
        distance,
        p,
        unseen=bool(new.any() and new.all()),
    )


def _of_patients(values: Values, patients: Codes) -> Values:
    """The median of each patient."""
    order = np.lexsort((values, patients))
    _, first, counts = np.unique(patients[order], return_index=True, return_counts=True)
    ranked = values[order]
    return np.asarray(ranked[first + (counts - 1) // 2] + ranked[first + counts // 2]) / 2


def _rows(collection: Collection, images: Positions) -> Iterator[tuple[str, str, Positions]]:
    """Yield all, then the rows of each value of each attribute that has enough of them."""
    yield "", "", np.arange(len(images))
    for name in ATTRIBUTES:
        if name not in collection.attributes:
            continue
        texts = collection.attributes[name][images]
        for value in np.unique(texts[texts != ""]):
            rows = np.flatnonzero(texts == value)
            if len(rows) >= SMALLEST:
                yield name, str(value), rows


def _spread(
    collection: Collection, vectors: Vectors, metric: Metric, images: Positions, seed: int
) -> Values:
    """Similarities of pairs of different patients' images of a group, ascending: all, or some."""
    patients = collection.patient_codes()
    if len(images) <= EXACT_IMAGES:
        pairs = images[np.stack(np.triu_indices(len(images), 1), axis=1)]
    else:
        pairs = images[np.random.default_rng(seed).integers(0, len(images), (PAIRS, 2))]
    pairs = pairs[patients[pairs[:, 0]] != patients[pairs[:, 1]]]
    if len(pairs) < MIN_PAIRS:
        return np.zeros(0)
    return np.sort(_similarities(vectors, metric, pairs))


def _similarities(vectors: Vectors, metric: Metric, pairs: Positions) -> Values:
    first, second = vectors[pairs[:, 0]], vectors[pairs[:, 1]]
    if metric is Metric.HAMMING:
        return np.asarray(-np.bitwise_count(first ^ second).sum(axis=1, dtype=np.float64))
    a, b = first.astype(np.float64), second.astype(np.float64)
    if metric is Metric.L2:
        return np.asarray(-np.linalg.norm(a - b, axis=1))
    products = (a * b).sum(axis=1)
    if metric is Metric.COSINE:
        products /= np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(products)
