"""Measures against the golden numbers, definitions by hand, trec_eval and torchmetrics."""

import math
from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
import pytrec_eval
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.retrieval import (
    retrieval_average_precision,
    retrieval_normalized_dcg,
    retrieval_precision,
    retrieval_recall,
    retrieval_reciprocal_rank,
)

from evaluation.measures import Answers, MeasureError, answers, measure
from evaluation.nearest import NOBODY, Run
from evaluation.relevance import Qrels, as_near, graded, has, same, share_of_query, shared


def one_query(gains: Sequence[float], more: Sequence[float] = ()) -> Answers:
    """Image 0 asks; the others answer in their order, with these gains; ``more`` is not found."""
    every = [0.0, *gains, *more]
    table = np.zeros((len(every), len(every)))
    table[0] = every
    qrels = Qrels("told", np.arange(len(every)), table, np.ones(len(every), bool))
    found = np.arange(1, len(gains) + 1)[None]
    run = Run(np.array([0]), found, -found.astype(np.float64))
    return answers(run, qrels, np.arange(len(every)), apart=np.arange(len(every)))


def value(name: str, gains: Sequence[float], more: Sequence[float] = ()) -> float:
    return float(measure(name).scores(one_query(gains, more))[0])


@pytest.mark.parametrize(
    ("name", "hits", "rest", "expected"),
    [
        # k = 5, R = 8
        ("ap.hits@5", [1, 0, 1, 0, 1], [1] * 5, 0.7556),
        ("ap.k@5", [1, 0, 1, 0, 1], [1] * 5, 0.4533),
        ("ap.ath@5", [1, 0, 1, 0, 1], [1] * 5, 0.4533),
        ("ap.rel@5", [1, 0, 1, 0, 1], [1] * 5, 0.2833),
        ("rr@5", [1, 0, 1, 0, 1], [1] * 5, 1),
        ("ap.hits@5", [0, 1, 1, 1, 1], [], 0.6792),
        ("p@5", [0, 1, 1, 1, 1], [], 0.8),
        ("rr@5", [0, 1, 1, 1, 1], [], 0.5),
    ],
)
def test_golden_numbers(name: str, hits: list[float], rest: list[float], expected: float) -> None:
    assert round(value(name, hits, rest), 4) == expected


BEST = [5.5 - at / 2 for at in range(10)]
SWAPPED = [BEST[1], BEST[0], *BEST[2:]]


def test_golden_numbers_of_graded_relevance() -> None:
    ideal = sum((2**gain - 1) / math.log2(at + 2) for at, gain in enumerate(BEST))
    assert round(ideal, 3) == 90.909
    assert value("ndcg.exp@10", BEST) == pytest.approx(1)
    assert round(value("ndcg.exp@10", SWAPPED), 3) == 0.946
    assert round(value("ndcg.exp@3", SWAPPED), 3) == 0.934
    worst = value("ndcg.exp@10", BEST[::-1])
    assert round(worst, 3) == 0.506


def test_chance_of_graded_relevance_over_every_order() -> None:
    """A random order of the ten has .698 and .399 (drawn by lot, others measured .698 and .398)."""
    told = one_query(BEST)
    assert round(measure("ndcg.exp@10").by_chance(told)[0], 3) == 0.698
    every = [value("ndcg.exp@3", list(order), []) for order in permutations(BEST[:5], 5)]
    small = measure("ndcg.exp@3").by_chance(one_query(BEST[:5]))[0]
    assert small == pytest.approx(float(np.mean(every)), abs=1e-12)
    assert measure("ndcg.exp@3").by_chance(told)[0] == pytest.approx(0.398, abs=0.001)


