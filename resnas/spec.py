"""What a user asks for. Command line, HTTP body and Python are three syntaxes of these objects.

Names (backbone, dataset, resizer, strategy) are checked where they are looked up, so that this
module needs neither torch nor the catalogues; numbers are checked here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from resnas.results import Value


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(f"one name stands there twice: {', '.join(names)}")
    return names


Whole = Annotated[int, Field(strict=True)]  # neither "3" nor true
Real = Annotated[float, Field(strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(_as_tuple),
    Field(min_length=1, max_length=8),
    AfterValidator(_distinct),
]
Layers = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...],
    BeforeValidator(_as_tuple),
    Field(max_length=8, description="like phc:n=4@stage3+stage4: name, settings, where"),
    AfterValidator(_distinct),
]
Place = Literal["after", "conv", "before"]


class TrainingSpec(Value):
    """How one trial is trained; what is null comes from the backbone's own recipe."""

    epochs: Whole = Field(15, ge=1, le=1000)
    batch_size: Whole = Field(64, ge=1, le=8192)
    lr: Real | None = Field(None, gt=0, le=10, description="of the weights, at the start")
    weight_decay: Real | None = Field(None, ge=0, le=1, description="of the weights; strides: 0")
    momentum: Real = Field(0.9, ge=0, lt=1, description="Nesterov")
    arch_lr: Real = Field(0.05, gt=0, le=10, description="of the strides, at the start")
    warmup: Real = Field(0.1, ge=0, le=1, description="share of the epochs that train w only")
    settle: Real = Field(0.4, ge=0, le=1, description="share with the strides fixed")
    mixup: Real = Field(0.0, ge=0, le=10, description="alpha of the Beta distribution; 0: off")
    label_smoothing: Real = Field(0.0, ge=0, lt=1)
    augment: bool = Field(True, description="the data set's own augmentation")

    @model_validator(mode="after")
    def _shares_leave_a_search(self) -> Self:
        if self.warmup + self.settle >= 1:
            raise ValueError(
                f"warmup {self.warmup:g} and settle {self.settle:g} leave no epoch to learn sizes "
                "in: their sum must be below 1"
            )
        return self


_WHOLE = ("epochs", "batch_size")
_OPENABLE = (
    *_WHOLE,
    *("lr", "weight_decay", "momentum", "arch_lr", "warmup", "settle", "mixup", "label_smoothing"),
)


class SearchSpec(Value):
    """How the trials of a search are chosen and run."""

    lam_min: Real | None = Field(None, gt=0, description="per GMAC; null: from the backbone")
    lam_max: Real | None = Field(None, gt=0, description="per GMAC; null: from the backbone")
    min_gmacs: Real | None = Field(None, gt=0, description="the front's end; null: budget / 4")
    max_gmacs: Real | None = Field(None, gt=0, description="the front's other end; null: budget")
    open: dict[str, tuple[Real, Real]] = Field(
        {}, description="training settings to search as well: least and greatest value, by name"
    )
    stop_early: bool = Field(
        False, description="end trials that fall behind others of a similar cost"
    )
    parallel: Whole = Field(1, ge=1, le=256, description="trials at the same time")
    cpus_per_trial: Real = Field(1, gt=0, le=1024)
    gpus_per_trial: Real = Field(0, ge=0, le=64, description="may be a fraction")

    @model_validator(mode="after")
    def _range_is_one(self) -> Self:
        if self.lam_min and self.lam_max and self.lam_min >= self.lam_max:
            raise ValueError(f"lam_min {self.lam_min:g} is not below lam_max {self.lam_max:g}")
        low, high = self.min_gmacs, self.max_gmacs
        if low and high and low >= high:
            raise ValueError(f"min_gmacs {low:g} is not below max_gmacs {high:g}")
        return self

    @model_validator(mode="after")
    def _opened_are_settings(self) -> Self:
        for name, (low, high) in self.open.items():
            if name not in _OPENABLE:
                raise ValueError(f"open: '{name}' is none of {', '.join(_OPENABLE)}")
            if low >= high:
                raise ValueError(f"open: {name} from {low:g} to {high:g} is no range")
        return self


class JobSpec(Value):
    """One job: a backbone, a data set, a budget, and how hard to search."""

    backbone: Name
    dataset: Name
    budget_gmacs: Real = Field(gt=0, description="multiply-accumulates of one sample, in 1e9")
    budget_ms: Real | None = Field(
        None, gt=0, description="for the strategy 'budget': milliseconds of one sample, measured"
    )
    resizer: Names = ("dynopool",)
    place: Place | None = Field(None, description="null: as the resizer's paper has it")
    layers: Layers = ()
    strategy: str = Field("sweep", max_length=100)
    trials: Whole | None = Field(None, ge=1, le=1000, description="null: as the strategy has it")
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec = SearchSpec()
    seed: Whole = Field(0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _opened_settings_can_be(self) -> Self:
        for end in (0, 1):
            drawn = {
                name: round(ends[end]) if name in _WHOLE else float(ends[end])
                for name, ends in self.search.open.items()
            }
            TrainingSpec.model_validate(self.training.model_dump() | drawn)
        return self
