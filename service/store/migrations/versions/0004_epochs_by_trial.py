"""Epochs are found by their trial."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("trial", sa.Integer(), nullable=True))
    events = sa.table(
        "events",
        sa.column("kind", sa.String()),
        sa.column("trial", sa.Integer()),
        sa.column("data", sa.JSON()),
    )
    of = events.c.data["trial"].as_integer()
    op.execute(sa.update(events).where(events.c.kind == "epoch").values(trial=of))
    op.create_index(op.f("ix_events_job_id_trial_number"), "events", ["job_id", "trial", "number"])


def downgrade() -> None:
    op.drop_index(op.f("ix_events_job_id_trial_number"), "events")
    op.drop_column("events", "trial")
