"""How widely a store's graph is searched: measured once it is built, and widened until it suffices.

The breadth stands in the store's mark, where all nodes that search find it.
"""

import logging

from sqlalchemy import Engine

from storage.recall import Questions
from storage.stores.store import Measured, Store
from storage.stores.stored_index import StoredIndex
from storage.stores.writer_lock import writing_alone
from storage.vectors.approximate import PROMISED_RECALL, TARGET_RECALL
from storage.vectors.choice import Kind

log = logging.getLogger(__name__)

GROWN = 2
"""A graph is measured anew once it holds so many times the vectors that it was measured with."""


def must_be_measured(store: Store, measured: Measured, count: int) -> bool:
    """Whether nobody knows what a store's graph of ``count`` vectors finds."""
    return store.choice.kind is not Kind.EXACT and count >= GROWN * max(1, measured.count)


def tune(engine: Engine, store: Store, index: StoredIndex) -> Measured:
    """Measures what a graph finds, and doubles the breadth of its search until that is enough.

    All vectors are read once. What is found is logged, as an error with the remedy where it is less
    than we promise.

    Raises:
        StoreError: the store cannot be used.
        DBAPIError: the database does not answer, or somebody is writing to the store for long.
    """
    frozen = index.frozen()
    questions = Questions(frozen)
    first, most = store.breadths
    breadth = store.mark().measured.breadth or first
    while True:
        _keep(engine, store, index.space_id, Measured(breadth))
        recall = questions.found_by(frozen)
        if recall >= TARGET_RECALL or breadth >= most:
            break
        breadth = min(2 * breadth, most)
    measured = Measured(breadth, recall, store.count())
    _keep(engine, store, index.space_id, measured)
    tell(index.space_id, measured)
    return measured


def tell(space_id: str, measured: Measured) -> None:
    """Logs what was measured."""
    said = (
        f"the graph of space {space_id} finds {measured.recall:.1%} of the ten nearest with "
        f"{measured.count} vectors and a breadth of {measured.breadth}"
    )
    if measured.recall >= PROMISED_RECALL:
        log.info(said)
        return
    log.error(
        "%s, which is as wide as it can be searched, and less than the %.0f %% that are promised: "
        "set index.store_search = 'exact', which finds all",
        said,
        100 * PROMISED_RECALL,
    )


def _keep(engine: Engine, store: Store, space_id: str, measured: Measured) -> None:
    with writing_alone(engine, space_id, wait=True):
        store.keep_measured(measured)
