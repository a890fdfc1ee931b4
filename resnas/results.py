"""What a search produces: frozen values, JSON-able, schema-versioned.

These cross every boundary of the project (process, database, HTTP, file) as JSON; large things
(weights) travel by the SHA-256 of their file.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from resnas.backbones import Builder

Size = tuple[int, int]
"""Height and width in pixels."""


class Value(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Architecture(Value):
    """The resolutions of one network: all that is needed to build it again, but its weights."""

    schema_version: Literal[1] = 1
    backbone: str | None = Field(None, description="name of the backbone; null where it has none")
    num_classes: int | None = Field(None, description="what the backbone was built for")
    input_size: tuple[int, int, int] = Field(description="(C, H, W) of one sample")
    resizer: str
    place: Literal["after", "conv", "before"]
    layers: tuple[str, ...] = ()
    fit_flattened: bool = Field(
        False, description="whether maps are brought to their size before they are flattened"
    )
    strides: dict[str, tuple[float, float]] = Field(description="(vertical, horizontal) by group")
    sizes: dict[str, Size] = Field(description="(H, W) behind each site")

    def plot(self, builder: Builder | None = None) -> Figure:
        """Its feature maps as rectangles to scale, those of the backbone in outline.

        Args:
            builder: what the search was given as its backbone, if anything.

        Raises:
            ResnasError, UnknownName, ArchitectureMismatch: see `profiling.profile`.
        """
        from resnas.plots import shape_ladder
        from resnas.profiling import profile

        return shape_ladder(profile(self, builder))

    def _repr_html_(self) -> str:
        from resnas.notebook import card, table

        facts = {
            "input": "×".join(map(str, self.input_size)),
            "resizer": f"{self.resizer}, {self.place}",
            "layers": ", ".join(self.layers),
        }
        rows = [
            (site, "×".join(map(str, size)), _stride(self.strides.get(site)))
            for site, size in self.sizes.items()
        ]
        name = self.backbone or "a network without a name"
        return card(f"Architecture of {name}", facts, table(("site", "size", "stride"), rows))


def _stride(stride: tuple[float, float] | None) -> str:
    """A stride for a person; sites that follow another one's have none of their own."""
    return "" if stride is None else "{:.3g} × {:.3g}".format(*stride)


class Phase(StrEnum):
    """Phases of a trial."""

    WARMUP = "warm-up"  # weights only
    SEARCH = "search"  # weights and strides
    SETTLE = "settle"  # strides fixed at their integers, weights only


class Rung(Value):
    """Where a trial stood when it was compared with others."""

    share: float = Field(description="of its epochs that were done")
    gmacs: float
    val_accuracy: float


class EpochMetrics(Value):
    """What one epoch of one trial came to."""

    trial: int
    epoch: int = Field(description="counted from 1")
    epochs: int
    phase: Phase
    train_loss: float
    val_accuracy: float = Field(description="share of right answers, 0 to 1")
    gmacs: float = Field(description="of the network at this epoch's integer sizes, one sample")
    trained_gmacs: float | None = Field(
        None, description="GMACs that a forward pass of a training sample cost on average"
    )
    sizes: dict[str, Size]
    strides: dict[str, tuple[float, float]]
    rungs: tuple[Rung, ...] = Field((), description="where it was compared so far")
    seconds: float


class TrialState(StrEnum):
    """How a trial ended, or that it has not."""

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"  # ended early on purpose; never on the front
    FAILED = "failed"


class Plan(Value):
    """What one trial is to try: all that distinguishes it from the others of its search."""

    resizer: str
    controller: str = Field("penalty", description="what steers the training")
    lam: float | None = Field(None, description="weight of GMACs in the loss, per GMAC")
    budget_gmacs: float | None = Field(None, description="what one sample may cost at most")
    budget_ms: float | None = Field(None, description="how long one sample may take at most")
    span: tuple[float, float] | None = Field(
        None, description="least and greatest budget, GMACs, that one network is trained for"
    )
    sizes: dict[str, Size] = Field({}, description="(H, W) of groups at the start; else human")
    picture: Size | None = Field(None, description="(H, W) that its pictures are brought to")
    training: dict[str, float | int] = Field({}, description="settings unlike the job's, by name")
    start: int | None = Field(None, description="number of the trial whose weights it begins with")

    @property
    def aim(self) -> str:
        """What sets its cost, in a word or two: λ, a budget, or sizes that are given."""
        if self.lam is not None:
            return f"λ = {self.lam:.3g}"
        if self.budget_ms is not None:
            return f"{self.budget_ms:.3g} ms"
        if self.budget_gmacs is not None:
            return f"{self.budget_gmacs:.4g} GMACs"
        if self.picture is not None:
            return "pictures of {}×{}".format(*self.picture)
        return "given sizes" if self.sizes else "human sizes"


class TrialResult(Plan):
    """One trained architecture, or the reason why there is none."""

    schema_version: Literal[1] = 1
    number: int = Field(description="of the trial within its search, from 0")
    state: TrialState
    seed: int
    architecture: Architecture | None = None
    val_accuracy: float | None = None
    val_samples: int | None = Field(None, description="that `val_accuracy` was measured on")
    test_accuracy: float | None = Field(None, description="reported, never used to choose")
    macs: int | None = Field(None, description="multiply-accumulates of one sample")
    counter: str | None = Field(None, description="which rules counted `macs`")
    fvcore_total: int | None = Field(None, description="fvcore's own total for the same network")
    params: int | None = None
    latency_ms: float | None = Field(
        None, description="measured on the network itself, one sample; where that was the cost"
    )
    weights: str | None = Field(None, description="SHA-256 of the safetensors file")
    learned: dict[str, list[float]] = Field(
        {}, description="what the controller has learned beside the strides, by name"
    )
    rungs: tuple[Rung, ...] = ()
    epochs_done: int = 0
    seconds: float = 0.0
    reason: str | None = Field(None, description="why it did not complete")

    @property
    def gmacs(self) -> float | None:
        """Cost in GMACs of one sample."""
        return None if self.macs is None else self.macs / 1e9

    @property
    def spread(self) -> float | None:
        """One standard error of the validation accuracy a of n samples: √(a (1 - a) / n)."""
        if self.val_accuracy is None or not self.val_samples:
            return None
        return math.sqrt(self.val_accuracy * (1 - self.val_accuracy) / self.val_samples)
