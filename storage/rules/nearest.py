"""The first stage: studies by their best image, the index's shortlists widened until certain."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy.engine import Connection

from storage.rules.question import QueryImage, Question, some_at_a_time
from storage.rules.rows import Found, Left, comparable, compared, ids_of_group
from storage.rules.searched import count_all_images, count_images
from storage.searchable import Searchable
from storage.vectors.segment import Ids, Neighbour

SHORTLIST = 64
IMAGES_AT_ONCE = 64
"""Images of a question that are searched with together: one pass over the index for all."""
SMALL_GROUP = 20_000
"""The ids of so many images are fetched, rather than widen a shortlist through all other ones."""
ROUNDING = 1e-12
"""The index sums the same products in double precision as we do, in another order. Two such sums
of n products of unit vectors differ by less than n * 2**-52 (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, 3.1): by less than this up to 4,500 dimensions."""


def nearest_studies(
    connection: Connection,
    index: Searchable,
    question: Question,
    *,
    wanted: int,
    left: Mapping[str, Left] | None,
) -> list[Found]:
    """The studies found, each once, the best first; the first ``wanted`` are certain.

    Args:
        connection: to the database that says who may be a hit.
        index: of the question's space.
        question: whose images are searched with.
        wanted: at least 1.
        left: by modality group what filters leave, None without filters. It is searched exactly,
            so that a rare combination is found however far down it stands.
    """
    return best_by_study(
        _by_images(connection, index, question, images, wanted, among)
        for group, all_of in question.by_group().items()
        for among in [_if_small(connection, question, group) if left is None else left[group].ids]
        for images in some_at_a_time(all_of, IMAGES_AT_ONCE)
    )


def _if_small(connection: Connection, question: Question, group: str) -> Ids | None:
    """The ids of a modality group that is a small part of an archive; None of any other.

    The first mammogram among a million CT is unlike all of them: without this its k nearest
    mammograms would be looked for through everything.
    """
    space_id = question.space.id
    images = count_images(connection, space_id=space_id, group=group)
    if images > SMALL_GROUP or 2 * images > count_all_images(connection, space_id=space_id):
        return None
    return ids_of_group(connection, space_id, group)


def best_by_study(found: Iterable[Iterable[Found]]) -> list[Found]:
    """Each study once, by its best image."""
    best: dict[int, Found] = {}
    for images in found:
        for entry in images:
            known = best.get(entry.study.id)
            if known is None or entry.score > known.score:
                best[entry.study.id] = entry
    return sorted(best.values(), key=Found.order)


def _by_images(
    connection: Connection,
    index: Searchable,
    question: Question,
    images: Sequence[QueryImage],
    wanted: int,
    among: Ids | None,
) -> list[Found]:
    """At least the best ``wanted`` studies for each of some images of one modality group."""
    length = max(SHORTLIST, 4 * wanted)
    found: list[list[Found]] = []
    while images:
        sought = np.stack([image.sought for image in images])
        lists = index.search_each(sought, length, among=among)
        keys = {neighbour.key for neighbours in lists for neighbour in neighbours}
        others = comparable(connection, index, question, images[0].group, keys)
        widened = []
        for image, neighbours in zip(images, lists, strict=True):
            pairs = (compared(image, others[n.key]) for n in neighbours if n.key in others)
            best = best_by_study([pairs])
            found.append(best)
            if len(neighbours) == length and not _is_certain(best, wanted, neighbours[-1]):
                widened.append(image)
        images, length = widened, 4 * length
    return best_by_study(found)


def _is_certain(best: Sequence[Found], wanted: int, last: Neighbour) -> bool:
    """Whether nothing beyond the shortlist's last entry can be among the ``wanted`` best."""
    beyond = 1.0 - last.distance + ROUNDING
    return len(best) >= wanted and best[wanted - 1].score > beyond
