"""The tables. Portable types only; times are milliseconds since 1970 UTC, see `clock`."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from resnas.results import TrialState
from service.store.clock import now_ms
from service.store.values import LOCAL, Json, State

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


INTERRUPTED = text("interrupted")
"""As an index and its query have to say it alike."""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMING)
    type_annotation_map = {Json: JSON(none_as_null=True)}  # noqa: RUF012 - declarative's own form


def _one_of(column: str, names: type[State] | type[TrialState]) -> CheckConstraint:
    quoted = ", ".join(f"'{name}'" for name in names)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


class Leased:
    """What a worker claims: a state, and who may write about it until when.

    `attempt` counts every claim and is the fence: writes of an older attempt change nothing.
    `crashes` counts the claims in a row that ended without an answer and without any progress;
    so many are the end, and before each new one there is a pause: nobody claims the row before
    `not_before`.
    """

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default=State.QUEUED)
    worker: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[int | None] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    crashes: Mapped[int] = mapped_column(Integer, default=0)
    not_before: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[Json | None]
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_ms())
    started_at: Mapped[int | None] = mapped_column(BigInteger)
    finished_at: Mapped[int | None] = mapped_column(BigInteger)


class JobRow(Leased, Base):
    """One accepted JobSpec.

    `rank` is minus its priority: of an owner's jobs the smallest is claimed first. `events` is how
    many events it has had, which makes their numbers free of gaps. `reached` is the furthest epoch
    of each trial that has not ended, by number: what no earlier attempt got to is progress.
    `interrupted` is a queued job that was at work: it goes on before any other begins.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        _one_of("state", State),
        Index(None, "state", "id"),
        Index(None, "state", "owner", "rank", "id"),  # a claim
        Index(None, "owner", "started_at"),  # whose turn it is
        Index(
            "ix_jobs_interrupted",
            *("not_before", "id"),
            sqlite_where=INTERRUPTED,
            postgresql_where=INTERRUPTED,
        ),  # what goes on before any other begins
        Index(None, "owner", "id"),  # an owner's list
        Index(None, "backbone", "dataset"),  # a front across jobs
    )

    owner: Mapped[str] = mapped_column(String(64), default=LOCAL, server_default=LOCAL)
    rank: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    events: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    reached: Mapped[Json | None]
    interrupted: Mapped[bool] = mapped_column(default=False, server_default=false())
    backbone: Mapped[str] = mapped_column(String(200), default="", server_default="")
    dataset: Mapped[str] = mapped_column(String(200), default="", server_default="")
    spec: Mapped[Json]
    estimate: Mapped[Json]
    trials_done: Mapped[int] = mapped_column(Integer, default=0)
    trials_total: Mapped[int] = mapped_column(Integer)


class ArchitectureRow(Base):
    """The resolutions that one trial found."""

    __tablename__ = "architectures"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    document: Mapped[Json]
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_ms())


class TrialRow(Base):
    """One trial: `result` is the truth, the columns beside it are what queries look at."""

    __tablename__ = "trials"
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        _one_of("state", TrialState),
        Index(None, "job_id", "state", "macs", "val_accuracy"),  # a front
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    lam: Mapped[float | None] = mapped_column(Float)
    resizer: Mapped[str | None] = mapped_column(String(200))
    val_accuracy: Mapped[float | None] = mapped_column(Float)
    test_accuracy: Mapped[float | None] = mapped_column(Float)
    macs: Mapped[int | None] = mapped_column(BigInteger)
    latency_ms: Mapped[float | None] = mapped_column(Float)
    result: Mapped[Json | None]
    progress: Mapped[Json | None]
    architecture_id: Mapped[str | None] = mapped_column(ForeignKey("architectures.id"), index=True)
    started_at: Mapped[int] = mapped_column(BigInteger, default=now_ms())
    finished_at: Mapped[int | None] = mapped_column(BigInteger)


class ExportRow(Leased, Base):
    """One architecture asked for as a file."""

    __tablename__ = "exports"
    __table_args__ = (_one_of("state", State), Index(None, "state", "id"))

    architecture_id: Mapped[str] = mapped_column(ForeignKey("architectures.id"), index=True)
    format: Mapped[str] = mapped_column(String(32))
    multiple_of: Mapped[int] = mapped_column(default=1, server_default="1")
    file_name: Mapped[str | None] = mapped_column(String(200))
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    manifest: Mapped[Json | None]


class EventRow(Base):
    """Something that happened to a job; `number` counts from 1 without a gap.

    `trial` is the number of the trial that an epoch is of.
    """

    __tablename__ = "events"
    __table_args__ = (Index(None, "job_id", "trial", "number"),)  # a curve

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    trial: Mapped[int | None] = mapped_column(Integer)
    data: Mapped[Json]
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_ms())


class KeyRow(Base):
    """An API key: the SHA-256 of its text, and what it is good for.

    `scopes` is a list with spaces between. `prefix` is how its text begins, for a person.
    """

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[str] = mapped_column(String(64))
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_ms())
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)


class InstallationRow(Base):
    """What tells this database from others: the one row's id."""

    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)


class RequestRow(Base):
    """A request that carried an Idempotency-Key, until its time is over.

    `digest` is of what was asked. `status` and `answer` are null while it is in flight.
    """

    __tablename__ = "requests"
    __table_args__ = (Index(None, "until"),)

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[Json | None]
    until: Mapped[int] = mapped_column(BigInteger)
