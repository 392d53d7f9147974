"""What is asked of a collection: who asks, who may answer, what is relevant, how it is measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation import relevance
from evaluation.collection import (
    POSITIVE,
    Codes,
    Collection,
    CollectionError,
    Positions,
    Texts,
    codes_of,
    known_codes,
)
from evaluation.figures import Mean
from evaluation.label_sets import UncertaintyRule, decided
from evaluation.measures import Measure, measure
from evaluation.relevance import Qrels

PRECISIONS = ("p@1", "p@3", "p@5", "p@10")
OF_FIVE = ("ap.hits@5", "p@5", "rr@5")


@dataclass(frozen=True)
class Rules:
    """The rules of the game; the defaults are the careful ones.

    Attributes:
        apart: whose images never answer a query: its patient's, its study's, or only its own.
        query_splits: images of these splits ask; all where empty.
        index_splits: images of these splits answer; all where empty.
        uncertain: what an uncertain label is.
        seed: of every draw.
    """

    apart: str = "patient"
    query_splits: tuple[str, ...] = ()
    index_splits: tuple[str, ...] = ()
    uncertain: UncertaintyRule = "ignore"
    seed: int = 0

    def kept_apart(self, collection: Collection) -> Codes:
        """One number for each image; images that share it never answer each other.

        Raises:
            CollectionError: the rule needs studies and the collection has none, or is no rule.
        """
        if self.apart == "patient":
            return collection.patient_codes()
        if self.apart == "image":
            return np.arange(len(collection))
        if self.apart != "study":
            raise CollectionError(f"patient, study or image is left out, not {self.apart!r}")
        if not collection.studies:
            raise CollectionError(f"{collection.name} does not tell studies: leave out the patient")
        return codes_of(np.array(collection.studies))

    def asking(self, collection: Collection) -> NDArray[np.bool_]:
        """Which images ask."""
        return _in_splits(collection, self.query_splits)

    def answering(self, collection: Collection) -> NDArray[np.bool_]:
        """Which images may answer."""
        return _in_splits(collection, self.index_splits)


@dataclass(frozen=True)
class Part:
    """One relevance rule of a task and what is measured by it.

    Attributes:
        name: such as ``class`` or a label's.
        qrels: the relevance.
        measures: by which the answers are scored.
        means: over what.
        known: which images are known well enough to ask and answer, shape (images,).
        classes: each image's class.
        class_names: their names; empty where there are none.
    """

    name: str
    qrels: Qrels
    measures: tuple[Measure, ...]
    means: tuple[Mean, ...]
    known: NDArray[np.bool_]
    classes: Codes
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A question put to a collection.

    Attributes:
        name: for the tables.
        says: what is relevant, in words.
        members: the images that take part.
        parts: relevance rules that are told apart.
        headline: the id of the measure that confounders are judged by.
        by_label: the parts are labels of one table, whose queries are those that have the label.
        within: an attribute; only images with the query's own value answer. Empty for all.
    """

    name: str
    says: str
    members: Positions
    parts: tuple[Part, ...]
    headline: str
    by_label: bool = False
    within: str = ""

    def strata(self, collection: Collection, known: NDArray[np.bool_]) -> Codes | None:
        """Who may answer whom: -1 for images that are not known; None where all are alike."""
        if self.within:
            return np.where(known, known_codes(collection.attributes[self.within]), -1)
        return None if known[self.members].all() else np.where(known, 0, -1)

    @property
    def k(self) -> int:
        """The deepest rank that is measured; the whole ranking is as deep as there are members."""
        depths = [one.k or len(self.members) for part in self.parts for one in part.measures]
        return max(depths)


THE_LABEL = "label"
"""Stands for a column: the label of images that have exactly one."""


def one_class(
    collection: Collection,
    column: str,
    measures: Sequence[str] = (*PRECISIONS, "ap.hits@5", "rr@5"),
    *,
    within: str = "",
) -> Task:
    """Images of one class each; who has none takes no part.

    Args:
        collection: the images.
        column: an attribute, or THE_LABEL.
        measures: ids.
        within: an attribute whose values are kept apart, such as the set of a mixed collection.

    Raises:
        CollectionError: there is no such attribute, or fewer than two classes.
    """
    texts = _attribute(collection, column)
    taken = texts != ""
    if within:
        taken &= _attribute(collection, within) != ""
    members = np.flatnonzero(taken)
    names = tuple(str(name) for name in np.unique(texts[members]))
    if len(names) < 2:
        raise CollectionError(f"{collection.name}: {column!r} tells fewer than two classes")
    codes = np.where(taken, np.searchsorted(names, texts), -1)
    says = f"of the same {column}" + (f", within the same {within}" if within else "")
    part = Part(
        "class",
        relevance.same(codes, says),
        _measures(measures),
        ("micro", "class_mean"),
        taken,
        codes,
        names,
    )
    headline = "p@1" if "p@1" in measures else measures[0]
    return Task(column, says, members, (part,), headline, within=within)


