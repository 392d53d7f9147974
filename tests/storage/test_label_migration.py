"""Labels that were there before versions were kept become their source's first version."""

from alembic import command
from sqlalchemy import Engine, text

from storage import label_versions
from storage.migrate import migrate, migration_config

ROWS_OF_0007 = """
    INSERT INTO studies (study_instance_uid, attributes) VALUES ('1', '{}'), ('2', '{}');
    INSERT INTO labels (study_id, name, value, source, created_at)
    SELECT id, name, 1, source, timestamptz '2026-01-02 UTC' + hours * interval '1 hour'
    FROM studies, (VALUES ('mass', 'a.csv', 1), ('nodule', 'a.csv', 0), ('mass', 'http:t', 2))
        AS said (name, source, hours)
"""


def test_the_upgrade_makes_a_first_version_of_each_source(engine: Engine) -> None:
    command.downgrade(migration_config(engine), "0007")
    with engine.begin() as connection:
        connection.execute(text(ROWS_OF_0007))
    migrate(engine)
    with engine.connect() as connection:
        csv, http = label_versions.sources(connection)
    assert (csv.name, csv.standing, csv.superseded) == ("a.csv", 4, 0)
    (first,) = csv.versions
    assert (first.version, first.kind, first.words, first.sha256) == (1, "csv", 4, None)
    assert first.made_at.isoformat()[:10] == "2026-01-02"
    assert [version.kind for version in http.versions] == ["http"]


def test_the_upgrade_can_be_taken_back_with_the_labels_that_stand(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO studies (study_instance_uid, attributes) VALUES ('1', '{}')")
        )
        connection.execute(
            text(
                "INSERT INTO label_imports (source, version, kind, words) VALUES ('a', 1, 'csv', 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO labels (study_id, name, value, source, import_id) "
                "SELECT studies.id, 'mass', 1, 'a', label_imports.id FROM studies, label_imports"
            )
        )
    command.downgrade(migration_config(engine), "0007")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name, source FROM labels")).all() == [("mass", "a")]
