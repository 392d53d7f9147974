"""Does the answer follow the disease, or the view, the scanner, the source?

Images that share a view resemble each other whatever they show, and where the view goes with the
diagnosis, a system that sees nothing but views scores well. So for each attribute it is told how
well neighbours share *it*, and what is left of the score among images that all have it in common,
where it can no longer help. Scores are compared as skill, (value - chance) / (1 - chance), for
chance is higher within a stratum; and with the skill within groups of the same sizes drawn by lot,
for among fewer images there are fewer good answers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.collection import Codes, Collection, known_codes
from evaluation.figures import INTERVAL, Figure, figure, resampled
from evaluation.followed import followed
from evaluation.measures import Measure, answers, measure
from evaluation.nearest import Neighbourhood, Run
from evaluation.relevance import Values, same
from evaluation.scores import Scores, scored, together
from evaluation.tasks import Part, Task

Verdict = Literal["explains it", "explains part", "no sign", "cannot be told", "nothing to explain"]
MOST_VALUES = 100
"""An attribute of more values than this names images rather than groups."""
SMALLEST = 20
"""Queries that a stratum needs for a row of its own."""
MATTERS = 0.1
"""Of the skill, that is lost within strata: less is no sign, however many queries prove it."""


@dataclass(frozen=True)
class Confounder:
    """What an attribute may explain of a score.

    Attributes:
        attribute: view, sex, scanner ...
        part: the relevance rule; the task where several labels are taken together.
        measure: the id of the measure that is compared.
        known: how many queries are known by it.
        values: how many values it has among them.
        shared: how well neighbours share it (the same precision).
        overall: the score among images that are known by it.
        within: the score where only images that share it answer.
        strata: ``within`` for each value that has queries enough.
        skill: of ``overall``.
        skill_by_lot: within groups of the attribute's sizes that were drawn by lot.
        skill_within: of ``within``; NaN where all that answer are relevant.
        drop: ``skill_by_lot`` less ``skill_within``, with its interval over patients.
        verdict: in words.
    """

    attribute: str
    part: str
    measure: str
    known: int
    values: int
    shared: Figure
    overall: Figure
    within: Figure
    strata: tuple[tuple[str, Figure], ...]
    skill: float
    skill_by_lot: float
    skill_within: float
    drop: tuple[float, float, float]
    verdict: Verdict


@dataclass(frozen=True)
class Judged:
    """What is asked again within strata."""

    neighbourhood: Neighbourhood
    apart: Codes
    collection: Collection
    seed: int


def confounders(judged: Judged, task: Task, attributes: Sequence[str]) -> Iterator[Confounder]:
    """Yield each attribute that has two values at least among the queries, for the task's headline.

    An attribute with more than a hundred values names images rather than groups and is left out.
    """
    parts = [one for one in task.parts if any(m.id == task.headline for m in one.measures)]
    known = np.any([one.known for one in parts], axis=0)
    takes_part = np.zeros(len(judged.collection), bool)
    takes_part[task.members] = True
    for name in attributes:
        told = known_codes(judged.collection.attributes[name])
        codes = np.where(known & takes_part, told, -1)
        there = np.unique(codes[judged.neighbourhood.queries])
        if name != task.within and 2 <= len(there[there >= 0]) <= MOST_VALUES:
            yield _confounder(judged, task, parts, name, codes)


def _confounder(
    judged: Judged, task: Task, parts: Sequence[Part], name: str, codes: Codes
) -> Confounder:
    apart = task.strata(judged.collection, codes >= 0)
    known = np.where(codes >= 0, 0, -1) if apart is None else apart
    one = measure(task.headline)
    overall = _scores(judged, parts, one, known)
    within = _scores(judged, parts, one, _both(known, codes))
    by_lot = _scores(judged, parts, one, _both(known, _by_lot(codes, known, judged.seed)))
    shared = measure(f"p@{one.k or 1}")
    sharing = Part(name, same(codes, name), (shared,), ("micro",), codes >= 0, codes)
    drop = _drop(by_lot, within, judged.seed)
    rows = tuple(_strata(judged, name, codes, within))
    of_all, of_within = figure(overall, seed=judged.seed), figure(within, seed=judged.seed)
    return Confounder(
        attribute=name,
        part=task.name if len(parts) > 1 else parts[0].name,
        measure=task.headline,
        known=len(overall.queries),
        values=len(np.unique(codes[overall.queries])),
        shared=figure(_scores(judged, [sharing], shared, known), seed=judged.seed),
        overall=of_all,
        within=of_within,
        strata=rows,
        skill=_skill(overall),
        skill_by_lot=_skill(by_lot),
        skill_within=_skill(within),
        drop=drop,
        verdict=_verdict(of_all, of_within, drop, _skill(by_lot)),
    )


def _both(known: Codes, codes: Codes) -> Codes:
    """A number for each pair of numbers; -1 where either is."""
    return np.where((known < 0) | (codes < 0), -1, known * (codes.max() + 1) + codes)


def _by_lot(codes: Codes, known: Codes, seed: int) -> Codes:
    """The same groups' sizes, among the same images, by lot."""
    drawn = codes.copy()
    random = np.random.default_rng(seed)
    for one in np.unique(known[known >= 0]):
        here = np.flatnonzero((known == one) & (codes >= 0))
        drawn[here] = random.permutation(codes[here])
    return drawn


