"""What every strategy states."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from resnas.results import Plan, Size
from resnas.spec import TrainingSpec


@dataclass(frozen=True)
class Choice:
    """The sizes that one group can have, (H, W): least, human and greatest."""

    group: str
    least: Size
    human: Size
    greatest: Size


@dataclass(frozen=True)
class Question:
    """What is searched, in numbers.

    Attributes:
        lam_min, lam_max: range of λ, per GMAC, positive.
        resizers: names to choose from, at least one.
        budget_gmacs: where the front has to be densest.
        trials: how many there will be.
        seed: of every random choice.
        min_gmacs, max_gmacs: ends of the front that is wanted.
        human_gmacs: what the backbone itself costs.
        input_size: (C, H, W) of one sample.
        budget_ms: what has to be landed on instead of `budget_gmacs`, where that is wanted.
        training: of every trial, the backbone's recipe filled in.
        opened: settings of the training to search as well: least and greatest value by name.
        choices: the groups whose sizes can be chosen, of the first resizer.
        gmacs: the cost of whole sizes by name of the group, for strategies that choose sizes.
    """

    lam_min: float
    lam_max: float
    resizers: tuple[str, ...]
    budget_gmacs: float
    trials: int
    seed: int
    min_gmacs: float = 0.0
    max_gmacs: float = math.inf
    human_gmacs: float = 1.0
    input_size: tuple[int, int, int] = (3, 32, 32)
    budget_ms: float | None = None
    training: TrainingSpec = field(default_factory=TrainingSpec)
    opened: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    gmacs: Callable[[Mapping[str, Size]], float] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a trial came to; accuracy and gmacs are None where it did not complete."""

    number: int
    plan: Plan
    accuracy: float | None
    gmacs: float | None


class AbstractStrategy(ABC):
    """Chooses the trials of a search; numbers in, numbers out.

    `suggest` is a pure function: all randomness comes from (seed, number), all knowledge from the
    outcomes it is handed, so a resumed search proposes what an undisturbed one would.

    Attributes:
        chooses_sizes: whether it needs `Question.gmacs`.
        takes_milliseconds: whether it can land on `Question.budget_ms`.
        takes_resizers: whether it uses more than the first of `Question.resizers`.
        opens_training: whether it searches `Question.opened`.
    """

    chooses_sizes: ClassVar[bool] = False
    takes_milliseconds: ClassVar[bool] = False
    takes_resizers: ClassVar[bool] = False
    opens_training: ClassVar[bool] = False

    def __init__(self, question: Question) -> None:
        self.question = question

    @classmethod
    def usual_trials(cls, resizers: int) -> int:
        """How many trials it takes where nobody says, with so many resizers to choose from."""
        del resizers
        return 8

    @abstractmethod
    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """The trial `number` (from 0), given what earlier ones came to (in any order).

        Trials before `number` without an outcome are still running. A plan may start from an
        earlier trial, `Plan.start`: it is run once that one has ended.
        """

    def budgets(self) -> list[float]:
        """Costs in GMACs that its trials have to land on, so that the unreachable are refused."""
        return []

    def over_front_and_budget(self, count: int) -> list[float]:
        """The same, the nearest one moved to the budget, which is first; then descending."""
        low, high = self.question.min_gmacs, self.question.max_gmacs
        budget = min(max(self.question.budget_gmacs, low), high)
        points = self.over_front(count)
        points.remove(min(points, key=lambda point: abs(math.log(point / budget))))
        return [budget, *reversed(points)]

    def over_front(self, count: int) -> list[float]:
        """`count` costs in GMACs over the wanted front, evenly in logarithms, ascending."""
        low, high = self.question.min_gmacs, self.question.max_gmacs
        if count == 1:
            return [min(max(self.question.budget_gmacs, low), high)]
        return [low * (high / low) ** (n / (count - 1)) for n in range(count)]


ENTRY = AbstractStrategy
