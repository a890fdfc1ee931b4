"""What the server answers, as frozen values that tolerate the fields of a newer server.

Unknown fields are kept, so that what a program prints as JSON is what the server said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from resnas.notebook import frame, gmacs, share
from resnas.results import Architecture, Size, TrialResult
from service import cells

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from resnas.backbones import Builder
    from resnas.plots import Mark

ENDED = frozenset({"succeeded", "failed", "cancelled"})
_PLAIN_NAME = re.compile(r"[\w-][\w.-]{0,200}")


class Answer(BaseModel):
    """A frozen value that keeps fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Failure(Answer):
    """Why a job or an export failed."""

    place: str
    found: str
    next_step: str
    reason: str | None = Field(None, description="for programs: error, crashed, lost, poison, ...")

    def __str__(self) -> str:
        return f"{self.place}: {self.found}. {self.next_step}"


class Spec(Answer):
    """What was asked for; see `resnas.spec.JobSpec` for all of its fields."""

    backbone: str
    dataset: str
    budget_gmacs: float
    layers: tuple[str, ...] = ()


class FrontPoint(Answer):
    """A trained architecture and what it achieves."""

    architecture_id: str
    val_accuracy: float
    gmacs: float
    test_accuracy: float | None = None
    resizer: str | None = None
    lam: float | None = None
    seed: int | None = None
    spread: float | None = Field(None, description="one standard error of the accuracy")
    aim: str | None = Field(None, description="what sets its cost, for a person to read")
    trial: int | None = Field(None, description="its number within the job")
    job_id: str | None = None
    dominated: bool = False
    sizes: dict[str, Size] | None = None

    def mark(self) -> Mark:
        """The point as the figures of `resnas.plots` take it."""
        from resnas.plots import Mark

        return Mark(
            id=self.architecture_id,
            gmacs=self.gmacs,
            val_accuracy=self.val_accuracy,
            spread=self.spread,
            test_accuracy=self.test_accuracy,
            trial=self.trial,
            resizer=self.resizer or "",
            aim=self.aim,
            lam=self.lam,
            seed=self.seed,
            sizes=self.sizes,
            dominated=self.dominated,
            job=self.job_id,
        )

    def __str__(self) -> str:
        return f"{share(self.val_accuracy, self.spread)} at {gmacs(self.gmacs)} GMACs"


class Front(Answer):
    """The architectures of a job that no other one beats in both accuracy and cost."""

    points: list[FrontPoint]
    best_under_budget: FrontPoint | None = None
    knee: FrontPoint | None = None
    hypervolume: float | None = None
    counter: str | None = None

    def plot(self, budget_gmacs: float | None = None, human_gmacs: float | None = None) -> Figure:
        """Accuracy over GMACs, with the best under the budget and the knee.

        Args:
            budget_gmacs: drawn as a line; `job.spec.budget_gmacs`.
            human_gmacs: drawn as a line; `client.estimate(...).human_gmacs`.
        """
        from resnas.plots import front

        return front(
            [point.mark() for point in self.points],
            budget_gmacs=budget_gmacs,
            human_gmacs=human_gmacs,
            best=None if self.best_under_budget is None else self.best_under_budget.architecture_id,
            knee=None if self.knee is None else self.knee.architecture_id,
        )

    def to_dataframe(self) -> DataFrame:
        """The points, a row each; sizes are two columns a site.

        Raises:
            ResnasError: pandas is not installed.
        """
        return cells.frame_of(self)

    def _repr_html_(self) -> str:
        return cells.of_front(self)


class Accepted(Answer):
    """Something that the server has agreed to do."""

    id: str
    state: str
    error: Failure | None = Field(None, description="why it failed, or is tried again")

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ENDED

    def failure(self) -> Failure | None:
        """Why it ended otherwise than it should; null where it succeeded, or has not ended."""
        if not self.ended or self.state == "succeeded":
            return None
        unsaid = Failure(place=self.id, found=f"it is {self.state}", next_step="Ask for it again")
        return self.error or unsaid


class Job(Accepted):
    """One accepted job."""

    spec: Spec
    trials_done: int
    trials_total: int
    best: FrontPoint | None = None
    created_at: str | None = None
    owner: str | None = None
    priority: int = 0
    events: int | None = Field(None, description="the number of its last event")
    seconds_left: float | None = Field(None, description="estimated; null: unknown, or ended")

    def _repr_html_(self) -> str:
        return cells.of_job(self)


class Happening(Answer):
    """Something that happened to a job."""

    id: int
    event: str
    data: dict[str, Any]


class Trial(Answer):
    """One training of a job."""

    id: str
    state: str
    number: int | None = None
    resizer: str | None = None
    lam: float | None = None
    controller: str | None = None
    aim: str | None = None
    budget_gmacs: float | None = None
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    gmacs: float | None = None
    architecture_id: str | None = None
    progress: dict[str, Any] | None = Field(None, description="its latest epoch")
    reason: str | None = None

    @property
    def epochs(self) -> tuple[int, int] | None:
        """Epochs done and epochs to do; null before the first has ended."""
        if self.progress is None:
            return None
        return int(self.progress.get("epoch", 0)), int(self.progress.get("epochs", 0))

    @property
    def standing(self) -> str:
        """How far it is, in words."""
        return "epoch {}/{}".format(*self.epochs) if self.epochs else ""


class StoredArchitecture(Answer):
    """The resolutions of one trained network, and the trial that found it."""

    id: str
    job_id: str
    architecture: Architecture
    trial: TrialResult
    gmacs: float | None = None

    def plot(self, builder: Builder | None = None) -> Figure:
        """Its feature maps to scale; see `Architecture.plot`."""
        return self.architecture.plot(builder)

    def to_dataframe(self) -> DataFrame:
        """Its sites, a row each.

        Raises:
            ResnasError: pandas is not installed.
        """
        sizes = self.architecture.sizes.items()
        rows = [{"site": site, "height": height, "width": width} for site, (height, width) in sizes]
        return frame(rows, ["site", "height", "width"])

    def _repr_html_(self) -> str:
        return cells.of_architecture(self)


class Page(Answer):
    """A part of a list."""

    items: list[Any]
    next_cursor: str | None = None


class Export(Accepted):
    """An architecture on its way to a file."""

    filename: str | None = None
    sha256: str | None = None
    manifest: dict[str, Any] | None = None

    @field_validator("filename")
    @classmethod
    def _names_no_folder(cls, filename: str | None) -> str | None:
        """A name from the network must not decide where on this machine a file is written."""
        if filename is not None and not _PLAIN_NAME.fullmatch(filename):
            raise ValueError(f"{filename!r} is not a plain file name")
        return filename


class Estimate(Answer):
    """What a backbone costs, and which costs its search space reaches, in GMACs of one sample."""

    human_gmacs: float
    min_gmacs: float
    max_gmacs: float


class Entry(Answer):
    """One entry of a catalogue."""

    name: str
    about: str | None = None
