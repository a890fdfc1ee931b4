"""What a job would come to, for whoever asks before handing it in."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field

from service import quotas
from service.checked import Checked
from service.schemas import Answer


class CostAnswer(Answer):
    """What training all trials takes at most."""

    trials: int
    epochs: int = Field(description="of one trial")
    training_epochs: int = Field(description="of all trials")
    gmacs_epochs: float = Field(
        description="times the GMACs of one sample's forward pass, where each trial begins"
    )

    @classmethod
    def of(cls, prepared: Checked) -> Self:
        """The cost of a job that was checked."""
        trials, epochs = prepared.spec.trials or 1, quotas.epochs(prepared.spec)
        return cls(
            trials=trials,
            epochs=epochs,
            training_epochs=trials * epochs,
            gmacs_epochs=quotas.training(prepared),
        )


class PlanAnswer(Answer):
    """A job that could be done; nothing of it is stored."""

    spec: dict[str, Any] = Field(description="as it would be accepted, defaults filled in")
    estimate: dict[str, Any] = Field(description="what its search space reaches, in GMACs")
    cost: CostAnswer

    @classmethod
    def of(cls, prepared: Checked) -> Self:
        """The answer for a job that was checked."""
        return cls(
            spec=prepared.spec.model_dump(mode="json"),
            estimate=prepared.estimate.model_dump(mode="json"),
            cost=CostAnswer.of(prepared),
        )
