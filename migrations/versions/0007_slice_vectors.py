"""Slice vectors of CT and MR series, kept as a set beside the vector of their middle slice.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slice_vectors",
        sa.Column("embedding_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("vectors", sa.LargeBinary(), nullable=False),
        sa.Column("images", postgresql.JSONB(), nullable=False),
        sa.Column("left_out", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("produced_by", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("count > 0", name=op.f("ck_slice_vectors_count")),
        sa.ForeignKeyConstraint(
            ["embedding_id"],
            ["embeddings.id"],
            name=op.f("fk_slice_vectors_embedding_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("embedding_id", name=op.f("pk_slice_vectors")),
    )


def downgrade() -> None:
    op.drop_table("slice_vectors")
