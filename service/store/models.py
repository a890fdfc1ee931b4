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
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from resnas.results import TrialState
from service.store.clock import now_ms
from service.store.values import Json, State

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


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
    `crashes` counts the claims that ended without an answer; three are the end, and before each
    new one there is a pause: nobody claims the row before `not_before`.
    """

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default=State.QUEUED)
    owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[int | None] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    crashes: Mapped[int] = mapped_column(Integer, default=0)
    not_before: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[Json | None]
    created_at: Mapped[int] = mapped_column(BigInteger, default=now_ms())
    started_at: Mapped[int | None] = mapped_column(BigInteger)
    finished_at: Mapped[int | None] = mapped_column(BigInteger)


class JobRow(Leased, Base):
    """One accepted JobSpec."""

    __tablename__ = "jobs"
    __table_args__ = (_one_of("state", State), Index(None, "state", "id"))

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
    __table_args__ = (UniqueConstraint("job_id", "number"), _one_of("state", TrialState))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    lam: Mapped[float | None] = mapped_column(Float)
    resizer: Mapped[str | None] = mapped_column(String(200))
    val_accuracy: Mapped[float | None] = mapped_column(Float)
    test_accuracy: Mapped[float | None] = mapped_column(Float)
    macs: Mapped[int | None] = mapped_column(BigInteger)
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
