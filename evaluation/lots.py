"""Numbers as if drawn by lot, one for each query and image, by which ties are broken.

The order of a collection often goes by class, patient or scanner. If it decided between images that
are equally near, an encoder that sees nothing would answer all questions by the same class, and
score above or below chance by that. So each question has an order of its own.
"""

import numpy as np
from numpy.typing import NDArray

from evaluation.collection import Positions

Lots = NDArray[np.uint64]
_STEP = np.uint64(0x9E3779B97F4A7C15)


def lots(seed: int, queries: Positions, images: Positions) -> Lots:
    """The same for the same seed, query and image, whatever else is asked.

    SplitMix64 (Steele, Lea and Flood 2014) of the seed's, the query's and the image's number.

    Args:
        seed: at least 0.
        queries: positions in the collection, shape (queries,).
        images: positions, shape (images,) or each query's own, (queries, images).

    Returns:
        Shape (queries, images); the lesser comes first.
    """
    begun = _mixed(np.full(1, seed, np.uint64) + _STEP)
    of_query = _mixed(begun + (queries.astype(np.uint64) + np.uint64(1)) * _STEP)
    return _mixed(of_query[:, None] + (images.astype(np.uint64) + np.uint64(1)) * _STEP)


def _mixed(numbers: Lots) -> Lots:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
