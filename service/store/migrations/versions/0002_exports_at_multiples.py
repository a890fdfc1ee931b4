"""Exports whose sizes are multiples of a number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("multiple_of", sa.Integer(), nullable=False, server_default="1")
    op.add_column("exports", column)


def downgrade() -> None:
    op.drop_column("exports", "multiple_of")
