"""What a user asks for. Command line, HTTP body and Python are three syntaxes of these objects.

Names (backbone, dataset, resizer, strategy) are checked where they are looked up, so that this
module needs neither torch nor the catalogues; numbers are checked here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from resnas.results import Value


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=8)]
Place = Literal["after", "conv", "before"]


class TrainingSpec(Value):
    """How one trial is trained; what is null comes from the backbone's own recipe."""

    epochs: int = Field(15, ge=1, le=1000)
    batch_size: int = Field(64, ge=1, le=8192)
    lr: float | None = Field(None, gt=0, le=10, description="of the weights, at the start")
    weight_decay: float | None = Field(None, ge=0, le=1, description="of the weights; strides: 0")
    momentum: float = Field(0.9, ge=0, lt=1, description="Nesterov")
    arch_lr: float = Field(0.05, gt=0, le=10, description="of the strides, at the start")
    warmup: float = Field(0.1, ge=0, le=1, description="share of the epochs that train w only")
    settle: float = Field(0.4, ge=0, le=1, description="share with the strides fixed")
    mixup: float = Field(0.0, ge=0, le=10, description="alpha of the Beta distribution; 0: off")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    augment: bool = Field(True, description="the data set's own augmentation")


class SearchSpec(Value):
    """How the trials of a search are chosen and run."""

    lam_min: float | None = Field(None, gt=0, description="per GMAC; null: from the backbone")
    lam_max: float | None = Field(None, gt=0, description="per GMAC; null: from the backbone")
    parallel: int = Field(1, ge=1, le=256, description="trials at the same time")
    cpus_per_trial: float = Field(1, gt=0, le=1024)
    gpus_per_trial: float = Field(0, ge=0, le=64, description="may be a fraction")


class JobSpec(Value):
    """One job: a backbone, a data set, a budget, and how hard to search."""

    backbone: str = Field(min_length=1, max_length=200)
    dataset: str = Field(min_length=1, max_length=200)
    budget_gmacs: float = Field(gt=0, description="multiply-accumulates of one sample, in 1e9")
    resizer: Names = ("dynopool",)
    place: Place | None = Field(None, description="null: as the resizer's paper has it")
    strategy: str = Field("sweep", max_length=100)
    trials: int = Field(8, ge=1, le=1000)
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec = SearchSpec()
    seed: int = Field(0, ge=0, lt=2**31)
