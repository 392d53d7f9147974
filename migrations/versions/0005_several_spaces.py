"""Spaces that are filled beside the one that answers.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("maker", "progress"):
        op.add_column(
            "spaces",
            sa.Column(name, postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        )
    op.add_column("spaces", sa.Column("wanted_since", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("spaces", "used_since", nullable=True, server_default=None)


def downgrade() -> None:
    op.execute("UPDATE spaces SET used_since = '-infinity' WHERE used_since IS NULL")
    op.alter_column("spaces", "used_since", nullable=False, server_default=sa.text("now()"))
    for name in ("maker", "progress", "wanted_since"):
        op.drop_column("spaces", name)
