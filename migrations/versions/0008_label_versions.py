"""Where labels come from, version by version, and the words that were superseded.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What stands so far is each source's first version: files and HTTP were the only ways in.
FIRST_VERSIONS = """
INSERT INTO label_imports (source, version, kind, words, made_at)
SELECT source, 1, CASE WHEN source LIKE 'http:%' THEN 'http' ELSE 'csv' END, count(*),
  min(created_at)
FROM labels GROUP BY source ORDER BY min(created_at), source
"""
OF_THE_FIRST = """
UPDATE labels SET import_id = label_imports.id
FROM label_imports WHERE label_imports.source = labels.source
"""


def upgrade() -> None:
    op.create_table(
        "label_imports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("words", sa.BigInteger(), nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('csv', 'dicom', 'report', 'http', 'removal')",
            name=op.f("ck_label_imports_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_imports")),
        sa.UniqueConstraint("source", "version", name=op.f("uq_label_imports_source")),
    )
    op.add_column("labels", sa.Column("import_id", sa.BigInteger(), nullable=True))
    op.execute(FIRST_VERSIONS)
    op.execute(OF_THE_FIRST)
    op.alter_column("labels", "import_id", nullable=False)
    op.create_foreign_key(
        op.f("fk_labels_import_id"), "labels", "label_imports", ["import_id"], ["id"]
    )
    _superseded()


def _superseded() -> None:
    op.create_table(
        "superseded_labels",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("scheme", sa.Text(), nullable=True),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("superseded_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"],
            ["studies.id"],
            name=op.f("fk_superseded_labels_study_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["label_imports.id"], name=op.f("fk_superseded_labels_import_id")
        ),
        sa.ForeignKeyConstraint(
            ["superseded_by"],
            ["label_imports.id"],
            name=op.f("fk_superseded_labels_superseded_by"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_superseded_labels")),
    )
    op.create_index("ix_superseded_labels_study", "superseded_labels", ["study_id"])


def downgrade() -> None:
    op.drop_table("superseded_labels")
    op.drop_constraint("fk_labels_import_id", "labels", type_="foreignkey")
    op.drop_column("labels", "import_id")
    op.drop_table("label_imports")
