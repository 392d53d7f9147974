"""Runs the migrations: under an advisory lock, with timeouts, one transaction for each."""

from alembic import context
from sqlalchemy import Connection, Engine, text

from storage.tables import Base

LOCK_KEY = 0x6C696B656E657373  # "likeness": two nodes never migrate one database at once


def run(connection: Connection) -> None:
    """Waits at most a minute for another node, then migrates."""
    connection.execute(text("SET lock_timeout = '60s'"))
    connection.execute(text("SET statement_timeout = '10min'"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
            compare_type=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_KEY})
        connection.execute(text("RESET lock_timeout"))
        connection.execute(text("RESET statement_timeout"))
        connection.commit()


engine: Engine = context.config.attributes["engine"]
with engine.connect() as open_connection:
    run(open_connection)
