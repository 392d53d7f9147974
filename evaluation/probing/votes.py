"""How the nearest training images vote on labels, and how many of them should."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.metrics import average_precision_score

from evaluation.collection import Positions
from evaluation.nearest import NOBODY, Run
from evaluation.probing.targets import Targets
from evaluation.relevance import Values
from evaluation.systems.embedding import Progress, quiet


@dataclass(frozen=True)
class Voters:
    """The neighbours of images, and how they vote.

    Attributes:
        run: the neighbours, nearest first.
        targets: of all images.
        training: the images that vote.
        leaks: no more than the query's true class has images vote.
    """

    run: Run
    targets: Targets
    training: Positions
    leaks: bool = False

    def growing(self) -> Iterator[Values]:
        """Yield the probabilities by the first 1, 2, ... neighbours, shape (queries, names).

        Where nothing is known of a label among them, it has its share in training.
        """
        shape = (len(self.run.queries), len(self.targets.names))
        votes, counts = np.zeros(shape), np.zeros(shape)
        prior = self.targets.prevalence(self.training)
        most = self._limits()
        for rank in range(self.run.k):
            voter = self.run.neighbours[:, rank]
            here = np.flatnonzero((voter != NOBODY) & (rank < most))
            votes[here] += self.targets.positive[voter[here]]
            counts[here] += self.targets.known[voter[here]]
            yield np.where(counts > 0, votes / np.maximum(counts, 1), prior)

    def probabilities(self, k: int) -> Values:
        """By the first k neighbours, shape (queries, names)."""
        for rank, found in enumerate(self.growing(), start=1):
            if rank == k:
                return found
        raise ValueError(f"k is 1 to {self.run.k}, not {k}")

    def _limits(self) -> Values:
        """How many may vote for each query."""
        if not self.leaks:
            return np.full(len(self.run.queries), np.inf)
        sizes = self.targets.positive[self.training].sum(axis=0)
        true_class = self.targets.positive[self.run.queries].argmax(axis=1)
        # a class without images in training would leave nobody to vote
        return np.asarray(np.maximum(sizes[true_class], 1), np.float64)


def best_k(
    voters: Voters,
    images: Positions,
    rows: slice,
    progress: Progress = quiet,
    *,
    by: Literal["f1", "auprc"] = "f1",
) -> int:
    """The k of the greatest micro-F1 or AUPRC, the least of several.

    Args:
        voters: of these images among others.
        images: by which k is chosen.
        rows: where they stand in the voters' run.
        progress: is told how many k were tried.
        by: the measure.
    """
    known = voters.targets.known[images]
    true = voters.targets.positive[images][known]
    scores = []
    for probabilities in voters.growing():
        if by == "f1":
            said = voters.targets.decided(probabilities[rows])[known]
            scores.append(2 * (true & said).sum() / max(1, true.sum() + said.sum()))
        else:
            scores.append(average_precision_score(true, probabilities[rows][known]))
        progress(len(scores), voters.run.k)
    return int(np.argmax(scores)) + 1
