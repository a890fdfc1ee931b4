"""What the store returns: frozen values, never rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from resnas.errors import InvalidSpec
from resnas.results import Architecture, TrialResult, TrialState
from resnas.spec import JobSpec
from service.errors import Failure

Json = dict[str, Any]


class State(StrEnum):
    """States of a job; an export knows all but the two of cancelling."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


LOCAL = "local"
"""The owner of whatever is asked for with the token of the first start."""

LEASED = (State.RUNNING, State.CANCELLING)
"""States in which a worker holds the lease."""


@dataclass(frozen=True)
class Lease:
    """The right to write about one job or export; void as soon as the attempt is not the latest."""

    id: str
    worker: str
    attempt: int


@dataclass(frozen=True)
class Job:
    """One accepted job and how far it is.

    Attributes:
        spec: a JobSpec as it was accepted; `asked` reads it.
        owner: who handed it in.
        priority: of an owner's jobs the highest is claimed first, of equal ones the oldest.
        events: how many events it has had: the number of the last one.
    """

    id: str
    state: State
    owner: str
    priority: int
    events: int
    spec: Json
    estimate: Json
    trials_done: int
    trials_total: int
    attempt: int
    crashes: int
    error: Failure | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def budget_gmacs(self) -> float:
        """The cost asked for, in GMACs of one sample; 0 where the stored spec has none."""
        found = self.spec.get("budget_gmacs")
        return float(found) if isinstance(found, int | float) else 0.0

    def asked(self) -> JobSpec:
        """What was asked for.

        A job can be listed whatever another version wrote there; it can only be run if this
        version understands it.

        Raises:
            InvalidSpec: this version does not.
        """
        try:
            return JobSpec.model_validate(self.spec)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "all of it"
            raise InvalidSpec(
                f"stored spec of job {self.id}",
                f"{field}: {first['msg']}",
                "Submit the job again; another version of resnas, or somebody by hand, wrote it",
            ) from error


@dataclass(frozen=True)
class Trial:
    """One trial of a job; `result` once it has ended, `progress` of its latest epoch."""

    id: str
    job_id: str
    number: int
    state: TrialState
    result: TrialResult | None
    progress: Json | None
    architecture_id: str | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Point:
    """A completed trial as the front sees it."""

    job_id: str
    number: int
    architecture_id: str
    lam: float | None
    resizer: str
    val_accuracy: float
    test_accuracy: float | None
    macs: int

    @property
    def gmacs(self) -> float:
        """Cost in GMACs of one sample."""
        return self.macs / 1e9


@dataclass(frozen=True)
class StoredArchitecture:
    """An architecture and the trial that found it."""

    id: str
    job_id: str
    architecture: Architecture
    result: TrialResult
    created_at: datetime


@dataclass(frozen=True)
class Export:
    """One architecture asked for as a file; `manifest` and the rest once it is there."""

    id: str
    architecture_id: str
    format: str
    multiple_of: int
    state: State
    crashes: int
    file_name: str | None
    size: int | None
    sha256: str | None
    manifest: Json | None
    error: Failure | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Happening:
    """One event of a job: `state`, `epoch` or `trial`, numbered from 1 without a gap."""

    number: int
    kind: str
    data: Json
    created_at: datetime
