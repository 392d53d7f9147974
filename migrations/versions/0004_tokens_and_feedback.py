"""Access tokens of the HTTP service, and what readers say of hits.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _time(name: str, *, now: bool = False) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text("now()") if now else None,
        nullable=not now,
    )


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        _time("created_at", now=True),
        _time("expires_at"),
        _time("revoked_at"),
        _time("last_used_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_tokens_name")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("query_study_id", sa.BigInteger(), nullable=False),
        sa.Column("hit_study_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("space_id", sa.Text(), nullable=True),
        sa.Column("rank", sa.BigInteger(), nullable=True),
        sa.Column("filters", postgresql.JSONB(), nullable=False),
        _time("given_at", now=True),
        sa.CheckConstraint(
            "verdict IN ('similar', 'not similar')", name=op.f("ck_feedback_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["query_study_id"],
            ["studies.id"],
            name=op.f("fk_feedback_query_study_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["hit_study_id"],
            ["studies.id"],
            name=op.f("fk_feedback_hit_study_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint(
            "query_study_id", "hit_study_id", "given_by", name=op.f("uq_feedback_query_study_id")
        ),
    )
    op.create_index("ix_feedback_hit", "feedback", ["hit_study_id"])


def downgrade() -> None:
    op.drop_table("feedback")
    op.drop_table("tokens")
