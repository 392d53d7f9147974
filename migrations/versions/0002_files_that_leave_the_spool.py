"""Files that leave the spool, the node that holds each file, and who sent a study.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WITH_FILE = sa.text("spool_name IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "surplus_files",
        sa.Column("spool_name", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("spool_name", name=op.f("pk_surplus_files")),
    )
    op.alter_column("instances", "spool_name", nullable=True)
    op.add_column("instances", sa.Column("node", sa.Text(), server_default="", nullable=False))
    op.execute(
        "UPDATE instances SET node = studies.received_by FROM series"
        " JOIN studies ON studies.id = series.study_id WHERE series.id = instances.series_id"
    )
    op.create_index(
        "ix_instances_files", "instances", ["node", "series_id"], postgresql_where=WITH_FILE
    )
    for column in ("callers", "unanswered"):
        op.add_column(
            "studies",
            sa.Column(
                column, postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
            ),
        )
    op.execute(
        "UPDATE studies SET callers = sent.callers FROM (SELECT series.study_id,"
        " array_agg(DISTINCT instances.calling_ae) AS callers FROM instances"
        " JOIN series ON series.id = instances.series_id GROUP BY series.study_id) AS sent"
        " WHERE sent.study_id = studies.id"
    )
    op.execute(
        "UPDATE studies SET unanswered = ARRAY[calling_ae] WHERE state IN ('open', 'queued')"
    )
    _allow_states("open", "queued", "indexed", "answered", "failed")


def downgrade() -> None:
    op.execute("UPDATE studies SET state = 'indexed' WHERE state = 'answered'")
    _allow_states("open", "queued", "indexed", "failed")
    for column in ("unanswered", "callers"):
        op.drop_column("studies", column)
    op.drop_index("ix_instances_files", table_name="instances", postgresql_where=WITH_FILE)
    op.drop_column("instances", "node")
    # the older schema has no word for a file that is gone
    op.execute("UPDATE instances SET spool_name = 'gone/' || id WHERE spool_name IS NULL")
    op.alter_column("instances", "spool_name", nullable=False)
    op.drop_table("surplus_files")


def _allow_states(*states: str) -> None:
    op.drop_constraint(op.f("ck_studies_state"), "studies", type_="check")
    listed = ", ".join(f"'{state}'" for state in states)
    op.create_check_constraint(op.f("ck_studies_state"), "studies", f"state IN ({listed})")
