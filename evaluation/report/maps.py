"""Maps of a space: images near each other in it stand near each other on paper, more or less.

What a map shows is neighbourhoods. Sizes of groups and the room between them mean nothing, and
another seed gives another map (van der Maaten and Hinton 2008; McInnes et al. 2018).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from evaluation.collection import Positions
from evaluation.evaluating import System
from evaluation.nearest import checked
from evaluation.report.drawing import REST, LegendEntry, Look, Picture, drawn, look, marks
from storage.vectors.metric import Metric

MOST_POINTS = 5_000
DIMENSIONS = 50
"""To which vectors are reduced first (PCA), as is usual before t-SNE."""
PERPLEXITY = 30.0
UMAP_NEIGHBOURS = 15
UMAP_EXTRA = "likeness-node[umap]"
FEWEST_POINTS = 5
THREADED = 2_000
"""Points from which more than one thread pays; with fewer they wait for each other, and on a busy
machine four times as long as one takes. The map is the same with any number of threads."""
MOST_ENTRIES = 12
SIDE, MARGIN = 480.0, 8.0
OTHERS, UNKNOWN = "others", "not known"

Places = NDArray[np.float64]


class MapError(ValueError):
    """A map cannot be made; the message says why, and what would help."""


@dataclass(frozen=True)
class Map:
    """Images on a plane.

    Attributes:
        system: whose vectors they are.
        method: t-SNE or UMAP.
        settings: in words, the seed among them.
        images: which, by their places in the collection.
        of: how many there were to be drawn.
        places: shape (images, 2).
    """

    system: str
    method: str
    settings: str
    images: Positions
    of: int
    places: Places

    @property
    def sample(self) -> str:
        """How many of them are drawn."""
        if len(self.images) == self.of:
            return f"All {self.of:,} images"
        return f"{len(self.images):,} of {self.of:,} images, drawn by lot"


def tsne(system: System, members: Positions, *, seed: int, most: int = MOST_POINTS) -> Map:
    """A map by t-SNE of the Euclidean distance (with COSINE, of vectors of unit length).

    Raises:
        MapError: there are fewer than five images, all their vectors are the same, or images ask by
            others than they answer by.
    """
    images = _sample(members, seed, most)
    reduced = _reduced(system, images, seed)
    perplexity = min(PERPLEXITY, (len(images) - 1) / 3)
    start = "pca" if reduced.shape[1] > 1 else "random"
    method = TSNE(2, perplexity=perplexity, init=start, random_state=seed)
    with threadpool_limits(1 if len(images) < THREADED else None, user_api="openmp"):
        places = method.fit_transform(reduced)
    settings = f"perplexity {perplexity:g}, PCA to {reduced.shape[1]} first, seed {seed}"
    return Map(system.name, "t-SNE", settings, images, len(members), _finite(places, "t-SNE"))


def umap(system: System, members: Positions, *, seed: int, most: int = MOST_POINTS) -> Map:
    """A map by UMAP, of the same distance as `tsne`.

    Raises:
        MapError: as for `tsne`, or the package is not installed.
    """
    package = _umap_package()
    images = _sample(members, seed, most)
    reduced = _reduced(system, images, seed)
    neighbours = min(UMAP_NEIGHBOURS, len(images) - 1)
    # with a seed it works in one thread, and says so unless it was asked to
    make = package.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1)
    places = make.fit_transform(reduced)
    settings = f"{neighbours} neighbours, PCA to {reduced.shape[1]} first, seed {seed}"
    return Map(system.name, "UMAP", settings, images, len(members), _finite(places, "UMAP"))


def coloured(made: Map, by: str, texts: Sequence[str]) -> Picture:
    """A map with its points coloured by one text for each image of the collection.

    The twelve most frequent texts have a colour and a shape; the others have one together.
    """
    own = np.array([texts[at] for at in made.images])
    entries = _entries(own.tolist())
    named = {entry.name: entry.look for entry in entries}
    fitted = _fitted(made.places)
    looks = [named.get(text or UNKNOWN, REST) for text in own.tolist()]
    parts = [
        marks(one, fitted[[at for at, other in enumerate(looks) if other == one]])
        for one in sorted(set(looks), key=lambda one: one.hue)
    ]
    told = ", ".join(f"{entry.name} {entry.count:,}" for entry in entries)
    title = f"{made.method} of {made.system} by {by}"
    height = fitted[:, 1].max() + MARGIN
    svg = drawn(SIDE, height, f"{title}: {told}", parts)
    return Picture(title, f"{made.sample}; {made.settings}.", svg, legend=entries)


def _umap_package() -> ModuleType:
    try:
        import umap as package  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError as fault:
        raise MapError(
            f"UMAP is not drawn ({fault}): install it with pip install '{UMAP_EXTRA}'"
        ) from fault
    return package  # type: ignore[no-any-return]


def _sample(members: Positions, seed: int, most: int) -> Positions:
    if len(members) < FEWEST_POINTS:
        raise MapError(f"{len(members)} images are too few for a map: {FEWEST_POINTS} are needed")
    if len(members) <= most:
        return members
    drawn_by_lot = np.random.default_rng(seed).choice(members, most, replace=False)
    return np.sort(drawn_by_lot)


def _reduced(system: System, images: Positions, seed: int) -> NDArray[np.float64]:
    """Shape (images, DIMENSIONS or fewer)."""
    if system.asking is not None:
        raise MapError(
            f"{system.name} has no map: its images ask by other vectors than they answer by; one "
            "fold's encoder has one, folder:FOLDER/fold-0"
        )
    vectors = checked(system.vectors[images], system.metric)
    if system.metric is Metric.HAMMING:
        vectors = np.unpackbits(vectors, axis=1)
    numbers = vectors.astype(np.float64)
    if not np.ptp(numbers, axis=0).any():
        raise MapError(f"all vectors of {system.name} are the same: there is nothing to map")
    most = min(DIMENSIONS, *numbers.shape)
    reduced = PCA(most, random_state=seed).fit_transform(numbers)
    return np.asarray(reduced, np.float64)


def _finite(places: Places, method: str) -> Places:
    if not np.isfinite(places).all():
        raise MapError(f"{method} gave no places for these vectors")
    return np.asarray(places, np.float64)


def _entries(texts: Sequence[str]) -> tuple[LegendEntry, ...]:
    counted = Counter(texts)
    unknown = counted.pop("", 0)
    order = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    entries = [
        LegendEntry(name, look(at), count) for at, (name, count) in enumerate(order[:MOST_ENTRIES])
    ]
    rest = sum(count for _, count in order[MOST_ENTRIES:])
    more = len(order) - MOST_ENTRIES
    if rest:
        entries.append(LegendEntry(f"{OTHERS} ({more})", REST, rest))
    if unknown:
        entries.append(LegendEntry(UNKNOWN, Look(-1, "cross"), unknown))
    return tuple(entries)


def _fitted(places: Places) -> Places:
    """Into the picture's width; it is as high as that makes it, and lies on its longer side."""
    inside = places - places.min(axis=0)
    if inside[:, 1].max() > inside[:, 0].max():
        inside = inside[:, ::-1]  # neither axis means anything
    return np.asarray(MARGIN + inside / (inside.max() or 1) * (SIDE - 2 * MARGIN))
