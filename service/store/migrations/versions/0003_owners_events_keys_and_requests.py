"""Owners and priorities of jobs, their events, API keys, and requests that may be repeated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.store.ids import new_id

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("jobs", "exports"):  # the owner is now whose job it is
        op.alter_column(table, "owner", new_column_name="worker")
    owner = sa.Column("owner", sa.String(length=64), nullable=False, server_default="local")
    op.add_column("jobs", owner)
    for name in ("rank", "events"):
        op.add_column("jobs", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("reached", sa.JSON(none_as_null=True), nullable=True))
    _copy_facts_of_specs()
    op.add_column("trials", sa.Column("latency_ms", sa.Float(), nullable=True))
    op.create_index(op.f("ix_jobs_state_owner_rank_id"), "jobs", ["state", "owner", "rank", "id"])
    op.create_index(op.f("ix_jobs_owner_started_at"), "jobs", ["owner", "started_at"])
    op.create_index(op.f("ix_jobs_owner_id"), "jobs", ["owner", "id"])
    op.create_index(
        op.f("ix_trials_job_id_state_macs_val_accuracy"),
        "trials",
        ["job_id", "state", "macs", "val_accuracy"],
    )
    _create_events()
    _create_keys()
    _create_requests()
    installation = op.create_table(
        "installation",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.execute(sa.insert(installation).values(id=new_id()))


def _copy_facts_of_specs() -> None:
    for name in ("backbone", "dataset"):
        column = sa.Column(name, sa.String(length=200), nullable=False, server_default="")
        op.add_column("jobs", column)
    op.create_index(op.f("ix_jobs_backbone_dataset"), "jobs", ["backbone", "dataset"])
    jobs = sa.table(
        "jobs",
        sa.column("id", sa.String()),
        sa.column("spec", sa.JSON()),
        sa.column("backbone", sa.String()),
        sa.column("dataset", sa.String()),
    )
    connection = op.get_bind()
    for job_id, spec in connection.execute(sa.select(jobs.c.id, jobs.c.spec)).all():
        found = spec if isinstance(spec, dict) else {}
        facts = {name: str(found.get(name, ""))[:200] for name in ("backbone", "dataset")}
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**facts))


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_events_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_events")),
    )


def _create_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
    )


def _create_requests() -> None:
    op.create_table(
        "requests",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_requests")),
    )
    op.create_index(op.f("ix_requests_until"), "requests", ["until"])


def downgrade() -> None:
    for table in ("installation", "requests", "keys", "events"):
        op.drop_table(table)
    op.drop_index(op.f("ix_trials_job_id_state_macs_val_accuracy"), "trials")
    for columns in ("backbone_dataset", "state_owner_rank_id", "owner_started_at", "owner_id"):
        op.drop_index(op.f(f"ix_jobs_{columns}"), "jobs")
    op.drop_column("trials", "latency_ms")
    for name in ("dataset", "backbone", "reached", "events", "rank", "owner"):
        op.drop_column("jobs", name)
    for table in ("jobs", "exports"):
        op.alter_column(table, "worker", new_column_name="owner")
