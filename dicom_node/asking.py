"""What every question needs: the space that answers, and its index."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy.engine import Connection

from dicom_node import index_kinds
from dicom_node.settings import Settings
from storage import search, spaces
from storage.answer import SpaceSummary
from storage.searchable import Searchable
from storage.spaces import KnownSpace


def space_in_use(connection: Connection) -> SpaceSummary:
    """The space that answers.

    Raises:
        SearchError: nothing was ever indexed here.
    """
    return known_space_in_use(connection).summary


def known_space_in_use(connection: Connection) -> KnownSpace:
    """The same, with how its encoder is made.

    Raises:
        SearchError: nothing was ever indexed here.
    """
    return indexed(spaces.known_in_use(connection))


def indexed(known: KnownSpace | None) -> KnownSpace:
    """The space in use, where there is one.

    Raises:
        SearchError: nothing was ever indexed here.
    """
    if known is None:
        raise search.SearchError("nothing is indexed yet: start the node with `likeness serve`")
    return known


@contextmanager
def read_only_index(
    connection: Connection, settings: Settings, space: SpaceSummary
) -> Iterator[Searchable]:
    """The index for a reader beside its owner, for one question on this connection."""
    with closing(index_kinds.reader(settings, space)) as reader:
        yield reader.now(connection)