@pytest.mark.parametrize(
    ("name", "hits", "rest", "expected"),
    [
        ("ap.hits@3", [0, 0, 0], [1], 0),
        ("ap.hits@3.skip", [0, 0, 0], [1], math.nan),
        ("ap.hits@3.skip", [0, 1, 0], [1], 0.5),
        ("ap.k@3", [0, 0, 0], [1], 0),
        ("ap.rel@3", [0, 0, 0], [], 0),
        ("rr@3", [0, 0, 0], [1], 0),
        ("rr@3.skip", [0, 0, 0], [1], math.nan),
        ("rr@3.skip", [0, 0, 1], [1], 1 / 3),
        ("p@4", [1, 0], [], 0.25),
        ("p@3.cap", [1, 0, 1], [], 0.5),
        ("p@3.cap", [0, 0, 0], [], math.nan),
        ("p@3.cap", [0, 1, 1], [1, 1], 2 / 3),
        ("recall@2", [1, 0], [1, 1], 1 / 3),
        ("recall@2", [0, 0], [], math.nan),
        ("hit@2", [0, 1], [], 1),
        ("hit@1", [0, 1], [], 0),
        ("acg@2", [0.5, 1], [], 0.75),
        ("ndcg.lin@2", [0, 0], [], math.nan),
        ("ndcg.lin@2", [0, 1], [], 1 / math.log2(3)),
        # hits at ranks 1 and 3 of 4: ((1 + 1) / 2 + (1/2 + 2/3) / 2) / (2 + 1)
        ("ap.trap", [1, 0, 1, 0], [], (1 + 7 / 12) / 3),
        ("ap.trap", [0, 0], [], 0),
    ],
)
def test_definitions_by_hand(
    name: str, hits: list[float], rest: list[float], expected: float
) -> None:
    wide = [*hits, *[0.0] * (8 - len(hits))] if name == "p@4" else hits
    assert value(name, wide, rest) == pytest.approx(expected, nan_ok=True)


hit_lists = st.lists(st.integers(0, 1), min_size=1, max_size=12)


@settings(deadline=None, max_examples=150)
@given(hits=hit_lists, rest=st.lists(st.integers(0, 1), max_size=6), data=st.data())
def test_as_trec_eval_and_torchmetrics(
    hits: list[int], rest: list[int], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(hits)))
    every = [*hits, *rest]
    scores = torch.arange(len(every), 0, -1).float()
    target = torch.tensor(every)
    first = torch.where(torch.arange(len(every)) < len(hits), scores, scores - 100)

    def ours(name: str) -> float:
        return value(name, [float(h) for h in hits], [float(h) for h in rest])

    assert ours(f"p@{k}") == pytest.approx(
        float(retrieval_precision(first, target, top_k=k)), abs=1e-6
    )
    assert ours(f"rr@{k}") == pytest.approx(
        float(retrieval_reciprocal_rank(first, target, top_k=k)), abs=1e-6
    )
    assert ours(f"ap.hits@{k}") == pytest.approx(
        float(retrieval_average_precision(first, target, top_k=k)), abs=1e-6
    )
    if any(every):
        assert ours(f"recall@{k}") == pytest.approx(
            float(retrieval_recall(first, target, top_k=k)), abs=1e-6
        )
        names = {"map_cut", "recall", "P", "ndcg_cut", "success"}
        told = pytrec_eval.RelevanceEvaluator(
            {"q": {f"d{at}": hit for at, hit in enumerate(every)}},
            {f"{name}.{k}" for name in names},
        ).evaluate({"q": {f"d{at}": float(100 - at) for at in range(len(hits))}})["q"]
        assert ours(f"ap.rel@{k}") == pytest.approx(told[f"map_cut_{k}"], abs=1e-9)
        assert ours(f"recall@{k}") == pytest.approx(told[f"recall_{k}"], abs=1e-9)
        assert ours(f"p@{k}") == pytest.approx(told[f"P_{k}"], abs=1e-9)
        assert ours(f"ndcg.lin@{k}") == pytest.approx(told[f"ndcg_cut_{k}"], abs=1e-9)
        assert ours(f"hit@{k}") == pytest.approx(told[f"success_{k}"], abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(grades=st.lists(st.integers(0, 4), min_size=1, max_size=12), data=st.data())
def test_graded_relevance_as_torchmetrics(grades: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(grades)))
    scores = torch.arange(len(grades), 0, -1).float()
    if not any(grades):
        assert math.isnan(value(f"ndcg.exp@{k}", [float(g) for g in grades]))
        return
    linear = retrieval_normalized_dcg(scores, torch.tensor(grades).float(), top_k=k)
    exponential = retrieval_normalized_dcg(scores, 2.0 ** torch.tensor(grades) - 1, top_k=k)
    floats = [float(g) for g in grades]
    assert value(f"ndcg.lin@{k}", floats) == pytest.approx(float(linear), abs=1e-5)
    assert value(f"ndcg.exp@{k}", floats) == pytest.approx(float(exponential), abs=1e-5)


NAMES = ["p@3", "p@3.cap", "rr@3", "rr@3.skip", "hit@3", "recall@3", "ap.hits@3", "ap.k@3"]
NAMES += ["ap.rel@3", "ap.hits@3.skip", "ndcg.lin@3", "ndcg.exp@3", "acg@3", "ap.trap"]


