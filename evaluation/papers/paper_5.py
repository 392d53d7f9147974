"""Paper 5: what share of labels neighbours have in common, by label sets that merge likeness."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evaluation import relevance
from evaluation.collection import Collection, CollectionError, Positions
from evaluation.evaluating import System, judge
from evaluation.label_sets import LABEL_SETS, consolidated, decided
from evaluation.measures import measure
from evaluation.papers.declared import declared
from evaluation.papers.named_table import Line, Outcome, Terms, lines_of
from evaluation.papers.selection import tested
from evaluation.probing.splits import patient_wise
from evaluation.relevance import Qrels
from evaluation.tasks import Part, Task

SETS = {"NIH": "nih13", "NIH-U": "nih-u", "Stanford": "stanford9", "Stanford-U": "stanford-u"}
"""The paper's names (its Table 3) of our label sets."""
ALL_ANSWER = ", all images answer"
ACG, PRECISION, NDCG = "acg@10", "p@10", "ndcg.exp@10"
SUBSET = {"index": 12_000, "query": 1_000}


def _acg(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    lines: list[Line] = []
    told: list[str] = []
    for setting, merged in _settings(collection):
        positive = _positive(merged, terms)
        images, says = tested(merged)
        labelled = images[positive[images].any(axis=1)]
        if not len(labelled):
            raise CollectionError(f"{collection.name}: no image has a positive label of {setting}")
        told.append(
            f"{setting}: {says}; {len(labelled):,} have one of {len(merged.label_names)} labels, "
            "and ask"
        )
        for name, members in ((setting, labelled), (setting + ALL_ANSWER, images)):
            for at, system in enumerate(systems, start=1):
                found = judge(system, _task(name, positive, members), merged, terms.rules())
                lines += lines_of(system.name, name, found.rows)
                terms.progress(at, len(systems))
    return Outcome(tuple(lines), (*told, _uncertain(terms)))


def _settings(collection: Collection) -> Iterator[tuple[str, Collection]]:
    """Yield the label sets whose parts the collection has.

    Raises:
        CollectionError: it has all of none; the message tells what each lacks.
    """
    lacking = {}
    for setting, name in SETS.items():
        parts = {part for parts in LABEL_SETS[name].parts.values() for part in parts}
        lacking[setting] = sorted(parts - set(collection.label_names))
        if not lacking[setting]:
            yield setting, consolidated(collection, name)
    if all(lacking.values()):
        told = "; ".join(f"for {name} {', '.join(some)}" for name, some in lacking.items())
        raise CollectionError(f"papers/5-table: {collection.name} lacks the labels, {told}")


def _positive(collection: Collection, terms: Terms) -> NDArray[np.bool_]:
    """As printed uncertain labels are positive, as the paper takes them at retrieval."""
    return decided(collection.states, "positive" if terms.as_printed else "ignore")[0]


def _uncertain(terms: Terms) -> str:
    return f"uncertain labels are {'positive' if terms.as_printed else 'not counted'}"


def _task(name: str, positive: NDArray[np.bool_], members: Positions) -> Task:
    share = relevance.share_of_query(positive, "the share of the query's labels in common")
    shared = relevance.shared(positive, "any label in common")
    parts = (_part("share", share, ACG), _part("any label", shared, PRECISION))
    return Task(name, shared.says, members, parts, PRECISION)


def _part(name: str, qrels: Qrels, measured: str) -> Part:
    count = len(qrels.kinds)
    everyone, nobody = np.ones(count, bool), np.zeros(count, np.int64)
    return Part(name, qrels, (measure(measured),), ("micro",), everyone, nobody)


def _ndcg(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    merged = consolidated(collection, SETS["NIH"])
    positive = _positive(merged, terms)
    labelled = np.flatnonzero(positive.any(axis=1))
    if not len(labelled):
        raise CollectionError(f"{collection.name}: no image has a positive label")
    merged, told = _subset(merged, labelled, terms)
    counted = relevance.shared(positive, "how many labels in common", counted=True)
    members = np.flatnonzero(np.array(merged.splits) != "")
    task = Task("subset", counted.says, members, (_part("labels", counted, NDCG),), NDCG)
    lines: list[Line] = []
    for at, system in enumerate(systems, start=1):
        found = judge(system, task, merged, terms.rules(("query",), ("index",)))
        lines += lines_of(system.name, "", found.rows)
        terms.progress(at, len(systems))
    return Outcome(tuple(lines), (told, _uncertain(terms)))


def _subset(collection: Collection, some: Positions, terms: Terms) -> tuple[Collection, str]:
    """As many images as the paper's subset has, or all in its proportion, as index and queries."""
    total = sum(SUBSET.values())
    shares = {name: count / total for name, count in SUBSET.items()}
    # by patient; as printed by image, since the paper says nothing of patients
    groups = np.arange(len(some)) if terms.as_printed else collection.patient_codes()[some]
    own = np.array(patient_wise(groups, shares, seed=terms.seed))
    random = np.random.default_rng(terms.seed)
    splits = np.full(len(collection), "", object)
    for name, count in SUBSET.items():
        splits[random.permutation(some[own == name])[:count]] = name
    counts = {name: int((splits == name).sum()) for name in SUBSET}
    by = "image" if terms.as_printed else "patient"
    told = (
        f"{counts['index']:,} images answer and {counts['query']:,} ask, drawn by lot by {by}, "
        f"seed {terms.seed}; the paper has 12,000 and 1,000, its list is not published"
    )
    return replace(collection, splits=tuple(splits)), told


TABLES = declared(5, {"papers/5-table": _acg, "papers/5-ndcg": _ndcg})
