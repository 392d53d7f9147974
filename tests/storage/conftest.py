"""What tests of stores share: a Milvus of the test run's own, and a space of each test's."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from storage.answer import SpaceSummary
from storage.stores.milvus_server import Address
from tests.conftest import find_free_port
from tests.storage.made import space
from tests.storage.milvus_lite import milvus_lite


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Milvus Lite's server."""
    with milvus_lite(tmp_path_factory.mktemp("milvus"), find_free_port()) as address:
        yield address


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes what a test opened."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def of(request: pytest.FixtureRequest) -> SpaceSummary:
    """A space of the test's own: Milvus is all tests'."""
    return space(4, f"{abs(hash(request.node.nodeid)):x}")
