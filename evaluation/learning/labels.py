"""Which images are known to show nothing of what a collection looks for."""

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import NEGATIVE, POSITIVE, Collection

NO_FINDING = "No Finding"


def without_findings(collection: Collection) -> NDArray[np.bool_]:
    """Images of which it is known that they have none of the collection's labels."""
    if NO_FINDING in collection.label_names:
        return np.asarray(collection.label(NO_FINDING) == POSITIVE)
    return np.asarray((collection.states == NEGATIVE).all(axis=1))
