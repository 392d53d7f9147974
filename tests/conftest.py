"""Fixtures that several folders of tests share: a real PostgreSQL, free ports, the shared data."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import Connection, make_url

from storage.database import connect
from storage.embedded import EmbeddedServer
from storage.migrate import migrate

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real images beside the checkout; tests that need them are left out without them."""
    if not SHARED_DATA.is_dir():
        pytest.skip("left out: the real images (../shared/data) are not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server of the test run's own."""
    server = EmbeddedServer(tmp_path_factory.mktemp("postgres") / "data")
    _forget_durability(server.url)
    yield server.url
    server.close()


def _forget_durability(server_url: str) -> None:
    """These databases die with the test run: syncing hundreds of them would only cost time."""
    with as_administrator(server_url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))


@contextmanager
def as_administrator(server_url: str) -> Iterator[Connection]:
    """A connection outside transactions, to the database that every server has."""
    server = create_engine(
        make_url(server_url).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT"
    )
    with server.connect() as connection:
        yield connection
    server.dispose()


@pytest.fixture(scope="session")
def template_database(postgres: str) -> str:
    """A migrated database that others are copied from: copying takes a tenth of migrating."""
    url = _make_database(postgres, "likeness_template")
    engine = connect(url)
    migrate(engine)
    engine.dispose()
    return "likeness_template"


@pytest.fixture
def database_url(postgres: str, template_database: str, request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database."""
    name = f"test_{abs(hash(request.node.nodeid)):x}"
    return _make_database(postgres, name, template_database)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh, migrated database."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def _make_database(server_url: str, name: str, template: str = "template1") -> str:
    with as_administrator(server_url) as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def bare_role(postgres: str) -> str:
    """A role that may log in and nothing else; roles are the whole server's, not a database's."""
    with as_administrator(postgres) as connection:
        connection.execute(text("CREATE ROLE bare LOGIN"))
    return "bare"


@pytest.fixture
def free_port() -> int:
    """A TCP port on which nothing listens."""
    return find_free_port()


def find_free_port() -> int:
    """A TCP port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
