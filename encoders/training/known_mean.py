"""Means over targets of which some are not known."""

from torch import Tensor


def mean_of_known(each: Tensor, known: Tensor) -> Tensor:
    """The mean where ``known``; 0 where nothing is."""
    return (each * known).sum() / known.sum().clamp(min=1)
