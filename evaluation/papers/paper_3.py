"""Paper 3: rankings of a small catalogue against a radiologist's own."""

from collections.abc import Iterator, Sequence

import numpy as np

from evaluation.collection import Collection
from evaluation.evaluating import System
from evaluation.figures import figure
from evaluation.grades import Grades, judged
from evaluation.papers.declared import declared
from evaluation.papers.named_table import Line, Outcome, Terms
from evaluation.systems.pairwise import ByVector, Scorer, ranked
from evaluation.systems.ssim import read_for_ssim

MEASURES = ("ndcg.exp@10", "ndcg.exp@3")
DEPTH = 10


def _ndcg(collection: Collection, systems: Sequence[System], terms: Terms) -> Outcome:
    truth = terms.graded()
    apart, patients = terms.rules().kept_apart(collection), collection.patient_codes()
    queries = truth.queries
    catalogues = [truth.catalogue(query) for query in queries.tolist()]
    lines: list[Line] = []
    for scorer in _scorers(collection, systems, truth, terms):
        run = ranked(
            scorer,
            queries,
            catalogues,
            DEPTH,
            apart=apart,
            progress=terms.progress,
            seed=terms.seed,
        )
        for name in MEASURES:
            scores = judged(run, truth, name, apart, patients)
            found = figure(scores, seed=terms.seed, draws=terms.draws)
            lines.append(Line(scorer.name, truth.name, "", found))
    lost = sum(
        int((apart[one] == apart[query]).sum())
        for query, one in zip(queries, catalogues, strict=True)
    )
    graded = sum(len(one) for one in catalogues)
    told = f"{len(queries)} queries, {graded} images in their catalogues"
    left = f"{lost} graded images are of the query's own patient, and left out"
    ssim = () if collection.paths else ("SSIM needs the image files, and is left out",)
    return Outcome(tuple(lines), (told, left, *ssim))


def _scorers(
    collection: Collection, systems: Sequence[System], truth: Grades, terms: Terms
) -> Iterator[Scorer]:
    """Yield the systems, then SSIM where there are images, then other readers."""
    yield from (ByVector.of(system) for system in systems)
    if collection.paths:
        needed = np.concatenate([truth.queries, *map(truth.catalogue, truth.queries.tolist())])
        yield read_for_ssim(collection, np.unique(needed), terms.progress)
    yield from terms.others


TABLES = declared(3, {"papers/3-ndcg": _ndcg})