def _attribute(collection: Collection, column: str) -> Texts:
    if column == THE_LABEL:
        positive = collection.states == POSITIVE
        names = np.array(["", *collection.label_names])
        return names[np.where(positive.sum(axis=1) == 1, 1 + positive.argmax(axis=1), 0)]
    return collection.attribute(column)


def any_label(
    collection: Collection,
    members: Positions,
    uncertain: UncertaintyRule,
    *,
    name: str = "labels",
    all_answer: bool = False,
) -> Task:
    """Images that share a label with the query are relevant, by share of labels graded too.

    Args:
        collection: the images.
        members: those that take part.
        uncertain: the rule; an ignored one is neither the query's nor an answer's.
        name: of the task.
        all_answer: images without a positive label answer too (and are never relevant).

    Raises:
        CollectionError: no image has a positive label.
    """
    positive, _ = decided(collection.states, uncertain)
    labelled = np.asarray(positive.any(axis=1))
    taken = members if all_answer else members[labelled[members]]
    if not labelled[taken].any():
        raise CollectionError(f"{collection.name}: no image that takes part has a positive label")
    everyone = np.ones(len(collection), bool)
    whole = np.zeros(len(collection), np.int64)

    def part(name: str, qrels: Qrels, measures: Sequence[str]) -> Part:
        return Part(name, qrels, _measures(measures), ("micro",), everyone, whole)

    shared = relevance.shared(positive, "any label in common")
    counted = relevance.shared(positive, "how many labels in common", counted=True)
    share = relevance.share_of_query(positive, "the share of the query's labels in common")
    parts = (
        part("any label", shared, (*PRECISIONS, "hit@10", "rr@10")),
        part("share of labels", share, ("acg@10",)),
        part("labels in common", counted, ("ndcg.exp@10",)),
    )
    return Task(name, shared.says, taken, parts, "p@1")


def each_label(
    collection: Collection,
    members: Positions,
    uncertain: UncertaintyRule,
    *,
    name: str = "each label",
    measures: Sequence[str] = OF_FIVE,
) -> Task:
    """For each label, those that have it ask, and who has it is relevant.

    Raises:
        CollectionError: no label has two positive images among the members.
    """
    positive, known = decided(collection.states, uncertain)
    takes_part = np.zeros(len(collection), bool)
    takes_part[members] = True
    parts = tuple(
        Part(
            label,
            relevance.has(positive[:, at] & takes_part, f"has {label}"),
            _measures(measures),
            ("micro", "class_mean", "class_inverse"),
            known[:, at],
            np.zeros(len(collection), np.int64),
        )
        for at, label in enumerate(collection.label_names)
        if (positive[:, at] & takes_part).any()
    )
    if not parts:
        raise CollectionError(f"{collection.name}: no image that takes part has a positive label")
    return Task(name, "has the label", members, parts, measures[0], by_label=True)


def as_near(collection: Collection, column: str, scale: float, bins: Sequence[float] = ()) -> Task:
    """Graded by a measured value such as weight, and by classes of it between ``bins``.

    Raises:
        CollectionError: there is no such number.
    """
    if column not in collection.numbers:
        known = ", ".join(collection.numbers) or "none"
        raise CollectionError(f"{collection.name} has no number {column!r}; it has {known}")
    values = collection.numbers[column]
    known_values = np.isfinite(values)
    graded = relevance.as_near(values, scale, f"1 at the same {column}, 0 from {scale:g} apart")
    whole = np.zeros(len(collection), np.int64)
    parts = [Part(column, graded, _measures(("ndcg.lin@5",)), ("micro",), known_values, whole)]
    if len(bins):
        codes = np.where(known_values, np.digitize(values, bins), -1)
        names = tuple(_between(bins, at) for at in range(len(bins) + 1))
        same = relevance.same(codes, f"of the same class of {column}")
        measures = _measures((*PRECISIONS, "ap.hits@5", "rr@5", "ndcg.lin@5"))
        parts.append(
            Part("class", same, measures, ("micro", "class_mean"), known_values, codes, names)
        )
    return Task(column, graded.says, np.flatnonzero(known_values), tuple(parts), "ndcg.lin@5")


def _between(bins: Sequence[float], at: int) -> str:
    if at == 0:
        return f"< {bins[0]:g}"
    if at == len(bins):
        return f">= {bins[-1]:g}"
    return f"{bins[at - 1]:g} to {bins[at]:g}"


def _measures(names: Sequence[str]) -> tuple[Measure, ...]:
    return tuple(measure(name) for name in names)


def _in_splits(collection: Collection, splits: Sequence[str]) -> NDArray[np.bool_]:
    if not splits:
        return np.ones(len(collection), bool)
    if not collection.splits:
        raise CollectionError(f"{collection.name} tells no splits: {', '.join(splits)} cannot be")
    own = np.array(collection.splits)
    lacking = [split for split in splits if split not in set(collection.splits)]
    if lacking:
        there = ", ".join(sorted(set(collection.splits) - {""}))
        raise CollectionError(f"{collection.name} has no split {lacking[0]!r}; it has {there}")
    return np.isin(own, list(splits))
