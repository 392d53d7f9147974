"""The table of a space's vectors in PostgreSQL, its mark and its graph: how they are made."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    cast,
    delete,
    inspect,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateSchema

from storage.answer import SpaceSummary
from storage.outages import StoreError
from storage.stores.pgvector_extension import must_have_extension
from storage.stores.pgvector_type import Vector
from storage.stores.store import name_of
from storage.vectors.approximate import HNSW_BUILD, HNSW_LINKS
from storage.vectors.choice import Choice, Kind, Precision
from storage.vectors.metric import Metric

SCHEMA = "likeness_vectors"
MOST_DIMENSIONS = 16_000
MOST_IN_GRAPH = {Precision.FP32: 2000, Precision.FP16: 4000}
"""What pgvector's types and its HNSW index hold."""
FITS_IN_PAGE = 1900
"""Up to so many dimensions rows lie in the table's own pages, which are read five times as fast as
those that PostgreSQL puts aside (TOAST)."""
OPERATORS = {Metric.COSINE: "<#>", Metric.INNER_PRODUCT: "<#>", Metric.L2: "<->"}
_CLASSES = {Metric.COSINE: "ip", Metric.INNER_PRODUCT: "ip", Metric.L2: "l2"}
UNMEASURED: dict[str, Any] = {"breadth": 0, "recall": 0.0, "measured": 0}
NEW: dict[str, Any] = {"watermark": 0, "longest": 0.0, "held": 0, **UNMEASURED}
"""The mark of an empty table."""


class Tables:
    """A space's table, and its row in ``marks``."""

    def __init__(self, space: SpaceSummary, choice: Choice) -> None:
        self._space = space
        self._choice = choice
        self.vector = Vector(space.dimension)
        self.half = Vector(space.dimension, "halfvec")
        made = MetaData(schema=SCHEMA)
        self.marks = Table(
            "marks",
            made,
            Column("name", Text, primary_key=True),
            Column("space_id", Text, nullable=False),
            Column("watermark", BigInteger, nullable=False),
            Column("longest", Float, nullable=False),
            Column("breadth", Integer, nullable=False),
            Column("recall", Float, nullable=False),
            Column("measured", BigInteger, nullable=False),
            Column("held", BigInteger, nullable=False),
        )
        self.vectors = Table(
            name_of(space.id),
            made,
            Column("id", BigInteger, primary_key=True, autoincrement=False),
            Column("vector", self.vector, nullable=False),
        )
        self.is_mine = self.marks.c.name == self.vectors.name

    def make(self, connection: Connection) -> None:
        """Makes them where there are none; StoreError where there is no pgvector."""
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('likeness_vectors'))"))
        must_have_extension(connection)
        connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
        self.marks.create(connection, checkfirst=True)
        if not inspect(connection).has_table(self.vectors.name, SCHEMA):
            self._make_empty(connection)
        connection.execute(
            insert(self.marks)
            .values(name=self.vectors.name, space_id=self._space.id, **NEW)
            .on_conflict_do_nothing()
        )

    def _make_empty(self, connection: Connection) -> None:
        # somebody may have dropped a table, and left the mark of what was in it
        connection.execute(delete(self.marks).where(self.is_mine))
        self.vectors.create(connection)
        if self._space.dimension <= FITS_IN_PAGE:  # here only, for searches wait meanwhile
            table = connection.dialect.identifier_preparer.format_table(self.vectors)
            connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN vector SET STORAGE PLAIN"))

    def build(self, connection: Connection) -> None:
        """Makes the graph that is wanted; nobody has measured a new one."""
        wanted = self._graph()
        stands = {index.name for index in self.graphs(connection)}
        if wanted is not None and wanted.name not in stands:
            wanted.create(connection)
            connection.execute(update(self.marks).where(self.is_mine).values(**UNMEASURED))

    def drop_others(self, connection: Connection) -> None:
        """Removes the graphs that are not wanted.

        No search gets at the table from then to the end of the transaction.
        """
        wanted = self._graph()
        for index in self.graphs(connection):
            if wanted is None or index.name != wanted.name:
                index.drop(connection)

    def graphs(self, connection: Connection) -> list[Index]:
        """Those that stand."""
        found = inspect(connection).get_indexes(self.vectors.name, SCHEMA)
        names = [entry["name"] for entry in found if (entry["name"] or "").endswith("_graph")]
        return [Index(name, self.vectors.c.id) for name in names]

    def _graph(self) -> Index | None:
        if self._choice.kind is Kind.EXACT:
            return None
        kind = "vector" if self._choice.precision is Precision.FP32 else "halfvec"
        return Index(
            f"{self.vectors.name}_{kind}_graph",
            self.compared().label("compared"),
            postgresql_using="hnsw",
            postgresql_with={"m": HNSW_LINKS, "ef_construction": HNSW_BUILD},
            postgresql_ops={"compared": f"{kind}_{_CLASSES[Metric(self._space.metric)]}_ops"},
        )

    def compared(self) -> ColumnElement[Any]:
        """What a graph is of."""
        column = self.vectors.c.vector
        return column if self._choice.precision is Precision.FP32 else cast(column, self.half)


def must_fit(dimension: int, choice: Choice) -> None:
    """Raises StoreError where pgvector cannot hold such vectors, or not search them so."""
    if choice.precision is Precision.INT8 or choice == Choice(Kind.EXACT, Precision.FP16):
        raise StoreError(
            f"pgvector does not search {choice.kind} in {choice.precision}: its exact search looks "
            "at the vectors themselves, its graph holds fp32 or fp16; change index.precision"
        )
    if dimension > MOST_DIMENSIONS:
        raise StoreError(
            f"pgvector holds vectors of at most {MOST_DIMENSIONS} dimensions, the space's have "
            f"{dimension}; set index.engine = 'exact'"
        )
    if choice.kind is not Kind.EXACT and dimension > MOST_IN_GRAPH[choice.precision]:
        raise StoreError(
            f"pgvector's graph holds at most {MOST_IN_GRAPH[choice.precision]} dimensions in "
            f"{choice.precision} and {MOST_IN_GRAPH[Precision.FP16]} in fp16, the space's vectors "
            f"have {dimension}; change index.precision, or set index.store_search = 'exact'"
        )
