"""Engines that a benchmark of indexes compares: ours as the node runs them, and libraries.

Each is built from vectors of unit length, kept in a folder, opened again by a fresh process, and
asked by cosine. What a library cannot do it says by ``filters = False``, and is left out there.
Graphs and cells of libraries are searched as widely as the benchmark says (``breadth``); ours as
widely as was found out when they were built.
"""

import io
import struct
import threading
from abc import ABC, abstractmethod
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psycopg2
from sqlalchemy import make_url

from benchmarks.index_stores import BUILD_MEMORY, StoredVectors, VectorsInMilvus
from benchmarks.index_vectors import BLOCK, Ids, Vectors
from storage.embedded import EmbeddedServer
from storage.vectors import base
from storage.vectors.base import About
from storage.vectors.choice import Choice
from storage.vectors.metric import Metric
from storage.vectors.vector_set import VectorSet

LINKS, BUILD = 32, 200
"""Of every graph: M and efConstruction, the same for all libraries."""
TRAINED_WITH = 100_000
"""Vectors at most that cells are made of."""


class Adapter(ABC):
    """One engine in a folder of its own.

    Attributes:
        breadth: efSearch of a graph, nprobe of cells; 0 where there is no such choice.
        widest: the greatest that it takes.
    """

    filters = True
    breadth = 0
    widest = 4096

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def widen(self, breadth: int) -> None:
        """Searches so widely from now on."""
        self.breadth = breadth

    @abstractmethod
    def build(self, vectors: Vectors) -> None:
        """Builds it from vectors whose ids are their numbers, and keeps it."""

    @abstractmethod
    def open(self) -> None:
        """Opens what was kept."""

    @abstractmethod
    def search(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """The ids of the k nearest to a query of shape (1, dimension)."""

    def close(self) -> None:  # noqa: B027  (most have nothing to stop)
        """Stops what it started."""

    def size(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


class Ours(Adapter):
    """A base as the node writes it."""

    choice = Choice()

    def build(self, vectors: Vectors) -> None:
        """See the base class."""
        count, dimension = vectors.shape
        about = About("s", dimension, Metric.COSINE, count, 1, self.choice)
        blocks = (vectors[at : at + BLOCK] for at in range(0, count, BLOCK))
        base.write(self.folder / "a.index", about, np.arange(count), blocks)

    def open(self) -> None:
        """See the base class."""
        made = base.load(self.folder / "a.index")
        tuned = made.about.tuned
        self.breadth = 0 if tuned is None else tuned.breadth
        self._set = VectorSet.of(made)

    def search(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """See the base class."""
        [found] = self._set.search(query, k, among)
        return np.array([entry.key for entry in found], np.int64)


def ours(choice: str) -> type[Ours]:
    """Ours, with the engine of that name."""
    return type("Ours", (Ours,), {"choice": Choice.parse(choice)})


class OursInStore(Adapter):
    """A store as the node fills it."""

    kind = StoredVectors
    choice = Choice()

    def build(self, vectors: Vectors) -> None:
        """See the base class."""
        (self.folder / "dimension").write_text(str(vectors.shape[1]))
        stored = self.kind(self.folder, vectors.shape[1], self.choice)
        stored.fill(vectors)
        (self.folder / "bytes").write_text(str(stored.size()))
        stored.close()

    def size(self) -> int:
        """See ``StoredVectors``."""
        return int((self.folder / "bytes").read_text())

    def open(self) -> None:
        """See the base class."""
        dimension = int((self.folder / "dimension").read_text())
        self._stored = self.kind(self.folder, dimension, self.choice)
        self._index = self._stored.index(dimension)

    def search(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """See the base class."""
        [found] = self._index.search_each(query, k, among=among)
        return np.array([entry.key for entry in found], np.int64)

    def close(self) -> None:
        """See the base class."""
        self._stored.close()


def in_store(kind: type[StoredVectors], choice: str) -> type[OursInStore]:
    """Ours in a store, which searches as said."""
    return type("OursInStore", (OursInStore,), {"kind": kind, "choice": Choice.parse(choice)})


class Faiss(Adapter):
    """FAISS as its documentation shows it."""

    def build(self, vectors: Vectors) -> None:
        """See the base class."""
        index = self.empty(*vectors.shape)
        if not index.is_trained:
            index.train(vectors[:: max(1, len(vectors) // TRAINED_WITH)])
        for at in range(0, len(vectors), BLOCK):
            index.add(vectors[at : at + BLOCK])
        faiss.write_index(index, str(self.folder / "faiss"))

    def empty(self, count: int, dimension: int) -> Any:
        """The index before anything is added."""
        del count
        return faiss.IndexFlatIP(dimension)

    def open(self) -> None:
        """See the base class."""
        self._index = faiss.read_index(str(self.folder / "faiss"))

    def parameters(self, selector: Any) -> Any:
        """How it is to search."""
        made: Any = faiss.SearchParameters
        return None if selector is None else made(sel=selector)

    def search(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """See the base class."""
        made: Any = faiss.IDSelectorBatch
        selector = None if among is None else made(among)
        _, found = self._index.search(query, k, params=self.parameters(selector))
        ids: Ids = found[0]
        return ids


def _parameters(kind: str, selector: Any, **options: int) -> Any:
    """FAISS's search parameters of a kind, which its stubs lack."""
    more = {} if selector is None else {"sel": selector}
    return getattr(faiss, kind)(**options, **more)


class FaissGraph(Faiss):
    """FAISS's HNSW."""

    breadth = 32

    def empty(self, count: int, dimension: int) -> Any:
        """See the base class."""
        del count
        made: Any = faiss.IndexHNSWFlat(dimension, LINKS, faiss.METRIC_INNER_PRODUCT)
        made.hnsw.efConstruction = BUILD
        return made

    def parameters(self, selector: Any) -> Any:
        """See the base class."""
        return _parameters("SearchParametersHNSW", selector, efSearch=self.breadth)


class FaissCells(Faiss):
    """FAISS's IVF."""

    breadth = 1

    def empty(self, count: int, dimension: int) -> Any:
        """See the base class."""
        cells = max(1, min(round(4 * count**0.5), count // 39))
        made: Any = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(dimension), dimension, cells, faiss.METRIC_INNER_PRODUCT
        )
        made.cp.spherical = True
        return made

    def parameters(self, selector: Any) -> Any:
        """See the base class."""
        return _parameters("SearchParametersIVF", selector, nprobe=self.breadth)


class Hnswlib(Adapter):
    """hnswlib, with its filter by a function."""

    breadth = 32

    def widen(self, breadth: int) -> None:
        """See the base class."""
        super().widen(breadth)
        self._index.set_ef(breadth)

    def build(self, vectors: Vectors) -> None:
        """See the base class."""
        hnswlib = import_module("hnswlib")
        index = hnswlib.Index("ip", vectors.shape[1])
        index.init_index(len(vectors), ef_construction=BUILD, M=LINKS)
        index.add_items(vectors, np.arange(len(vectors)))
        index.save_index(str(self.folder / "hnswlib"))
        (self.folder / "dimension").write_text(str(vectors.shape[1]))

    def open(self) -> None:
        """See the base class."""
        hnswlib = import_module("hnswlib")
        self._index = hnswlib.Index("ip", int((self.folder / "dimension").read_text()))
        self._index.load_index(str(self.folder / "hnswlib"))
        self._index.set_ef(self.breadth)

    def search(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """See the base class."""
        if among is None:
            found, _ = self._index.knn_query(query, k)
            return np.asarray(found[0], np.int64)
        allowed = set(among.tolist())
        try:
            found, _ = self._index.knn_query(query, k, num_threads=1, filter=allowed.__contains__)
        except RuntimeError:  # it found fewer than k
            return np.empty(0, np.int64)
        return np.asarray(found[0], np.int64)


class Usearch(Adapter):
    """usearch, mapped; it has no filter in Python."""

    filters = False
    breadth = 32

    def widen(self, breadth: int) -> None:
        """See the base class."""
        super().widen(breadth)
        self._index.expansion_search = breadth

    def _empty(self, dimension: int) -> Any:
        return import_module("usearch.index").Index(
            ndim=dimension,
            metric="ip",
            dtype="f32",
            connectivity=LINKS,
            expansion_add=BUILD,
            expansion_search=self.breadth,
        )

    def build(self, vectors: Vectors) -> None:
        """See the base class."""
        index = self._empty(vectors.shape[1])
        index.add(np.arange(len(vectors)), vectors)
        index.save(str(self.folder / "usearch"))
        (self.folder / "dimension").write_text(str(vectors.shape[1]))

    def open(self) -> None:
        """See the base class."""
        self._index = self._empty(int((self.folder / "dimension").read_text()))
        self._index.view(str(self.folder / "usearch"))

    def search(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """See the base class."""
        assert among is None
        return np.asarray(self._index.search(query[0], k).keys, np.int64)


class Pgvector(Adapter):
    """PostgreSQL's extension, in the embedded server; its graph is scanned on behind a filter."""

    breadth = 32
    widest = 1000

    def _connect(self) -> Any:
        """A connection of psycopg2's own, as its documentation shows it."""
        url = make_url(self._server.url)
        made = psycopg2.connect(
            host=url.query["host"], user=url.username, dbname=url.database, password=url.password
        )
        made.autocommit = True
        return made

    def build(self, vectors: Vectors) -> None:
        """See the base class."""
        self._server = EmbeddedServer(self.folder / "postgres")
        psycopg2.extensions.set_wait_callback(None)  # ours, which bounds waiting, knows no COPY
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION vector")
            cursor.execute(f"CREATE TABLE v (id bigint PRIMARY KEY, v vector({vectors.shape[1]}))")
            for at in range(0, len(vectors), BLOCK):
                rows = _copied(at, vectors[at : at + BLOCK])
                cursor.copy_expert("COPY v FROM STDIN (FORMAT binary)", rows)
            cursor.execute(f"SET maintenance_work_mem = '{BUILD_MEMORY}'")
            cursor.execute(
                "CREATE INDEX ON v USING hnsw (v vector_ip_ops) "
                f"WITH (m = {LINKS}, ef_construction = {BUILD})"
            )
            cursor.execute("SELECT pg_total_relation_size('v')")
            (self.folder / "bytes").write_text(str(cursor.fetchone()[0]))
        self._server.close()

    def size(self) -> int:
        """Of the table and its index, without the log and the rest of the server."""
        return int((self.folder / "bytes").read_text())

    def open(self) -> None:
        """See the base class."""
        self._server = EmbeddedServer(self.folder / "postgres")
        psycopg2.extensions.set_wait_callback(None)
        self._own = threading.local()

    def _cursor(self) -> Any:
        """A connection for each thread."""
        if getattr(self._own, "breadth", 0) != self.breadth:
            self._own.cursor = self._connect().cursor()
            self._own.breadth = self.breadth
            self._own.cursor.execute(f"SET hnsw.ef_search = {self.breadth}")
            self._own.cursor.execute("SET hnsw.iterative_scan = strict_order")
        return self._own.cursor

    def search(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """See the base class."""
        text = "[" + ",".join(map(str, query[0].tolist())) + "]"
        where = "" if among is None else "WHERE id = ANY(%s)"
        values = (text, k) if among is None else (among.tolist(), text, k)
        cursor = self._cursor()
        cursor.execute(f"SELECT id FROM v {where} ORDER BY v <#> %s::vector LIMIT %s", values)
        return np.array([row[0] for row in cursor.fetchall()], np.int64)

    def close(self) -> None:
        """See the base class."""
        self._server.close()


def _copied(first: int, vectors: Vectors) -> Any:
    """Rows for COPY in binary: a bigint, and pgvector's dimension and big-endian floats."""
    count, dimension = vectors.shape
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("id_bytes", ">i4"),
            ("id", ">i8"),
            ("v_bytes", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("v", ">f4", (dimension,)),
        ]
    )
    rows = np.empty(count, row)
    rows["fields"], rows["id_bytes"], rows["id"] = 2, 8, first + np.arange(count)
    rows["v_bytes"], rows["dimension"], rows["unused"] = 4 + 4 * dimension, dimension, 0
    rows["v"] = vectors
    return io.BytesIO(
        b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0) + rows.tobytes() + struct.pack(">h", -1)
    )


class Milvus(Adapter):
    """Milvus Lite, with its graph, asked by the client that speaks to a cluster as well."""

    breadth = 32
    batch = 2000

    def _client(self) -> Any:
        return import_module("pymilvus").MilvusClient(str(self.folder / "milvus.db"))

    def build(self, vectors: Vectors) -> None:
        """See the base class."""
        types = import_module("pymilvus").DataType
        client = self._client()
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", types.INT64, is_primary=True)
        schema.add_field("v", types.FLOAT_VECTOR, dim=vectors.shape[1])
        client.create_collection("v", schema=schema)
        for at in range(0, len(vectors), self.batch):
            some = vectors[at : at + self.batch]
            client.insert("v", [{"id": at + n, "v": row} for n, row in enumerate(some)])
        parameters = client.prepare_index_params()
        parameters.add_index(
            "v",
            index_type="HNSW",
            metric_type="IP",
            params={"M": LINKS, "efConstruction": BUILD},
        )
        client.create_index("v", parameters)
        client.close()

    def open(self) -> None:
        """See the base class."""
        self._opened = self._client()
        self._opened.load_collection("v")

    def search(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """See the base class."""
        options = {} if among is None else {"filter": f"id in {among.tolist()}"}
        [found] = self._opened.search(
            "v", [query[0]], limit=k, search_params={"params": {"ef": self.breadth}}, **options
        )
        return np.array([entry["id"] for entry in found], np.int64)

    def close(self) -> None:
        """See the base class."""
        self._opened.close()


ADAPTERS: dict[str, type[Adapter]] = {
    "ours exact-fp32": ours("exact-fp32"),
    "faiss flat": Faiss,
    "ours exact-fp16": ours("exact-fp16"),
    "ours exact-int8": ours("exact-int8"),
    "ours hnsw-fp32": ours("hnsw-fp32"),
    "ours hnsw-fp16": ours("hnsw-fp16"),
    "ours hnsw-int8": ours("hnsw-int8"),
    "faiss hnsw": FaissGraph,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "ours pgvector exact": in_store(StoredVectors, "exact-fp32"),
    "ours pgvector hnsw": in_store(StoredVectors, "hnsw-fp32"),
    "pgvector hnsw": Pgvector,
    "ours milvus exact": in_store(VectorsInMilvus, "exact-fp32"),
    "ours milvus hnsw": in_store(VectorsInMilvus, "hnsw-fp32"),
    "milvus lite hnsw": Milvus,
    "ours ivf-fp32": ours("ivf-fp32"),
    "faiss ivf": FaissCells,
    "ours ivf-fp16": ours("ivf-fp16"),
    "ours ivf-int8": ours("ivf-int8"),
}
SAME_BREADTH = {"faiss hnsw": "ours hnsw-fp32", "faiss ivf": "ours ivf-fp32"}
"""Rows of the library that ours is made of are searched as widely as ours."""
