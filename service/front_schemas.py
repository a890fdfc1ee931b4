"""What the API answers and is asked about Pareto fronts."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field

from resnas.results import TrialResult, Value
from service.fronts import Front
from service.schemas import Answer, PointAnswer
from service.store.values import Json, Point


class Reference(Answer):
    """The worst corner that a hypervolume is measured from."""

    val_accuracy: float
    gmacs: float


class FrontAnswer(Answer):
    """The trials that no other one beats in both accuracy and cost."""

    points: list[PointAnswer]
    best_under_budget: PointAnswer | None
    knee: PointAnswer | None
    hypervolume: float
    reference: Reference
    counter: str = Field(description="the rules that counted every GMACs figure here")
    total: int | None = Field(description="trials that pass the filters; null: not counted")
    thinned: bool = Field(description="whether only some of the dominated ones are listed")

    @classmethod
    def of(cls, front: Front, results: dict[str, TrialResult], counter: str) -> Self:
        """The answer for a computed front; `results` are of its trials, by architecture."""

        def shown(point: Point, dominated: bool = False) -> PointAnswer:
            result = results.get(point.architecture_id)
            return PointAnswer.of(point, result, dominated=dominated)

        accuracy, gmacs = front.reference
        return cls(
            points=[shown(c.point, c.dominated) for c in front.candidates],
            best_under_budget=shown(front.best) if front.best else None,
            knee=shown(front.knee) if front.knee else None,
            hypervolume=front.hypervolume,
            reference=Reference(val_accuracy=accuracy, gmacs=gmacs),
            counter=counter,
            total=front.total,
            thinned=front.thinned,
        )


class FigureAnswer(Answer):
    """A figure as plotly reads it; what is no number in it is null."""

    model_config = ConfigDict(ser_json_inf_nan="null")

    data: list[dict[str, Any]] = Field(description="traces")
    layout: dict[str, Any]

    @classmethod
    def of(cls, figure: Json) -> FigureAnswer:
        """The answer for a figure, which is one already."""
        return cls.model_construct(data=figure["data"], layout=figure["layout"])


class _Bounds(Value):
    """Which points of a front to answer."""

    max_gmacs: Annotated[float | None, Field(gt=0)] = None
    min_accuracy: Annotated[float | None, Field(ge=0, le=1)] = None


class FrontQuery(_Bounds):
    """Of one job."""

    include_dominated: bool = False


class AcrossQuery(_Bounds):
    """Of all jobs that ask for these."""

    backbone: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    dataset: Annotated[str | None, Field(min_length=1, max_length=200)] = None
