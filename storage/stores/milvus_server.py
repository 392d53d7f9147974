"""Milvus by its client library: what we ask of it, and what its refusals mean.

``pymilvus`` is an optional extra, imported only where Milvus is chosen. It speaks to a cluster, to
a single server and to Milvus Lite's server alike.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from storage.outages import StoreError
from storage.vectors.metric import Vectors
from storage.vectors.segment import Ids

OLDEST = (2, 5)
"""The first version of Milvus whose documentation has filter templates."""
_NOT_THERE = 100
_NOT_LOADED = 101
"""Milvus's error codes: collection not found, collection not loaded."""
_REFUSED = (1400, 1401, "UNAUTHENTICATED", "PERMISSION_DENIED")
"""Milvus's codes and gRPC's: not authenticated, not permitted."""
_STRONG = "Strong"
_READ_AT_ONCE = 10_000


@dataclass(frozen=True)
class Address:
    """Where Milvus is, and how it is asked.

    Attributes:
        uri: http or https, host and port.
        token: user:password or an API key; empty where it asks for none.
        timeout_s: after which a question has failed.
    """

    uri: str
    token: str = field(default="", repr=False)
    timeout_s: float = 30.0


class MilvusServer:
    """A connection to Milvus.

    Raises:
        StoreError: the library is not installed, nobody answers there, or we are not let in.
    """

    def __init__(self, address: Address) -> None:
        parts = urlsplit(address.uri)
        self.shown = f"Milvus at {parts.hostname}:{parts.port or 19530}"
        self._timeout_s = address.timeout_s
        self._library, self._refusal = _library()
        with self._explained():
            self._client = self._library.MilvusClient(
                uri=address.uri, token=address.token, timeout=address.timeout_s
            )
        try:
            self._version = self._must_be_new_enough()
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()

    def _must_be_new_enough(self) -> str:
        with self._explained():
            version = str(self._client.get_server_version(timeout=self._timeout_s))
        numbers = "".join(sign if sign.isdigit() else " " for sign in version).split()
        if len(numbers) > 1 and (int(numbers[0]), int(numbers[1])) < OLDEST:
            raise StoreError(
                f"{self.shown} is version {version}, which is too old: "
                f"{'.'.join(map(str, OLDEST))} or later is needed"
            )
        return version

    def has(self, name: str) -> bool:
        """Whether there is a collection."""
        with self._explained():
            return bool(self._client.has_collection(name, timeout=self._timeout_s))

    def make(
        self,
        name: str,
        dimension: int,
        index: Mapping[str, Any],
        more: Mapping[str, str] | None = None,
    ) -> None:
        """A collection of vectors by id, loaded; ``more`` names further fields and their types."""
        kind = self._library.DataType
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", kind.INT64, is_primary=True)
        schema.add_field("vector", kind.FLOAT_VECTOR, dim=dimension)
        for other, of in (more or {}).items():
            schema.add_field(other, kind[of])
        with self._explained():
            self._client.create_collection(
                name,
                schema=schema,
                index_params=self._index_params("vector", index),
                consistency_level=_STRONG,
                timeout=self._timeout_s,
            )

    def _index_params(self, field: str, index: Mapping[str, Any]) -> Any:
        made = self._client.prepare_index_params()
        made.add_index(field, index_name=field, **index)
        return made

    def load(self, name: str) -> None:
        """Has a collection in memory; Milvus Lite forgets to after a restart."""
        with self._explained():
            self._client.load_collection(name, timeout=self._timeout_s)

    def described(self, name: str, field: str) -> tuple[int, dict[str, Any]]:
        """The dimension of a collection's vectors, and its index."""
        with self._explained():
            fields = self._client.describe_collection(name, timeout=self._timeout_s)["fields"]
            index = self._client.describe_index(name, field, timeout=self._timeout_s)
        sizes = [entry["params"].get("dim", 0) for entry in fields if entry["name"] == field]
        return int(sizes[0]) if sizes else 0, dict(index or {})

    def index_anew(self, name: str, field: str, index: Mapping[str, Any]) -> None:
        """Replaces a collection's index; nobody can search it meanwhile."""
        with self._explained():
            self._client.release_collection(name, timeout=self._timeout_s)
            self._client.drop_index(name, field, timeout=self._timeout_s)
            self._client.create_index(name, self._index_params(field, index))  # as long as it takes
            self._client.load_collection(name)

    def remove(self, name: str) -> None:
        """Drops a collection, if there is one."""
        with self._explained():
            self._client.drop_collection(name, timeout=self._timeout_s)

    def flush(self, name: str) -> None:
        """Has what was written indexed; without, Milvus waits until it is more."""
        self._retried(name, lambda: self._client.flush(name, timeout=self._timeout_s))

    def put(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows, in the place of those of the same id."""
        self._retried(name, lambda: self._client.upsert(name, list(rows), timeout=self._timeout_s))

    def take_out(self, name: str, ids: Sequence[int]) -> None:
        """Deletes the rows of some ids, where there are such."""
        self._retried(name, lambda: self._client.delete(name, ids=ids, timeout=self._timeout_s))

    def fetched(self, name: str, ids: Sequence[int], fields: Sequence[str]) -> list[Any]:
        """Fields of the rows of some ids, where there are such; as many as fit into one message."""
        if not ids:
            return []
        found: list[Any] = self._retried(
            name,
            lambda: self._client.query(
                name,
                **self._only(ids),
                output_fields=["id", *fields],
                consistency_level=_STRONG,
                timeout=self._timeout_s,
            ),
        )
        return found

    def count(self, name: str) -> int:
        """How many rows a collection has."""
        [found] = self._retried(
            name,
            lambda: self._client.query(
                name,
                filter="",
                output_fields=["count(*)"],
                consistency_level=_STRONG,
                timeout=self._timeout_s,
            ),
        )
        return int(found["count(*)"])

    def ids(self, name: str) -> Iterator[int]:
        """The ids of all rows."""
        with self._explained():
            pages = self._client.query_iterator(
                name,
                batch_size=_READ_AT_ONCE,
                output_fields=["id"],
                consistency_level=_STRONG,
                timeout=self._timeout_s,
            )
            try:
                while page := pages.next():
                    yield from (row["id"] for row in page)
            finally:
                pages.close()

    def nearest(
        self,
        name: str,
        queries: Vectors,
        k: int,
        params: Mapping[str, Any],
        among: Ids | None,
        fields: Sequence[str],
    ) -> list[list[Any]]:
        """The k nearest to each query, with fields; of some ids only, or of all."""
        only = {} if among is None else self._only(among.tolist())
        found = self._retried(
            name,
            lambda: self._client.search(
                name,
                data=list(queries),
                anns_field="vector",
                limit=k,
                output_fields=["id", *fields],
                search_params={"params": dict(params)},
                consistency_level=_STRONG,
                timeout=self._timeout_s,
                **only,
            ),
        )
        return [list(hits) for hits in found]

    def _only(self, ids: Sequence[int]) -> dict[str, Any]:
        """A filter by id; as a template's value it need not be parsed, which Lite cannot do."""
        if "lite" in self._version:
            return {"filter": f"id in {list(ids)}"}
        return {"filter": "id in {ids}", "filter_params": {"ids": list(ids)}}

    def _retried(self, name: str, ask: Callable[[], Any]) -> Any:
        """What is asked for; a collection that the server forgot to load is loaded first."""
        with self._explained():
            try:
                return ask()
            except self._library.MilvusException as fault:
                if fault.code != _NOT_LOADED:
                    raise
            self._client.load_collection(name, timeout=self._timeout_s)
            return ask()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._library.MilvusException as fault:
            raise StoreError(f"{self.shown} {_what(fault.code, str(fault.message))}") from fault
        except self._refusal as fault:
            said = f"{fault.code().name}: {fault.details()}"
            raise StoreError(f"{self.shown} {_what(fault.code().name, said)}") from fault


def _what(code: object, said: str) -> str:
    if code == _NOT_THERE:
        return (
            f"has lost a collection of ours ({said}): `likeness reindex`, or a restart of the "
            "node, fills it anew"
        )
    if code in _REFUSED or "auth" in said.lower():
        return f"does not let us in ({said}): check index.milvus_token"
    return f"does not answer, or not as it should ({said}): check index.milvus_uri, and Milvus"


def _library() -> tuple[Any, Any]:
    try:
        import grpc  # noqa: PLC0415  (an optional extra, and half a second to import)
        import pymilvus  # noqa: PLC0415
    except ImportError as fault:
        raise StoreError(
            f"index.engine = 'milvus' needs pymilvus ({fault}): install likeness-node[milvus]"
        ) from fault
    # it writes tracebacks of what it also raises
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    return pymilvus, grpc.RpcError
