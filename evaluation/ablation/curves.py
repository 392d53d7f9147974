"""How many images of a class an index needs: precision by samples per class (paper 2, figure 3B).

The same queries ask indexes of a rising number of images of each class. Indexes are nested: what
answers in a small one answers in the larger ones too. All is drawn anew with each seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluation.collection import SHOWN, Codes, CollectionError, Positions
from evaluation.evaluating import System
from evaluation.figures import DRAWS, Figure, figure
from evaluation.followed import followed
from evaluation.measures import answers, measure
from evaluation.nearest import Neighbourhood
from evaluation.relevance import same
from evaluation.scores import Scores, scored, together
from evaluation.systems.embedding import Progress, quiet

SIZES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 3000)
QUERIES = 38
"""Of each class, as in paper 2: its smallest class has so many."""
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Design:
    """What is asked of which index.

    Attributes:
        sizes: images of each class in the index, in rising order.
        queries: of each class.
        seeds: of the draws; one run each.
        measures: ids.
    """

    sizes: tuple[int, ...] = SIZES
    queries: int = QUERIES
    seeds: tuple[int, ...] = SEEDS
    measures: tuple[str, ...] = ("p@1",)

    def __post_init__(self) -> None:
        """Checks it.

        Raises:
            CollectionError: sizes do not rise from 1, or there are no queries, seeds or measures.
        """
        if not self.sizes or list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 1:
            raise CollectionError(f"sizes rise and are at least 1, these are {self.sizes}")
        if self.queries < 1 or not self.seeds or not self.measures:
            raise CollectionError("an ablation needs a query, a seed and a measure at least")


@dataclass(frozen=True)
class Pool:
    """The images that are drawn from.

    Attributes:
        classes: each image's class, -1 for none.
        class_names: by class.
        patients: each image's patient.
        apart: images with the query's own number never answer it, as in `Neighbourhood.nearest`.
        asking: images that may be drawn as queries.
        answering: images that may be drawn for the index; an image drawn as a query is not.
    """

    classes: Codes
    class_names: tuple[str, ...]
    patients: Codes
    apart: Codes
    asking: Positions
    answering: Positions


@dataclass(frozen=True)
class Point:
    """One size of the index.

    Attributes:
        per_class: images of each class in it.
        figure: over the queries of all seeds, with its interval over patients.
        by_seed: the mean of each seed.
    """

    per_class: int
    figure: Figure
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Ablation:
    """One system's curve by one measure.

    Attributes:
        system: its name.
        measure: its id.
        points: by rising size.
        classes: that have images enough.
        left_out: that have not, with how many may ask and how many may answer.
        queries: of each class.
        seeds: of the draws.
    """

    system: str
    measure: str
    points: tuple[Point, ...]
    classes: tuple[str, ...]
    left_out: tuple[tuple[str, int, int], ...]
    queries: int
    seeds: tuple[int, ...]


def ablation(
    system: System,
    pool: Pool,
    design: Design | None = None,
    progress: Progress = quiet,
    *,
    draws: int = DRAWS,
) -> tuple[Ablation, ...]:
    """A system's curves, one for each measure.

    Args:
        system: its vectors stand in the pool's order.
        pool: the images.
        design: paper 2's where None.
        progress: is told how many searches are done.
        draws: of patients, for the intervals.

    Raises:
        CollectionError: fewer than two classes have images enough, and the message names the
            largest; or images ask by other vectors than they answer by.
        VectorsError: a vector is not finite or has no direction.
    """
    design = design or Design()
    system.must_have_one_vector("an ablation")
    enough, left_out = classes_enough(pool, design)
    depth = max(measure(name).k for name in design.measures)
    parts: dict[tuple[int, str], list[Scores]] = {}
    total = len(design.seeds) * len(design.sizes)
    for at, (size, queries, index) in enumerate(_drawn(pool, design, enough), start=1):
        space = Neighbourhood(system.vectors, system.metric, queries, index)
        run = followed(space, depth, pool.patients, apart=pool.apart)
        given = answers(run, same(pool.classes, "of the same class"), index, apart=pool.apart)
        for name in design.measures:
            one = scored(measure(name), given, pool.patients, pool.classes, pool.class_names)
            parts.setdefault((size, name), []).append(one)
        progress(at, total)
    names = tuple(pool.class_names[one] for one in enough)
    return tuple(
        Ablation(
            system.name,
            name,
            tuple(_point(size, parts[size, name], draws) for size in design.sizes),
            names,
            left_out,
            design.queries,
            design.seeds,
        )
        for name in design.measures
    )


def classes_enough(
    pool: Pool, design: Design
) -> tuple[list[int], tuple[tuple[str, int, int], ...]]:
    """The classes with images enough; and the others: how many may ask, how many answer.

    Raises:
        CollectionError: they are fewer than two; the message names the largest.
    """
    count = len(pool.class_names)
    asks = _counted(pool, pool.asking, count)
    answers_ = _counted(pool, pool.answering, count)
    both = _counted(pool, np.intersect1d(pool.asking, pool.answering), count)
    # queries are taken first, and no more than is needed from those that could answer too
    taken = np.maximum(0, design.queries - (asks - both))
    here = (asks >= design.queries) & (answers_ - taken >= design.sizes[-1])
    enough = np.flatnonzero(here).tolist()
    if len(enough) < 2:
        largest = np.argsort(-answers_, kind="stable")[:SHOWN]
        told = ", ".join(
            f"{pool.class_names[at]} ({asks[at]} may ask, {answers_[at]} answer)" for at in largest
        )
        raise CollectionError(
            f"{len(enough)} classes have {design.queries} queries and {design.sizes[-1]} images "
            f"for the index beside them, two are needed; the largest are {told}: ask for smaller "
            "sizes or fewer queries"
        )
    lacking = np.flatnonzero(~here)
    return enough, tuple((pool.class_names[at], int(asks[at]), int(answers_[at])) for at in lacking)


def _counted(pool: Pool, some: Positions, count: int) -> Codes:
    codes = pool.classes[some]
    return np.bincount(codes[codes >= 0], minlength=count)


def _drawn(
    pool: Pool, design: Design, enough: Sequence[int]
) -> Iterator[tuple[int, Positions, Positions]]:
    """Yield sizes, queries and indexes, in ascending order each."""
    only_ask = np.setdiff1d(pool.asking, pool.answering)
    for seed in design.seeds:
        random = np.random.default_rng(seed)
        queries, ranked = [], []
        for one in enough:
            asking = random.permutation(pool.asking[pool.classes[pool.asking] == one])
            # those that cannot answer ask first, so that the index loses none for them
            asking = asking[np.argsort(~np.isin(asking, only_ask), kind="stable")]
            queries.append(asking[: design.queries])
            rest = pool.answering[pool.classes[pool.answering] == one]
            ranked.append(random.permutation(np.setdiff1d(rest, queries[-1])))
        asked = np.sort(np.concatenate(queries))
        for size in design.sizes:
            yield size, asked, np.sort(np.concatenate([one[:size] for one in ranked]))


def _point(size: int, parts: Sequence[Scores], draws: int) -> Point:
    classes = np.concatenate([part.classes for part in parts])
    whole = replace(together(parts, parts[0].class_names), classes=classes)
    by_seed = tuple(float(np.mean(part.values[part.defined])) for part in parts)
    return Point(size, figure(whole, draws=draws), by_seed)
