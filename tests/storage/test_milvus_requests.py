"""What a Milvus that is not Milvus Lite is asked: read from the requests that reach it.

Only a cluster, or a server of its own, reads a filter's values from its template. A stub of its
gRPC service stands for it, for no such server can be started here.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from storage.outages import StoreError
from storage.stores.milvus_server import Address, MilvusServer


class Recording(milvus_pb2_grpc.MilvusServiceServicer):  # type: ignore[misc]
    """A server that is asked, keeps what it is asked, and has nothing."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.asked: list[Any] = []

    def Connect(self, request: Any, context: Any) -> Any:  # noqa: N802
        return milvus_pb2.ConnectResponse()

    def GetVersion(self, request: Any, context: Any) -> Any:  # noqa: N802
        return milvus_pb2.GetVersionResponse(version=self.version)

    def Query(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        number = milvus_pb2.QueryResults()
        number.fields_data.add(field_name="id", type=5).scalars.long_data.data.append(7)
        return number

    def Search(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return milvus_pb2.SearchResults()


@contextmanager
def serving(version: str) -> Iterator[tuple[Recording, Address]]:
    """Such a server, up for the block."""
    recording = Recording(version)
    server = grpc.server(ThreadPoolExecutor(2))
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(recording, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield recording, Address(f"http://127.0.0.1:{port}", timeout_s=5)
    finally:
        server.stop(None).wait()


def test_ids_reach_a_server_as_the_values_of_a_template() -> None:
    with serving("v2.5.4") as (recording, address):
        server = MilvusServer(address)
        assert [row["id"] for row in server.fetched("c", [7, 9], ["vector"])] == [7]
        query = np.ones((1, 4), np.float32)
        server.nearest("c", query, 3, {"ef": 64}, np.array([7, 9]), ["vector"])
        server.close()
    fetched, searched = recording.asked
    for filter_, request in ((fetched.expr, fetched), (searched.dsl, searched)):
        assert filter_ == "id in {ids}"
        values = request.expr_template_values["ids"].array_val
        assert values.long_data.data == [7, 9]
        assert request.consistency_level == 0  # Strong, in common.proto
    assert list(fetched.output_fields) == ["id", "vector"]
    params = {entry.key: entry.value for entry in searched.search_params}
    assert (params["topk"], params["anns_field"]) == ("3", "vector")
    assert '"ef":64' in params["params"].replace(" ", "")


@pytest.mark.parametrize("version", ["v2.4.23", "2.3.0", "1.9"])
def test_a_server_without_filter_templates_is_refused(version: str) -> None:
    with serving(version) as (_, address), pytest.raises(StoreError, match=r"2\.5 or later"):
        MilvusServer(address)
