"""Jobs that were at work and wait to go on are found at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INTERRUPTED = sa.text("interrupted")


def upgrade() -> None:
    no = sa.false()
    op.add_column("jobs", sa.Column("interrupted", sa.Boolean(), server_default=no, nullable=False))
    op.create_index(
        "ix_jobs_interrupted",
        "jobs",
        ["not_before", "id"],
        sqlite_where=_INTERRUPTED,
        postgresql_where=_INTERRUPTED,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_interrupted", "jobs")
    op.drop_column("jobs", "interrupted")
