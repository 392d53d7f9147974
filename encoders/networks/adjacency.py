"""Which regions are neighbours, as networks of regions take it: a matrix of 0 and 1."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from encoders.encoder import EncoderError


def checked(rows: Sequence[Sequence[int]] | None, regions: int) -> Tensor:
    """The matrix of a network's config, int64, shape (regions, regions).

    Args:
        rows: row i has 1 where a region is a neighbour of region i.
        regions: how many the network has.

    Raises:
        EncoderError: there is none, or it has another shape, other numbers, a region that is no
            neighbour of its own, or two of which only one is the other's.
    """
    remedy = "make one of the training findings (encoders.regions.jaccard) or boxes (touching)"
    if rows is None:
        raise EncoderError(f"a handcrafted graph needs config['neighbours']; {remedy}")
    if len(rows) != regions or {len(row) for row in rows} != {regions}:
        raise EncoderError(f"config['neighbours'] is not {regions} x {regions}; {remedy}")
    found = np.array(rows)
    if not np.isin(found, (0, 1)).all():
        raise EncoderError(f"config['neighbours'] has other numbers than 0 and 1; {remedy}")
    if not np.diagonal(found).all():
        raise EncoderError("config['neighbours']: each region is its own neighbour; set it to 1")
    if not (found == found.T).all():
        raise EncoderError("config['neighbours'] is not symmetric; neighbours are each other's")
    return torch.tensor(found.astype(np.int64))


def normalised(adjacency: Tensor) -> Tensor:
    """D^-1/2 A D^-1/2 (Kipf and Welling, ICLR 2017, eq. 2), float32, the same shape.

    Args:
        adjacency: A with ones on its diagonal, shape (regions, regions); D has its rows' sums.
    """
    scale = adjacency.float().sum(dim=1).rsqrt()
    return scale[:, None] * adjacency * scale[None, :]
