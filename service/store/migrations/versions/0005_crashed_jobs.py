"""Jobs that crashed and wait to go on are found at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CRASHED = sa.text("crashes > 0")


def upgrade() -> None:
    op.create_index(
        "ix_jobs_crashed",
        "jobs",
        ["state", "owner", "not_before"],
        sqlite_where=_CRASHED,
        postgresql_where=_CRASHED,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_crashed", "jobs")
