"""A figure among those of a judgement."""

from evaluation.evaluating import Judgement
from evaluation.figures import Figure


def figure_of(judgement: Judgement, part: str, measure: str, mean: str = "micro") -> Figure:
    """That of a part and measure over all queries, by one kind of mean."""
    [found] = [
        row.figure
        for row in judgement.rows
        if (row.part, row.group, row.figure.measure, row.figure.mean) == (part, "", measure, mean)
    ]
    return found
