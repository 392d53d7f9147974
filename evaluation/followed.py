"""Answers that are deep enough for their intervals: somebody follows whoever is left out."""

import numpy as np

from evaluation.collection import Codes
from evaluation.nearest import NOBODY, Neighbourhood, Run
from evaluation.scores import FOLLOWING

DEEPER = 4
MOST = 96
"""Ranks beyond those that are measured; with them a list is still narrowed, not made anew."""


def followed(
    neighbourhood: Neighbourhood,
    k: int,
    patients: Codes,
    *,
    apart: Codes,
    strata: Codes | None = None,
) -> Run:
    """The nearest of each query, so many that k are left whichever patient is left out.

    A patient with many images alike, such as the slices of a series, fills whole lists; they are
    made deeper, up to MOST beyond k. Of a list that he fills even then too few are left without
    him, so that the interval reaches lower than it must.

    Args:
        neighbourhood: of the queries.
        k: how many ranks are measured.
        patients: a number for each image.
        apart: as for `Neighbourhood.nearest`.
        strata: the same.
    """
    following = FOLLOWING
    while True:
        run = neighbourhood.nearest(k + following, apart=apart, strata=strata)
        if following >= MOST or not _filled_by_one(run, patients, following):
            return run
        following = min(DEEPER * following, MOST)


def _filled_by_one(run: Run, patients: Codes, following: int) -> bool:
    """Whether a patient has more of a list than may be left out; a list with an end has all."""
    open_ended = run.neighbours[:, -1] != NOBODY
    who = np.sort(patients[run.neighbours[open_ended]], axis=1)
    return bool((who[:, following:] == who[:, :-following]).any())
