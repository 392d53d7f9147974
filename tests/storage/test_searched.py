"""How many studies were searched: what triggers count, against counting one by one."""

from dataclasses import replace

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, not_, select, text
from sqlalchemy.engine import Connection

from storage import embeddings, search, spaces
from storage.embeddings import NewEmbedding, modality_group
from storage.index import VectorIndex
from storage.migrate import migrate, migration_config
from storage.rules.rows import of_same_patients
from storage.rules.searched import count_images
from storage.search import Question
from storage.tables import Embedding, Study
from tests.storage.made import add_study, reference, row_of, space, unit

GROUPS = ("CR", "DX", "CT", "MR")
UIDS = tuple(f"1.{number}" for number in range(5))


def _one_by_one(connection: Connection, index: VectorIndex, question: Question) -> int:
    """The definition: studies of other patients with a comparable vector that the index holds."""
    groups = {modality_group(image.image.modality) for image in question.all_images}
    return connection.execute(
        select(func.count(func.distinct(Embedding.study_id)))
        .join(Study, Study.id == Embedding.study_id)
        .where(
            Embedding.space_id == question.space.id,
            Embedding.modality_group.in_(groups),
            Embedding.vector.is_not(None),
            Embedding.change <= index.watermark,
            not_(of_same_patients(question)),
            *question.filters.conditions(),
        )
    ).scalar_one()


def _write(connection: Connection, uid: str, modalities: list[str], name: str) -> None:
    """Vectors of these modalities in place of those that a study had in a space."""
    images = [
        NewEmbedding(reference(f"{uid}.1.{n}", modality), unit(1, n, 0, 0), b"png", {})
        for n, modality in enumerate(modalities)
    ]
    row = row_of(connection, uid)
    embeddings.replace(connection, space=space(name=name), study_id=row, new=images)


def _change(connection: Connection, step: tuple[str, str, list[str], str]) -> None:
    what, uid, modalities, name = step
    known = connection.execute(
        text("SELECT id FROM studies WHERE study_instance_uid = :uid"), {"uid": uid}
    ).scalar_one_or_none()
    if what == "delete":
        connection.execute(text("DELETE FROM studies WHERE id = :id"), {"id": known})
        return
    if known is None:
        add_study(connection, space(name=name), uid, [], patient=f"P{int(uid[2:]) % 3}")
    if what == "retire":
        space_id = space(name=name).id
        embeddings.retire_study(connection, space_id=space_id, study_id=row_of(connection, uid))
    else:
        _write(connection, uid, modalities, name)


STEPS = st.tuples(
    st.sampled_from(["write", "write", "write", "retire", "delete"]),
    st.sampled_from(UIDS),
    st.lists(st.sampled_from(GROUPS), max_size=3),
    st.sampled_from("ab"),
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(STEPS, max_size=12),
    seen=st.integers(0, 12),
    asked=st.sets(st.sampled_from(GROUPS), min_size=1),
)
def test_counts_are_those_of_counting_one_by_one(
    engine: Engine, steps: list[tuple[str, str, list[str], str]], seen: int, asked: set[str]
) -> None:
    """Whatever came, was retired and deleted, and however far behind the index is."""
    index = VectorIndex(space().id, 4)
    with engine.connect() as connection:
        connection.execute(text("TRUNCATE studies, embeddings CASCADE"))
        for name in "ab":
            spaces.use(connection, space(name=name))
        add_study(connection, space(), "2.1", [unit(1, 0, 0, 0)], patient="P1")
        for number, step in enumerate(steps):
            _change(connection, step)
            if number == seen:
                index.catch_up(connection)
        question = search.question_of_study(
            connection, row_of(connection, "2.1"), space=space(), k=1, level=0
        )
        images = [replace(question.images[0], image=reference("2.1.1.1", m)) for m in asked]
        question = replace(question, images=images)
        expected = _one_by_one(connection, index, question)
        assert search.answer(connection, index, question).searched == expected
        for group in ("radiograph", "CT", "MR"):
            held = select(func.count()).where(
                Embedding.space_id == space().id,
                Embedding.modality_group == group,
                Embedding.vector.is_not(None),
            )
            counted = count_images(connection, space_id=space().id, group=group)
            assert counted == connection.execute(held).scalar_one()
        connection.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM embeddings WHERE space_id = 'space-a'",
        "DELETE FROM studies",
        "TRUNCATE embeddings CASCADE",
        "UPDATE embeddings SET vector = NULL, retired_at = now()",
    ],
)
def test_what_is_gone_leaves_no_row_of_counts(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0)])
        add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)], modality="CT")
        connection.execute(text(statement))
        left = text(
            "SELECT (SELECT count(*) FROM image_counts), (SELECT count(*) FROM study_counts)"
        )
        assert tuple(connection.execute(left).one()) == (0, 0)


def test_one_statement_may_change_many_studies_both_ways(engine: Engine) -> None:
    with engine.begin() as connection:
        for number in range(4):
            add_study(connection, space(), f"1.{number}", [unit(1, 0, 0, 0), unit(0, 1, 0, 0)])
        connection.execute(
            text(
                "UPDATE embeddings SET modality_group = CASE WHEN sop_instance_uid LIKE '%.1.1' "
                "THEN 'CT' ELSE modality_group END WHERE study_id <> (SELECT min(id) FROM studies)"
            )
        )
        counted = connection.execute(
            text("SELECT modality_groups, studies FROM study_counts ORDER BY 1")
        )
        assert [tuple(row) for row in counted] == [(["CT", "radiograph"], 3), (["radiograph"], 1)]


def test_rows_of_an_older_version_are_counted_when_it_is_upgraded(engine: Engine) -> None:
    with engine.begin() as connection:
        add_study(connection, space(), "1.1", [unit(1, 0, 0, 0), unit(0, 1, 0, 0)])
        add_study(connection, space(), "1.2", [unit(1, 0, 0, 0)], modality="CT")
        spaces.use(connection, space(name="b"))
        _write(connection, "1.1", ["CR", "CT", "CT"], "b")
    tables = ("image_counts", "study_counts")
    before = [_rows(engine, table) for table in tables]
    command.downgrade(migration_config(engine), "0005")
    migrate(engine)
    assert [_rows(engine, table) for table in tables] == before


def _rows(engine: Engine, table: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [
            tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))
        ]
