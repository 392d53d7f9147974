"""Whose fault it is: an instance is refused only where the data are to blame."""

import re

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage.database import connect
from storage.outages import DatabaseError, UnreachableError, is_outage, may_pass, refusal


@pytest.fixture(scope="module")
def raising(postgres: str) -> Engine:
    """An engine that raises SQLSTATEs on demand."""
    engine = connect(postgres)
    engine.dispose()
    return engine


def _raised(engine: Engine, code: str) -> DBAPIError:
    raise_it = f"DO $$ BEGIN RAISE EXCEPTION 'said' USING ERRCODE = '{code}'; END $$"
    with pytest.raises(DBAPIError) as caught, engine.connect() as connection:
        connection.execute(text(raise_it))
    engine.dispose()
    return caught.value


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("08006", "connection failure"),
        ("0A000", "feature not supported: the schema changed under us"),
        ("25006", "read-only transaction: a standby, or a database set so"),
        ("25P03", "idle in transaction for too long"),
        ("26000", "no such prepared statement: a pooler in between"),
        ("28P01", "invalid password: changed while we ran"),
        ("3D000", "no such database: dropped, to be restored"),
        ("40001", "serialization failure"),
        ("40003", "statement completion unknown"),
        ("40P01", "deadlock"),
        ("42501", "insufficient privilege: somebody revoked a right"),
        ("42P01", "undefined table: a restore is under way"),
        ("53100", "disk full"),
        ("53200", "out of memory"),
        ("53300", "too many connections"),
        ("53400", "configuration limit exceeded"),
        ("55006", "object in use"),
        ("55P03", "lock not available: lock_timeout"),
        ("57014", "query canceled: statement_timeout, or an administrator"),
        ("57P01", "admin shutdown"),
        ("57P02", "crash shutdown"),
        ("57P03", "cannot connect now: starting up"),
        ("58030", "I/O error"),
        ("58P01", "a file of the database is missing"),
        ("F0000", "configuration file error"),
        ("XX000", "internal error"),
        ("XX001", "data corrupted: a checksum failed"),
    ],
)
def test_an_unwell_server_is_an_outage(raising: Engine, code: str, meaning: str) -> None:
    assert is_outage(_raised(raising, code)), meaning


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("21000", "cardinality violation"),
        ("22001", "string too long"),
        ("22003", "number out of range"),
        ("22021", "character not in repertoire"),
        ("22P05", "untranslatable character"),
        ("23502", "not null violation"),
        ("23505", "unique violation"),
        ("23514", "check violation"),
        ("44000", "with check option violation"),
        ("54000", "program limit exceeded: too long for an index"),
        ("54001", "statement too complex"),
        ("P0001", "raised by a trigger of the site's"),
    ],
)
def test_data_to_blame_are_refused(raising: Engine, code: str, meaning: str) -> None:
    fault = _raised(raising, code)
    assert not is_outage(fault), meaning
    assert refusal(fault) == "refused by the database: said"


def test_a_pool_that_has_no_connection_left_is_an_outage(postgres: str) -> None:
    engine = create_engine(
        postgres.replace("postgresql://", "postgresql+psycopg2://"),
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.01,
    )
    with engine.connect(), pytest.raises(PoolTimeoutError) as caught:
        engine.connect()
    engine.dispose()
    assert is_outage(caught.value)


@pytest.mark.parametrize(
    ("fault", "outage"),
    [(DatabaseError("said"), True), (ValueError("a fault of ours"), False)],
)
def test_other_faults_are_told_apart(fault: Exception, outage: bool) -> None:
    assert is_outage(fault) is outage


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        ("57P03", True),
        ("25006", True),
        ("55P03", True),
        ("42501", False),
        ("42P07", False),
        ("28P01", False),
        ("23505", False),
    ],
)
def test_at_the_start_only_what_may_pass_is_waited_for(
    raising: Engine, code: str, passes: bool
) -> None:
    assert may_pass(_raised(raising, code)) is passes


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("no url", "is not a URL"),
        ("postgresql://host:port/likeness", "is not a URL"),
        ("mysql://host/likeness", "only postgresql:// is supported"),
        ("{server}&nonsense=1", "invalid connection option"),
        ("{server}&user=nobody", 'role "nobody" does not exist'),
        ("{server}&dbname=none", 'database "none" does not exist'),
    ],
)
def test_what_somebody_must_set_right_ends_a_start(postgres: str, url: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=re.escape(message)) as caught:
        connect(url.format(server=postgres))
    assert not isinstance(caught.value, UnreachableError)


def test_a_database_of_another_encoding_ends_a_start(postgres: str) -> None:
    engine = connect(postgres)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        )
    engine.dispose()
    with pytest.raises(DatabaseError, match="encoded in LATIN1"):
        connect(f"{postgres}&dbname=latin")


def test_nobody_listening_may_pass(free_port: int) -> None:
    with pytest.raises(UnreachableError, match="Connection refused"):
        connect(f"postgresql://likeness@127.0.0.1:{free_port}/likeness")


def test_a_host_without_address_may_pass() -> None:
    """A name server may be away, as after a power cut."""
    with pytest.raises(UnreachableError, match="translate host name"):
        connect("postgresql://likeness@no-such-host.invalid/likeness")


def test_a_server_that_only_reads_may_pass(postgres: str) -> None:
    engine = connect(postgres)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE reads_only"))
        connection.execute(text("ALTER DATABASE reads_only SET default_transaction_read_only = on"))
    engine.dispose()
    with pytest.raises(UnreachableError, match="read-only"):
        connect(f"{postgres}&dbname=reads_only")


def test_an_error_in_the_log_holds_no_values(raising: Engine) -> None:
    divided = text("SELECT 1 / (length(:name) - 8)")
    with raising.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(divided, {"name": "Doe^Jane"})
    raising.dispose()
    assert "Doe" not in str(caught.value)