def _scores(judged: Judged, parts: Sequence[Part], one: Measure, strata: Codes) -> Scores:
    """Of all parts together: of each label, whoever has it asks."""
    patients = judged.collection.patient_codes()
    runs: dict[bytes, Run] = {}  # labels that are all known share their answers
    found = []
    for part in parts:
        codes = np.where(part.known, strata, -1)
        key = codes.tobytes()
        if key not in runs:
            runs[key] = followed(
                judged.neighbourhood, one.k, patients, apart=judged.apart, strata=codes
            )
        given = answers(
            runs[key], part.qrels, judged.neighbourhood.index, apart=judged.apart, strata=codes
        )
        found.append(scored(one, given, patients))
    return together(found, [part.name for part in parts])


def _strata(
    judged: Judged, name: str, codes: Codes, within: Scores
) -> Iterator[tuple[str, Figure]]:
    texts = judged.collection.attributes[name]
    for code in np.unique(codes[within.queries]):
        here = codes[within.queries] == code
        if here.sum() >= SMALLEST:
            value = str(texts[within.queries[here][0]])
            yield value, figure(within.where(here), seed=judged.seed)


def _skill(scores: Scores) -> float:
    counted = scores.where(scores.defined)
    return float(_skills(_means(counted))[0]) if len(counted.queries) else float("nan")


def _drop(by_lot: Scores, within: Scores, seed: int) -> tuple[float, float, float]:
    """Skill lost within strata, over the queries that have a value in both, with its interval."""
    both = by_lot.defined & within.defined
    if not both.any():
        return (float("nan"),) * 3
    first, second = by_lot.where(both), within.where(both)
    by_lots, withins = resampled([first, second], seed=seed)
    drawn = _skills(by_lots) - _skills(withins)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return (float("nan"),) * 3
    low, high = np.percentile(drawn, INTERVAL)
    return _skill(first) - _skill(second), float(low), float(high)


def _means(scores: Scores) -> Values:
    return np.array([[scores.values.mean()], [scores.by_chance.mean()]])


def _skills(drawn: Values) -> Values:
    """Of draws of values and chances, shape (2, draws); NaN where chance leaves no room."""
    room = 1 - drawn[1]
    return np.where(room > 1e-12, (drawn[0] - drawn[1]) / np.where(room > 1e-12, room, 1), np.nan)


def _verdict(
    overall: Figure, within: Figure, drop: tuple[float, float, float], by_lot: float
) -> Verdict:
    if not overall.lift_low > 0:
        return "nothing to explain"
    if within.queries == 0:
        return "cannot be told"
    if within.chance >= 1 - 1e-12:
        return "explains it"  # who shares the attribute shares the label: nothing else can be seen
    lost = drop[1] > 0 and drop[0] > MATTERS * by_lot
    if within.lift_low > 0:
        return "explains part" if lost else "no sign"
    return "explains it" if lost else "cannot be told"
