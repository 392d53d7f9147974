"""Studies in the order in which a region grows from the question (``storage.communities``).

Its rules are described in docs/search-rules.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice, zip_longest

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from storage.answer import ByCommunities
from storage.communities.searching import CommunityIndex
from storage.rules.question import QueryImage, Question
from storage.rules.rows import Found, Left, comparable, compared
from storage.searchable import Searchable

AT_ONCE = 64
"""Images that are looked up together."""


def grown_studies(
    connection: Connection,
    index: Searchable,
    communities: CommunityIndex,
    question: Question,
    *,
    left: Mapping[str, Left],
) -> tuple[list[Found], ByCommunities]:
    """The first k studies that a region grows to, and how; the nearest follow where it cannot.

    Vectors that are not left are as if they were not in the graph: those of the same patients, of
    other modality groups, retired ones and what filters leave out. Each image of the question has
    an order of its own; of several the first studies come first, then the second ones, each rank by
    score, and a study stands where it comes first, by the pair of images that brought it there.

    Args:
        connection: to the database that says who may be a hit.
        index: up to date with it; similarities are those of its vectors.
        communities: of the same space, perhaps of an earlier day.
        question: whose images ask.
        left: by modality group who may be a hit.
    """
    excluded = {group: np.setdiff1d(communities.keys, left[group].ids) for group in left}
    orders = [
        _order(connection, index, communities, question, image, excluded[image.group])
        for image in question.all_images
    ]
    told = ByCommunities(
        method=str(communities.partition.method),
        edges=sum(
            communities.count_edges(image.sought, excluded[image.group].tolist())
            for image in question.all_images
        ),
        vectors=communities.count,
        not_held=sum(len(np.setdiff1d(some.ids, communities.keys)) for some in left.values()),
    )
    return _first(orders, question.k), told


def _first(orders: list[Iterator[Found]], most: int) -> list[Found]:
    """The first studies of several orders, rank by rank."""
    found: dict[int, Found] = {}
    for rank in zip_longest(*orders):
        for entry in sorted((entry for entry in rank if entry is not None), key=Found.order):
            found.setdefault(entry.study.id, entry)
        if len(found) >= most:
            break
    return list(found.values())[:most]


def _order(
    connection: Connection,
    index: Searchable,
    communities: CommunityIndex,
    question: Question,
    image: QueryImage,
    excluded: NDArray[np.int64],
) -> Iterator[Found]:
    """The studies in the order of one image of the question, each once."""
    seen: set[int] = set()
    grown = communities.each(image.sought, excluded.tolist())
    while some := list(islice(grown, AT_ONCE)):
        others = comparable(connection, index, question, image.group, [one.key for one in some])
        for one in some:
            other = others.get(one.key)
            if other is not None and other.study.id not in seen:
                seen.add(other.study.id)
                yield replace(compared(image, other), way=one.way)
