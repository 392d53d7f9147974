"""The migrations and the tables describe one schema."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from storage.migrate import migrate
from storage.tables import Base

CATALOGUE = """
    SELECT 'column', table_name, column_name, data_type, is_nullable, column_default
      FROM information_schema.columns WHERE table_schema = :schema
    UNION ALL
    SELECT 'index', tablename, indexname, replace(indexdef, :schema || '.', ''), '', ''
      FROM pg_indexes WHERE schemaname = :schema
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', ''
      FROM pg_constraint WHERE connamespace = to_regnamespace(:schema) AND contype <> 'n'
    UNION ALL
    SELECT 'sequence', sequence_name, data_type, increment, '', ''
      FROM information_schema.sequences WHERE sequence_schema = :schema
    ORDER BY 1, 2, 3
"""


def _catalogue(engine: Engine) -> list[tuple[str, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(text(CATALOGUE), {"schema": "public"})
        return [tuple(row) for row in rows if row[1] != "alembic_version"]


def test_migrations_and_tables_describe_the_same_schema(engine: Engine) -> None:
    """PostgreSQL's own catalogue is the same, whether migrations or tables made it."""
    migrated = _catalogue(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
        Base.metadata.create_all(connection)
    assert _catalogue(engine) == migrated


def test_alembic_sees_nothing_left_to_migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    before = _catalogue(engine)
    migrate(engine)
    assert _catalogue(engine) == before
