"""Which fold a patient is of: the same for every recipe, set and selection of images.

A network that is made of others must not have met, in one of them, a patient whom it is asked
about. So a fold follows from the patient and the seed alone, not from who else takes part.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def folds_of(patients: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """Each patient's fold, from 0, by lot; about as many patients are of each."""
    found = {one: _drawn(one, seed) % folds for one in set(patients)}
    return np.array([found[one] for one in patients], np.int64)


def _drawn(patient: str, seed: int) -> int:
    digest = hashlib.sha256(f"{seed} {patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
