"""A store in the archive's own database: pgvector's type, operators and graph.

Each space has a table in a schema of its own; its mark is written in the transaction that changes
the vectors. Vectors of unit length are compared by inner product, which is what our cosine
distance is, and costs less than pgvector's cosine.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Engine,
    Float,
    Insert,
    LargeBinary,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    func,
    literal,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage.answer import SpaceSummary
from storage.bounded_connection import Limits
from storage.database import beside
from storage.outages import StoreError, first_line
from storage.stores.pgvector_tables import NEW, OPERATORS, SCHEMA, Tables, must_fit
from storage.stores.pgvector_type import as_text, from_sent
from storage.stores.store import (
    ALL_THERE_IS,
    Mark,
    Measured,
    Shortlisted,
    least_left_out,
    longest_of,
    must_not_be_codes,
)
from storage.vectors.choice import Choice, Kind, Precision
from storage.vectors.engine import UNKNOWN
from storage.vectors.metric import Metric, Vectors
from storage.vectors.segment import Ids

BREADTH = 200
MOST_BREADTH = 1000
"""``hnsw.ef_search``: ours, and the most that pgvector takes."""
COARSE_FACTOR = 4
"""How many times k is shortlisted along a graph in half precision."""
CONNECTIONS = 9
BUILDING = Limits(statement_s=7 * 86_400.0, lock_s=300.0)
EMPTYING_S = 2.0
"""So long searches wait at most behind us, while we wait for who reads the table."""
_LOCK_NOT_AVAILABLE = "55P03"
_READ_AT_ONCE = 4096
_WRITTEN_AT_ONCE = 1000


class PgVectorStore:
    """See ``Store``.

    Args:
        engine: on the archive's database; a pool of the store's own is opened beside it.
        space: whose vectors it holds.
        choice: exact in single precision, or a graph in single or half.

    Raises:
        StoreError: the server has no pgvector, or lets us not make the table; or pgvector cannot
            hold such vectors.
    """

    def __init__(self, engine: Engine, space: SpaceSummary, choice: Choice) -> None:
        self._metric = Metric(space.metric)
        must_not_be_codes(self._metric)
        must_fit(space.dimension, choice)
        self._choice = choice
        self._space = space
        self._tables = Tables(space, choice)
        self._table, self._marks = self._tables.vectors, self._tables.marks
        self._engine = beside(engine, connections=CONNECTIONS)
        try:
            with self._connected() as connection:
                self._tables.make(connection)
        except StoreError:
            self._engine.dispose()
            raise

    @property
    def choice(self) -> Choice:
        """See ``Store``."""
        return self._choice

    @property
    def most(self) -> int:
        """See ``Store``."""
        return 1 << 31

    def close(self) -> None:
        """See ``Store``."""
        self._engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with _explained(), self._engine.begin() as connection:
            yield connection

    @property
    def breadths(self) -> tuple[int, int]:
        """See ``Store``."""
        return BREADTH, MOST_BREADTH

    @property
    def filters(self) -> bool:
        """See ``Store``: what a filter leaves is looked at row by row."""
        return True

    def mark(self) -> Mark:
        """See ``Store``."""
        with self._connected() as connection:
            return self._mark(connection)

    def _mark(self, connection: Connection) -> Mark:
        found = connection.execute(select(self._marks).where(self._tables.is_mine)).one_or_none()
        if found is None:
            return Mark()
        measured = Measured(found.breadth, found.recall, found.measured)
        return Mark(found.watermark, found.longest, measured, found.held)

    def is_whole(self) -> bool:
        """See ``Store``; in one statement, which sees one state of both."""
        count = select(func.count()).select_from(self._table).scalar_subquery()
        with self._connected() as connection:
            found = connection.execute(
                select(self._marks.c.held == count).where(self._tables.is_mine)
            )
            return bool(found.scalar_one_or_none())

    def keep_measured(self, measured: Measured) -> None:
        """See ``Store``."""
        kept = {
            "breadth": measured.breadth,
            "recall": measured.recall,
            "measured": measured.count,
        }
        with self._connected() as connection:
            connection.execute(update(self._marks).where(self._tables.is_mine).values(**kept))

    def count(self) -> int:
        """See ``Store``."""
        with self._connected() as connection:
            return connection.execute(select(func.count()).select_from(self._table)).scalar_one()

    def ids(self) -> Ids:
        """See ``Store``."""
        with self._connected() as connection:
            found = connection.execute(select(self._table.c.id)).scalars()
            return np.sort(np.fromiter(found, np.int64))

    def standing(self, ids: Ids) -> Ids:
        """See ``Store``."""
        with self._connected() as connection:
            found = connection.execute(select(self._table.c.id).where(self._among(ids))).scalars()
            return np.sort(np.fromiter(found, np.int64))

    def vectors(self, ids: Ids) -> tuple[Ids, Vectors]:
        """See ``Store``."""
        wanted = np.unique(ids)
        rows: list[Any] = []
        with self._connected() as connection:
            for at in range(0, len(wanted), _READ_AT_ONCE):
                part = wanted[at : at + _READ_AT_ONCE]
                rows += connection.execute(
                    select(self._table.c.id, self._sent(self._table.c.vector))
                    .where(self._among(part))
                    .order_by(self._table.c.id)
                ).all()
        return self._read(rows)

    def change(self, *, left: Ids, ids: Ids, vectors: Vectors, watermark: int) -> None:
        """See ``Store``; all of it in one transaction."""
        table, marks = self._table, self._marks
        with self._connected() as connection:
            gone = connection.execute(delete(table).where(self._among(np.union1d(left, ids))))
            for at in range(0, len(ids), _WRITTEN_AT_ONCE):
                some = slice(at, at + _WRITTEN_AT_ONCE)
                connection.execute(
                    self._insert, {"ids": ids[some].tolist(), "vectors": _texts(vectors[some])}
                )
            connection.execute(
                update(marks)
                .where(self._tables.is_mine)
                .values(
                    watermark=watermark,
                    longest=func.greatest(marks.c.longest, longest_of(vectors)),
                    held=marks.c.held + len(ids) - gone.rowcount,
                )
            )

    def empty(self) -> None:
        """See ``Store``.

        Where somebody reads the table for long (a backup), its rows are deleted one by one, and
        its graph stays: searches would wait behind us while we waited.
        """
        with self._patiently() as connection:
            if not self._is_emptied_at_once(connection):
                connection.execute(delete(self._table))
            connection.execute(update(self._marks).where(self._tables.is_mine).values(**NEW))

    def _is_emptied_at_once(self, connection: Connection) -> bool:
        table = connection.dialect.identifier_preparer.format_table(self._table)
        try:
            with connection.begin_nested():
                wait = select(func.set_config("lock_timeout", f"{round(1000 * EMPTYING_S)}", True))
                connection.execute(wait)
                connection.execute(text(f"TRUNCATE {table}"))
                for graph in self._tables.graphs(connection):
                    graph.drop(connection)  # to fill a table without is ten times as fast
        except DBAPIError as fault:
            if getattr(fault.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
                raise
            return False
        return True

    def drop(self) -> None:
        """See ``Store``."""
        with self._connected() as connection:
            self._table.drop(connection, checkfirst=True)
            connection.execute(delete(self._marks).where(self._tables.is_mine))

    def build(self) -> None:
        """See ``Store``."""
        for step in (self._tables.build, self._tables.drop_others):  # see what the second locks
            with self._patiently() as connection:
                name = func.hashtext(self._table.name)
                connection.execute(select(func.pg_advisory_xact_lock(name)))
                step(connection)

    @contextmanager
    def _patiently(self) -> Iterator[Connection]:
        """A connection for what may take hours."""
        patient = beside(self._engine, connections=3, limits=BUILDING)
        try:
            with _explained(), patient.begin() as connection:
                yield connection
        finally:
            patient.dispose()

    @property
    def _insert(self) -> Insert:
        """psycopg2 cannot COPY where its waits are bounded (``storage.bounded_connection``)."""
        new = select(
            func.unnest(bindparam("ids", type_=ARRAY(BigInteger))),
            cast(func.unnest(bindparam("vectors", type_=ARRAY(Text))), self._tables.vector),
        )
        return insert(self._table).from_select(["id", "vector"], new)

    def nearest(self, queries: Vectors, k: int, among: Ids | None) -> list[Shortlisted]:
        """See ``Store``.

        A graph loses what a filter leaves, so what there is to choose from is looked at row by row.
        """
        with self._connected() as connection:
            mark = self._mark(connection)
            exact = self._choice.kind is Kind.EXACT or among is not None
            return [
                (exact and self._exactly(connection, query, k, among, mark))
                or self._by_graph(connection, query, k, mark)
                for query in queries
            ]

    def _exactly(
        self, connection: Connection, query: Vectors, k: int, among: Ids | None, mark: Mark
    ) -> Shortlisted:
        score = self._score(query)
        # a sum, so that no index on the operator is used
        chosen = select(self._table, score.label("score")).order_by(literal_column("0") + score)
        if among is not None:
            chosen = chosen.where(self._among(among))
        ids, vectors, scores = self._asked(connection, chosen.limit(k))
        if len(ids) < k:
            return Shortlisted(ids, vectors, ALL_THERE_IS)
        farthest = scores.max() + (1.0 if self._metric is Metric.COSINE else 0.0)
        bound = least_left_out(self._metric, query, mark.longest, farthest)
        return Shortlisted(ids, vectors, bound)

    def _by_graph(self, connection: Connection, query: Vectors, k: int, mark: Mark) -> Shortlisted:
        coarse = self._choice.precision is not Precision.FP32
        wanted = COARSE_FACTOR * k if coarse else k
        if wanted > MOST_BREADTH:
            return self._exactly(connection, query, k, None, mark)
        breadth = str(max(mark.measured.breadth or BREADTH, wanted))
        connection.execute(select(func.set_config("hnsw.ef_search", breadth, True)))
        near = self._tables.compared().op(OPERATORS[self._metric])
        kind = self._tables.half if coarse else self._tables.vector
        score = near(cast(literal(as_text(query), Text), kind))
        chosen = select(self._table, score.label("score")).order_by(score).limit(wanted)
        ids, vectors, _ = self._asked(connection, chosen)
        if len(ids) < wanted:  # there are no more, or the graph lost some
            return self._exactly(connection, query, k, None, mark)
        return Shortlisted(ids, vectors, UNKNOWN)

    def _asked(
        self, connection: Connection, chosen: Select[Any]
    ) -> tuple[Ids, Vectors, NDArray[np.float64]]:
        """The rows are read after the last of them is known: no others are taken out of TOAST."""
        short = chosen.subquery()
        rows = connection.execute(
            select(short.c.id, self._sent(short.c.vector), short.c.score)
        ).all()
        ids, vectors = self._read(rows)
        return ids, vectors, np.array([row.score for row in rows], np.float64)

    def _score(self, query: Vectors) -> ColumnElement[Any]:
        operator = self._table.c.vector.op(OPERATORS[self._metric], return_type=Float())
        return operator(cast(literal(as_text(query), Text), self._tables.vector))

    def _among(self, ids: Ids) -> ColumnElement[bool]:
        # as one text: to parse an ARRAY[…] of a million elements takes seconds
        listed = literal("{" + ",".join(map(str, ids.tolist())) + "}", Text)
        return self._table.c.id == func.any(cast(listed, ARRAY(BigInteger)))

    def _sent(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.vector_send(column, type_=LargeBinary).label("sent")

    def _read(self, rows: Sequence[Any]) -> tuple[Ids, Vectors]:
        vectors = np.empty((len(rows), self._space.dimension), np.float32)
        for number, row in enumerate(rows):
            vectors[number] = from_sent(row.sent)
        return np.array([row.id for row in rows], np.int64), vectors


def _texts(vectors: Vectors) -> list[str]:
    return [as_text(vector) for vector in vectors]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeoutError) as fault:
        raise StoreError(
            f"the vectors that pgvector keeps cannot be used: {first_line(fault)}. Where the table "
            f"is gone or is not ours to use (schema {SCHEMA}), `likeness reindex` fills it anew"
        ) from fault
