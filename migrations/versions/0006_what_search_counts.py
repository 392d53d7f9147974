"""Counts of what can be found, kept by triggers; sketches for percentiles; indexes for filters.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Planned anew for each statement: a plan that was kept since the table was small would read all
# of it for one study. The study's rows are read back by their index, one study after another;
# IS TRUE keeps the planner from an index by space, which a table without statistics invites to.
# Rows are counted up in the order of their keys, so that two who delete do not block each other.
COUNT = """
CREATE FUNCTION count_embeddings() RETURNS trigger LANGUAGE plpgsql AS $function$
DECLARE
  came text := 'SELECT space_id, study_id, modality_group, 1 AS more FROM came
                WHERE vector IS NOT NULL';
  gone text := 'SELECT space_id, study_id, modality_group, -1 AS more FROM gone
                WHERE vector IS NOT NULL';
BEGIN
  EXECUTE format($counting$
    WITH changed AS (
      SELECT space_id, study_id, modality_group, sum(more)::bigint AS more
      FROM (%s) AS rows GROUP BY 1, 2, 3 HAVING sum(more) <> 0
    ), images AS (
      INSERT INTO image_counts AS known (space_id, modality_group, images)
      SELECT space_id, modality_group, sum(more) FROM changed GROUP BY 1, 2 ORDER BY 1, 2
      ON CONFLICT (space_id, modality_group)
      DO UPDATE SET images = known.images + excluded.images
    ), stands AS (
      SELECT space_id, study_id, modality_group, images
      FROM (SELECT DISTINCT space_id, study_id FROM changed) AS study CROSS JOIN LATERAL (
        SELECT modality_group, count(*) AS images FROM embeddings AS held
        WHERE held.study_id = study.study_id AND (held.space_id = study.space_id) IS TRUE
          AND held.vector IS NOT NULL
        GROUP BY modality_group
      ) AS held
    ), of_study AS (
      SELECT
        array_agg(modality_group ORDER BY modality_group COLLATE "C")
          FILTER (WHERE coalesce(images, 0) - coalesce(more, 0) > 0) AS before,
        array_agg(modality_group ORDER BY modality_group COLLATE "C")
          FILTER (WHERE images > 0) AS after,
        space_id
      FROM stands FULL JOIN changed USING (space_id, study_id, modality_group)
      GROUP BY space_id, study_id
    ), moved AS (
      SELECT space_id, before AS modality_groups, -1 AS more FROM of_study
      WHERE before IS DISTINCT FROM after
      UNION ALL
      SELECT space_id, after, 1 FROM of_study WHERE before IS DISTINCT FROM after
    )
    INSERT INTO study_counts AS known (space_id, modality_groups, studies)
    SELECT space_id, modality_groups, sum(more) FROM moved WHERE modality_groups IS NOT NULL
    GROUP BY 1, 2 HAVING sum(more) <> 0 ORDER BY 1, 2
    ON CONFLICT (space_id, modality_groups)
    DO UPDATE SET studies = known.studies + excluded.studies
  $counting$, CASE TG_OP
    WHEN 'INSERT' THEN came WHEN 'DELETE' THEN gone ELSE came || ' UNION ALL ' || gone
  END);
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM image_counts WHERE images = 0;
    DELETE FROM study_counts WHERE studies = 0;
  END IF;
  RETURN NULL;
END $function$
"""
FORGET = """
CREATE FUNCTION forget_embeddings() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
  DELETE FROM image_counts;
  DELETE FROM study_counts;
  RETURN NULL;
END $function$
"""
TRIGGERS = {
    "INSERT": "REFERENCING NEW TABLE AS came",
    "UPDATE": "REFERENCING NEW TABLE AS came OLD TABLE AS gone",
    "DELETE": "REFERENCING OLD TABLE AS gone",
    "TRUNCATE": "",
}
"""By what they come after, with what the function is to know of it."""
COUNT_IMAGES = """
INSERT INTO image_counts (space_id, modality_group, images)
SELECT space_id, modality_group, count(*) FROM embeddings WHERE vector IS NOT NULL GROUP BY 1, 2
"""
COUNT_STUDIES = """
INSERT INTO study_counts (space_id, modality_groups, studies)
SELECT space_id, modality_groups, count(*) FROM (
  SELECT space_id,
    array_agg(DISTINCT modality_group COLLATE "C" ORDER BY modality_group COLLATE "C")
      AS modality_groups
  FROM embeddings WHERE vector IS NOT NULL GROUP BY space_id, study_id
) AS of_study GROUP BY 1, 2
"""


def upgrade() -> None:
    op.add_column(
        "queries",
        sa.Column("asked_with", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.create_table(
        "image_counts",
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("modality_group", sa.Text(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "modality_group", name=op.f("pk_image_counts")),
    )
    op.create_table(
        "study_counts",
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("modality_groups", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("studies", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("space_id", "modality_groups", name=op.f("pk_study_counts")),
    )
    _sketches()
    op.create_index(
        "ix_studies_date", "studies", [sa.text("replace(study_date, '.'::text, ''::text)")]
    )
    op.create_index(
        "ix_labels_present",
        "labels",
        ["name", "study_id"],
        postgresql_where=sa.text("value = 1"),
    )
    # the triggers first: from here on nobody else writes embeddings until all is counted
    for statement in (COUNT, FORGET, *map(_trigger, TRIGGERS), COUNT_IMAGES, COUNT_STUDIES):
        op.execute(statement)


def _trigger(event: str) -> str:
    function = "forget_embeddings" if event == "TRUNCATE" else "count_embeddings"
    return (
        f"CREATE TRIGGER count_at_{event.lower()} AFTER {event} ON embeddings "
        f"{TRIGGERS[event]} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )


def _sketches() -> None:
    op.create_table(
        "similarity_sketches",
        sa.Column("space_id", sa.Text(), nullable=False),
        sa.Column("modality_group", sa.Text(), nullable=False),
        sa.Column("quantiles", sa.LargeBinary(), nullable=False),
        sa.Column("pairs", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["spaces.id"],
            name=op.f("fk_similarity_sketches_space_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("space_id", "modality_group", name=op.f("pk_similarity_sketches")),
    )


def downgrade() -> None:
    op.drop_index("ix_labels_present", "labels")
    op.drop_index("ix_studies_date", "studies")
    for event in TRIGGERS:
        op.execute(f"DROP TRIGGER count_at_{event.lower()} ON embeddings")
    for name in ("count_embeddings", "forget_embeddings"):
        op.execute(f"DROP FUNCTION {name}")
    for name in ("similarity_sketches", "study_counts", "image_counts"):
        op.drop_table(name)
    op.drop_column("queries", "asked_with")
