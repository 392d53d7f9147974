"""Retrieval panels: a query beside its first hits, and which of them are relevant."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.collection import Positions
from evaluation.evaluating import Judgement
from evaluation.nearest import NOBODY, Run
from evaluation.relevance import Values
from evaluation.report.answered import Groups, answered
from evaluation.tasks import Task

Choice = Literal["best", "worst", "by lot"]
HITS = 5
EACH = 3
"""Panels of each choice."""


@dataclass(frozen=True)
class Hit:
    """An image of an answer.

    Attributes:
        image: its place in the collection, from 0.
        rank: from 1.
        similarity: as the metric tells it.
        gain: how relevant it is; 0 is not at all.
        labels: its classes.
    """

    image: int
    rank: int
    similarity: float
    gain: float
    labels: tuple[str, ...]

    @property
    def relevant(self) -> bool:
        """Whether the query's relevance rule holds for it."""
        return self.gain > 0


@dataclass(frozen=True)
class Panel:
    """A query with its first hits.

    Attributes:
        system: who answered.
        task: what was asked.
        choice: why this query is shown.
        query: its place in the collection.
        labels: its classes.
        hits: nearest first.
    """

    system: str
    task: str
    choice: Choice
    query: int
    labels: tuple[str, ...]
    hits: tuple[Hit, ...]

    @property
    def images(self) -> tuple[int, ...]:
        """All that are shown."""
        return (self.query, *(hit.image for hit in self.hits))


def panels(
    judgement: Judgement,
    task: Task,
    groups: Groups,
    *,
    seed: int,
    hits: int = HITS,
    each: int = EACH,
) -> tuple[Panel, ...]:
    """The best, the worst, and some drawn by lot, which alone show what is usual.

    Best and worst go by the gain of the first ``hits``, among equals by lot; a query is shown once.
    """
    run, gains = answered(task, judgement.run, hits)
    return tuple(
        Panel(
            judgement.system,
            task.name,
            choice,
            int(run.queries[at]),
            groups.of(int(run.queries[at])),
            tuple(_hits(run, gains, at, groups)),
        )
        for choice, rows in _chosen(gains, seed, each)
        for at in rows
    )


def _chosen(gains: Values, seed: int, each: int) -> Iterator[tuple[Choice, Positions]]:
    summed = gains.sum(axis=1)
    lot = np.random.default_rng(seed).permutation(len(summed))
    orders: dict[Choice, Positions] = {
        "best": np.lexsort((lot, -summed)),
        "worst": np.lexsort((lot, summed)),
        "by lot": np.argsort(lot),
    }
    taken = np.zeros(len(summed), bool)
    for choice, order in orders.items():
        rows = order[~taken[order]][:each]
        taken[rows] = True
        yield choice, rows


def _hits(run: Run, gains: Values, at: int, groups: Groups) -> Iterator[Hit]:
    for rank, image in enumerate(run.neighbours[at].tolist()):
        if image != NOBODY:
            yield Hit(
                image,
                rank + 1,
                float(run.similarities[at, rank]),
                float(gains[at, rank]),
                groups.of(image),
            )
