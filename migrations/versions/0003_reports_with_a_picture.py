"""Reports with a picture, storage commitment for what was sent, and the key of case numbers.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WITH_PICTURE = sa.text("picture_dicom IS NOT NULL")
NOT_COMMITTED = sa.text("commitment IN ('wanted', 'asked')")


def upgrade() -> None:
    op.add_column("reports", sa.Column("picture_sop_instance_uid", sa.Text(), nullable=True))
    op.add_column("reports", sa.Column("picture_dicom", sa.LargeBinary(), nullable=True))
    op.create_unique_constraint(
        op.f("uq_reports_picture_sop_instance_uid"), "reports", ["picture_sop_instance_uid"]
    )
    op.add_column(
        "reports", sa.Column("privacy", sa.Text(), server_default="identified", nullable=False)
    )
    op.create_index("ix_reports_pictures", "reports", ["created_at"], postgresql_where=WITH_PICTURE)
    op.add_column("sends", sa.Column("taken", postgresql.JSONB(), nullable=True))
    op.add_column("sends", sa.Column("commitment", sa.Text(), nullable=True))
    op.add_column(
        "sends", sa.Column("commitment_asked_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("sends", sa.Column("transaction_uid", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_sends_transaction_uid"), "sends", ["transaction_uid"])
    op.create_check_constraint(
        op.f("ck_sends_commitment"),
        "sends",
        "commitment IN ('wanted', 'asked', 'committed', 'failed')",
    )
    op.create_index(
        "ix_sends_commitment",
        "sends",
        ["node", "run_after"],
        postgresql_where=NOT_COMMITTED,
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )

    op.create_table(
        "case_lookups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Text(), nullable=False),
        sa.Column("found", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_lookups")),
    )


def downgrade() -> None:
    op.drop_table("case_lookups")
    op.drop_table("secrets")
    op.drop_index("ix_sends_commitment", table_name="sends", postgresql_where=NOT_COMMITTED)
    for column in ("transaction_uid", "commitment_asked_at", "commitment", "taken"):
        op.drop_column("sends", column)
    op.drop_index("ix_reports_pictures", table_name="reports", postgresql_where=WITH_PICTURE)
    for column in ("privacy", "picture_dicom", "picture_sop_instance_uid"):
        op.drop_column("reports", column)
