"""What the API answers and is asked, beside the library's own JobSpec."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from resnas.catalog import exporters
from resnas.results import Architecture, Size, TrialResult, TrialState, Value
from resnas.spec import Layers, Names, Place
from service.errors import Failure
from service.store.values import Export, Happening, Job, Point, State, StoredArchitecture, Trial

Item = TypeVar("Item")


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)


class Page(Answer, Generic[Item]):
    """A part of a list; `next_cursor` asks for the next part, null where this was the last."""

    items: list[Item]
    next_cursor: str | None = None


class Named(Answer):
    """An entry of a catalogue."""

    name: str
    about: str


class BackbonePage(Page[Named]):
    """Backbones, and how to ask for more of them."""

    patterns: tuple[str, ...] = Field(description="for `match`: what is listed only when asked for")


class PointAnswer(Answer):
    """A trained architecture as a front shows it; costs in GMACs of one sample."""

    architecture_id: str
    job_id: str
    trial: int = Field(description="its number within the job")
    resizer: str
    lam: float | None = Field(description="weight of GMACs in the loss, per GMAC")
    aim: str | None = Field(None, description="what set its cost, for a person to read")
    seed: int | None = None
    val_accuracy: float
    spread: float | None = Field(None, description="one standard error of `val_accuracy`")
    test_accuracy: float | None
    gmacs: float
    dominated: bool = False
    sizes: dict[str, Size] | None = Field(None, description="(H, W) behind each site")

    @classmethod
    def of(
        cls, point: Point, result: TrialResult | None = None, *, dominated: bool = False
    ) -> Self:
        """The answer for a stored point, and what its trial came to where that is stored."""
        architecture = result and result.architecture
        return cls(
            architecture_id=point.architecture_id,
            job_id=point.job_id,
            trial=point.number,
            resizer=point.resizer,
            lam=point.lam,
            aim=result and result.aim,
            seed=result and result.seed,
            val_accuracy=point.val_accuracy,
            spread=result and result.spread,
            test_accuracy=point.test_accuracy,
            gmacs=point.gmacs,
            dominated=dominated,
            sizes=architecture and architecture.sizes,
        )


class JobAnswer(Answer):
    """One job: what was asked, how far it is, what was found."""

    id: str
    owner: str
    state: State
    priority: int = Field(description="of its owner's jobs the highest runs first")
    spec: dict[str, Any] = Field(description="as it was accepted, defaults filled in")
    trials_done: int
    trials_total: int
    best: PointAnswer | None = Field(description="the most accurate within the budget so far")
    seconds_left: float | None = Field(
        None, description="until its last trial ends, guessed; null: not running, or not known"
    )
    error: Failure | None = Field(description="why it failed, or why it is tried again")
    crashes: int = Field(description="attempts in a row that ended without any progress")
    events: int = Field(description="the number of its last event")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    estimate: dict[str, Any] = Field(description="what its search space reaches, in GMACs")

    @classmethod
    def of(
        cls, job: Job, best: PointAnswer | None = None, seconds_left: float | None = None
    ) -> Self:
        """The answer for a stored job."""
        return cls(
            id=job.id,
            owner=job.owner,
            state=job.state,
            priority=job.priority,
            spec=job.spec,
            trials_done=job.trials_done,
            trials_total=job.trials_total,
            best=best,
            seconds_left=seconds_left,
            error=job.error,
            crashes=job.crashes,
            events=job.events,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            estimate=job.estimate,
        )


class EventAnswer(Answer):
    """Something that happened to a job."""

    id: int = Field(description="counts from 1 without a gap")
    event: Literal["state", "epoch", "trial"]
    data: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, event: Happening) -> Self:
        """The answer for a stored event."""
        return cls(id=event.number, event=event.kind, data=event.data, created_at=event.created_at)


class TrialAnswer(Answer):
    """One trial; what is not known before it has ended is null until then."""

    id: str
    number: int
    state: TrialState
    resizer: str | None = None
    lam: float | None = None
    controller: str | None = None
    budget_gmacs: float | None = Field(None, description="what it had to land on")
    aim: str | None = Field(None, description="what sets its cost, for a person to read")
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    gmacs: float | None = None
    params: int | None = None
    seed: int | None = None
    reason: str | None = None
    architecture_id: str | None
    progress: dict[str, Any] | None = Field(description="its latest epoch")
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, trial: Trial) -> Self:
        """The answer for a stored trial."""
        known = trial.result.model_dump(include=_TRIAL_FACTS) if trial.result else {}
        known |= {"aim": trial.result.aim} if trial.result else {}
        return cls(
            **known,
            gmacs=trial.result.gmacs if trial.result else None,
            id=trial.id,
            number=trial.number,
            state=trial.state,
            architecture_id=trial.architecture_id,
            progress=trial.progress,
            started_at=trial.started_at,
            finished_at=trial.finished_at,
        )


_TRIAL_FACTS = {
    "resizer",
    "lam",
    "controller",
    "budget_gmacs",
    "val_accuracy",
    "test_accuracy",
    "params",
    "seed",
    "reason",
}


class ArchitectureAnswer(Answer):
    """An architecture and the trial that found it."""

    id: str
    job_id: str
    architecture: Architecture
    trial: TrialResult
    gmacs: float | None
    spread: float | None = Field(description="one standard error of the validation accuracy")
    aim: str = Field(description="what set its cost, for a person to read")
    created_at: datetime

    @classmethod
    def of(cls, found: StoredArchitecture) -> Self:
        """The answer for a stored architecture."""
        return cls(
            id=found.id,
            job_id=found.job_id,
            architecture=found.architecture,
            trial=found.result,
            gmacs=found.result.gmacs,
            spread=found.result.spread,
            aim=found.result.aim,
            created_at=found.created_at,
        )


class ExportAnswer(Answer):
    """An export; its file is at `…/content` once it has succeeded."""

    id: str
    architecture_id: str
    format: str
    multiple_of: int = Field(description="of what the learned sizes were made multiples")
    state: State
    filename: str | None
    size: int | None = Field(description="bytes")
    sha256: str | None
    manifest: dict[str, Any] | None
    error: Failure | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, export: Export) -> Self:
        """The answer for a stored export."""
        return cls(
            id=export.id,
            architecture_id=export.architecture_id,
            format=export.format,
            multiple_of=export.multiple_of,
            state=export.state,
            filename=export.file_name,
            size=export.size,
            sha256=export.sha256,
            manifest=export.manifest,
            error=export.error,
            created_at=export.created_at,
            finished_at=export.finished_at,
        )


class ExportRequest(Value):
    """Which file to write."""

    format: str = Field("onnx", max_length=32, json_schema_extra={"enum": list(exporters.names())})
    multiple_of: Annotated[int, Field(strict=True, ge=1, le=256)] = 1


class EstimateRequest(Value):
    """What to estimate."""

    backbone: str = Field(min_length=1, max_length=200)
    dataset: str = Field(min_length=1, max_length=200)
    resizer: Names = ("dynopool",)
    place: Place | None = None
    layers: Layers = ()


class Health(Answer):
    """That the server is there."""

    status: str = "ok"
