"""What is wrong with a data set's files, said so that somebody can mend it."""

from collections.abc import Sequence

from evaluation.collection import SHOWN, CollectionError


class ReaderError(CollectionError):
    """A data set cannot be read; the message names file, line, column or image, and the remedy."""


def some(names: Sequence[object]) -> str:
    """The first few of many, for a message."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(str(name) for name in names[:SHOWN]) + more