def labels_by_lot(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    positives = random.random((count, 3)) < 0.4
    return positives, random.integers(0, 6, count), random.integers(-1, 3, count)


def rules(seed: int, count: int) -> list[Qrels]:
    positives, _, classes = labels_by_lot(count, seed)
    numbers = np.where(classes < 0, np.nan, classes.astype(np.float64))
    return [
        same(classes, "class"),
        shared(positives, "any"),
        shared(positives, "how many", counted=True),
        share_of_query(positives, "share"),
        has(positives[:, 0], "first"),
        as_near(numbers, 2.0, "near"),
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", range(6))
def test_chance_is_the_mean_over_random_orders(name: str, rule: int) -> None:
    """By drawing 4,000 orders for each query: within four standard errors."""
    count, draws = 9, 4000
    qrels = rules(rule, count)[rule]
    _, apart, _ = labels_by_lot(count, rule)
    random = np.random.default_rng(7)
    one = measure(name)
    for query in np.flatnonzero(qrels.asks)[:2]:
        may = np.flatnonzero((apart != apart[query]) & (np.arange(count) != query))
        if not len(may):
            continue
        orders = np.full((draws, count), NOBODY)
        orders[:, : len(may)] = random.permuted(np.tile(may, (draws, 1)), axis=1)
        run = Run(np.full(draws, query), orders, np.zeros((draws, count)))
        given_answers = answers(run, qrels, np.arange(count), apart=apart)
        scores, expected = one.scores(given_answers), one.by_chance(given_answers)[0]
        drawn = scores[~np.isnan(scores)]
        if not len(drawn):
            assert np.isnan(expected)
            continue
        error = 4 * drawn.std() / math.sqrt(len(drawn)) + 1e-9
        assert drawn.mean() == pytest.approx(expected, abs=error)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 500), rule=st.integers(0, 5), strata=st.booleans())
def test_what_was_to_be_found_by_counting(seed: int, rule: int, strata: bool) -> None:
    count = 14
    qrels = rules(seed, count)[rule]
    _, apart, codes = labels_by_lot(count, seed)
    used = codes if strata else None
    queries = np.flatnonzero(qrels.asks & ((codes >= 0) | (not strata)))
    run = Run(queries, np.full((len(queries), 3), NOBODY), np.zeros((len(queries), 3)))
    index = np.arange(0, count, 2)
    given_answers = answers(run, qrels, index, apart=apart, strata=used)
    discounts = 1 / np.log2(np.arange(2, 5))
    best = given_answers.best(qrels, discounts)
    for row, query in enumerate(queries):
        gains = [
            qrels.gains[qrels.kinds[query], qrels.kinds[at]]
            for at in index
            if apart[at] != apart[query] and (not strata or codes[at] == codes[query])
        ]
        assert given_answers.there.eligible[row] == len(gains)
        assert given_answers.there.relevant[row] == sum(gain > 0 for gain in gains)
        assert given_answers.there.mean_gain[row] == pytest.approx(np.mean(gains) if gains else 0)
        top = sorted(gains, reverse=True)[:3]
        assert best[row] == pytest.approx(
            sum(g * d for g, d in zip(top, discounts, strict=False)), abs=1e-12
        )


@pytest.mark.parametrize(
    "name", ["map@5", "p", "p@0", "ap.trap@5", "ap.hits", "p@5.skip", "rr@5.cap", "", "p@-1"]
)
def test_no_such_measure(name: str) -> None:
    with pytest.raises(MeasureError, match=r"there is no measure.*ap\.hits@K, ap\.hits@K\.skip"):
        measure(name)


def test_a_run_too_short() -> None:
    with pytest.raises(MeasureError, match="holds 2 ranks, 5 are asked for"):
        value("p@5", [1, 0])
    with pytest.raises(MeasureError, match="needs the whole ranking"):
        value("ap.trap", [1, 0], [1])


def test_grades_of_single_pairs() -> None:
    gains = np.array([[0, 3.0, 1], [3, 0, 2], [1, 2, 0]])
    run = Run(np.array([0]), np.array([[2, 1]]), np.zeros((1, 2)))
    told = answers(run, graded(gains, "reader"), np.arange(3), apart=np.arange(3))
    by_hand = (1 + 7 / math.log2(3)) / (7 + 1 / math.log2(3))
    assert measure("ndcg.exp@2").scores(told)[0] == pytest.approx(by_hand)
