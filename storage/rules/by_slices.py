"""The second stage: of the nearest CT and MR studies, the order by the likeness of their slices.

Its rules are described in docs/volume-search.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage import slices
from storage.answer import SecondStage
from storage.late_interaction import places_by_score, scores
from storage.rules.question import Question
from storage.rules.rows import Found


def second_stage(
    connection: Connection, question: Question, found: Sequence[Found], *, most: int
) -> tuple[list[Found], SecondStage | None]:
    """The first ``most`` studies in the order of their slices, the others as they were.

    Slices compare within a modality group: those of all series of the question with those of all
    series of the study. Where there are several groups, or studies that are asked with, the best
    score counts. A question that marks have moved keeps its order, for slices know nothing of
    them.

    Args:
        connection: to the database that has the sets.
        question: whose images carry their slices, or whose studies have sets in the database.
        found: the first stage's studies in its order.
        most: 0 where no second stage is wanted.

    Returns:
        The studies, and what was compared; None for the latter where nothing was to be.
    """
    if not most or question.is_moved:
        return list(found), None
    compared = list(found[:most])
    rows = [entry.study.id for entry in compared]
    best: dict[int, float] = {}
    count = 0
    for group, own in _own_slices(connection, question):
        count += len(own)
        others = slices.of_studies(
            connection, rows, space_id=question.space.id, modality_group=group
        )
        for study, score in scores(own, others).items():
            best[study] = max(score, best.get(study, score))
    told = [replace(entry, by_slices=best.get(entry.study.id)) for entry in compared]
    order = places_by_score([(e.study.id, e.study.study_instance_uid) for e in told], best)
    stage = SecondStage(slices=count, studies=len(told) if count else 0, with_slices=len(best))
    return [*(told[at] for at in order), *found[most:]], stage


def _own_slices(
    connection: Connection, question: Question
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The slices of each study that is asked with, by modality group."""
    for group in question.by_group():
        given = [i.slices for i in question.images if i.group == group and i.slices is not None]
        if given:
            yield group, np.concatenate(given)
        others = [study.id for study in question.studies[1 if given else 0 :]]
        sets = slices.of_studies(
            connection, others, space_id=question.space.id, modality_group=group
        )
        for _, of_study in groupby(sets, key=itemgetter(0)):
            yield group, np.concatenate([own for _, own in of_study])
