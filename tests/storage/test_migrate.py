"""The migrations and the tables describe one schema."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from storage.migrate import migrate, migration_config
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


ROWS_OF_0001 = """
    INSERT INTO studies (study_instance_uid, attributes, state, calling_ae, received_by)
    VALUES ('1', '{}', 'indexed', 'CT1', 'n1'), ('2', '{}', 'open', 'CR1', 'n2');
    INSERT INTO series (study_id, series_instance_uid, modality)
    SELECT id, study_instance_uid || '.1', 'CT' FROM studies;
    INSERT INTO instances (series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid,
        spool_name, sha256, size_bytes, calling_ae)
    SELECT series.id, series_instance_uid || n, '', '', study_instance_uid || '-' || n, '', 1, ae
    FROM series JOIN studies ON studies.id = study_id,
        (VALUES (1, 'CT1'), (2, 'MR1'), (3, 'CT1')) AS sent (n, ae)
"""


def _back_to_0001(engine: Engine) -> None:
    command.downgrade(migration_config(engine), "0001")
    with engine.begin() as connection:
        connection.execute(text(ROWS_OF_0001))


def test_the_upgrade_keeps_who_sent_a_study_and_where_its_files_lie(engine: Engine) -> None:
    _back_to_0001(engine)
    migrate(engine)
    with engine.connect() as connection:
        studies = connection.execute(
            text("SELECT study_instance_uid, callers, unanswered FROM studies ORDER BY 1")
        )
        files = connection.execute(
            text("SELECT spool_name, node FROM instances ORDER BY spool_name")
        )
        assert [tuple(row) for row in studies] == [
            ("1", ["CT1", "MR1"], []),
            ("2", ["CT1", "MR1"], ["CR1"]),
        ]
        assert [tuple(row) for row in files] == [
            (f"{study}-{number}", f"n{study}") for study in (1, 2) for number in (1, 2, 3)
        ]


def test_the_upgrade_can_be_taken_back(engine: Engine) -> None:
    """What the older schema cannot say is told as nearly as it can."""
    _back_to_0001(engine)
    before = _catalogue(engine)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE studies SET state = 'answered'"))
        connection.execute(text("UPDATE instances SET spool_name = NULL"))
    command.downgrade(migration_config(engine), "0001")
    assert _catalogue(engine) == before
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT state FROM studies")).scalars()) == {"indexed"}


def test_the_last_upgrade_can_be_taken_back_and_made_again(engine: Engine) -> None:
    newest = _catalogue(engine)
    command.downgrade(migration_config(engine), "0002")
    assert _catalogue(engine) != newest
    migrate(engine)
    assert _catalogue(engine) == newest
