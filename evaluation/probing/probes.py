"""Probes: how well frozen vectors tell labels, by their neighbours and by a linear classifier."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from evaluation.collection import Codes, Collection, CollectionError, Positions
from evaluation.evaluating import Row, System
from evaluation.figures import DRAWS
from evaluation.nearest import Neighbourhood, checked
from evaluation.probing.classification import Told, classified
from evaluation.probing.linear_models import Features, Learned, logistic, paper_2
from evaluation.probing.splits import split_positions
from evaluation.probing.targets import Targets
from evaluation.probing.votes import Voters, best_k
from evaluation.systems.embedding import Progress, quiet
from storage.vectors.metric import Metric

MOST_NEIGHBOURS = 100
"""The greatest k that is tried."""


@dataclass(frozen=True)
class Parts:
    """The images that are learned from, chosen by, and tested with."""

    training: Positions
    validation: Positions
    test: Positions


@dataclass(frozen=True)
class Ways:
    """How probes work; the defaults are the careful ones.

    Attributes:
        most_neighbours: the greatest k that is tried.
        leaks_true_class_size: of the k nearest only as many vote as the query's *true* class has
            images in training. Paper 2's code does so; it tells the answer in part.
        k_by: by what k is the best: ``f1`` or ``auprc``, both micro; paper 2 has the former. Where
            labels are rare, few votes pass one half, so that F1 prefers the least k, at which votes
            hardly rank anything.
        linear: logistic regression, or paper 2's recipe.
        seed: of training and intervals.
        draws: of patients, for the intervals.
    """

    most_neighbours: int = MOST_NEIGHBOURS
    leaks_true_class_size: bool = False
    k_by: Literal["f1", "auprc"] = "f1"
    linear: Literal["logistic", "paper-2"] = "logistic"
    seed: int = 0
    draws: int = DRAWS


@dataclass(frozen=True)
class Probe:
    """What a probe found of a system.

    Attributes:
        system: its name.
        says: how it was made, k or training included.
        rows: the figures.
        left_out: classes that do not enter class means, with the reason.
    """

    system: str
    says: str
    rows: tuple[Row, ...]
    left_out: tuple[tuple[str, str], ...]


def parts_of(
    collection: Collection,
    targets: Targets,
    names: tuple[str, str, str] = ("train", "val", "test"),
    *,
    may_share: bool = False,
) -> Parts:
    """The images of each split of which something is known.

    Raises:
        CollectionError: a split is missing, nothing is known in it, or patients are in two.
    """
    found = split_positions(collection, names, may_share=may_share)
    known = targets.takes_part
    some = [positions[known[positions]] for positions in found]
    for name, positions in zip(names, some, strict=True):
        if not len(positions):
            raise CollectionError(f"{collection.name}: no image of split {name!r} takes part")
    return Parts(*some)


def knn_probe(
    system: System,
    targets: Targets,
    parts: Parts,
    patients: Codes,
    ways: Ways | None = None,
    progress: Progress = quiet,
    *,
    apart: Codes | None = None,
) -> Probe:
    """The k nearest training images vote; k is the best on the validation images.

    A probability is the mean of the neighbours' labels.

    Args:
        system: its vectors stand in the order of the targets.
        targets: of all images.
        parts: who votes, by whom k is chosen, who is tested.
        patients: a number for each image.
        ways: how.
        progress: is told how many k were tried.
        apart: an image with the query's own number never votes; by patient where None.

    Raises:
        CollectionError: the true class's size is to limit k and images have several labels, no
            class can be judged, or images ask by other vectors than they answer by.
        VectorsError: as for `Neighbourhood`.
    """
    ways = ways or Ways()
    system.must_have_one_vector("a probe")
    if ways.leaks_true_class_size and not targets.one_each:
        raise CollectionError("the true class's size limits k only where images have one class")
    asked = np.concatenate([parts.validation, parts.test])
    most = min(ways.most_neighbours, len(parts.training))
    space = Neighbourhood(system.vectors, system.metric, asked, parts.training, seed=ways.seed)
    run = space.nearest(most, apart=patients if apart is None else apart)
    voters = Voters(run, targets, parts.training, leaks=ways.leaks_true_class_size)
    validation = slice(0, len(parts.validation))
    k = best_k(voters, parts.validation, validation, progress, by=ways.k_by)
    told = voters.probabilities(k)[len(parts.validation) :]
    chosen = f"k = {k}, the best of {most} by {ways.k_by}"
    leak = ", no more than the query's true class has images" * ways.leaks_true_class_size
    return _judged(
        "kNN probe", system, Learned(told, chosen + leak), (targets, parts), patients, ways
    )


def linear_probe(
    system: System,
    targets: Targets,
    parts: Parts,
    patients: Codes,
    ways: Ways | None = None,
    progress: Progress = quiet,
) -> Probe:
    """A linear classifier is learned from the training images.

    Args:
        system: its vectors stand in the order of the targets.
        targets: of all images.
        parts: learned from, chosen by (paper 2's recipe only), tested.
        patients: a number for each image.
        ways: how.
        progress: is told of labels, or of epochs.

    Raises:
        CollectionError: no class can be judged, or images ask by other vectors than they answer by.
        VectorsError: a vector is not finite or has no direction.
    """
    ways = ways or Ways()
    features = features_of(system)
    if ways.linear == "paper-2":
        both = (parts.training, parts.validation)
        learned = paper_2(features, targets, both, parts.test, seed=ways.seed, progress=progress)
    else:
        learned = logistic(features, targets, parts.training, parts.test, progress=progress)
    return _judged("linear probe", system, learned, (targets, parts), patients, ways)


def features_of(system: System) -> Features:
    """The vectors as they are compared, or the bits of codes as 0 and 1.

    Raises:
        CollectionError: images ask by other vectors than they answer by.
        VectorsError: a vector is not finite or has no direction.
    """
    system.must_have_one_vector("a probe")
    found = checked(system.vectors, system.metric)
    return (
        np.unpackbits(found, axis=1).astype(np.float32)
        if system.metric is Metric.HAMMING
        else found
    )


def _judged(
    part: str,
    system: System,
    learned: Learned,
    asked: tuple[Targets, Parts],
    patients: Codes,
    ways: Ways,
) -> Probe:
    targets, parts = asked
    test = parts.test
    of_test = replace(targets, positive=targets.positive[test], known=targets.known[test])
    told = Told(of_test, learned.probabilities, patients[test], targets.prevalence(parts.training))
    found = classified(part, told, seed=ways.seed, draws=ways.draws)
    says = f"{part}: {learned.says}; who always says {_commonest(told)}"
    return Probe(system.name, says, found.rows, found.left_out)


def _commonest(told: Told) -> str:
    """What is said without looking, and how often it is right."""
    if not told.targets.one_each:
        share = (~told.targets.positive)[told.targets.known].mean()
        return f"no is right in {share:.3f} of the decisions"
    commonest = int(told.by_lot.argmax())
    share = told.targets.positive[:, commonest].mean()
    return f"{told.targets.names[commonest]} is right in {share:.3f}"
