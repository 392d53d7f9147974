"""Named tables: those of the five papers that need no more than an encoder and labels."""

from evaluation.papers import paper_1, paper_2, paper_3, paper_4, paper_5
from evaluation.papers.named_table import NamedTable

TABLES: dict[str, NamedTable] = {
    one.id: one for paper in (paper_1, paper_2, paper_3, paper_4, paper_5) for one in paper.TABLES
}
"""By id, in the papers' order."""


class UnknownTableError(ValueError):
    """There is no table of this name; the message names those there are."""


def table(name: str) -> NamedTable:
    """A table by its id, such as ``papers/2-table2``.

    Raises:
        UnknownTableError: there is none.
    """
    if name not in TABLES:
        raise UnknownTableError(f"there is no table {name!r}; there are {', '.join(TABLES)}")
    return TABLES[name]
