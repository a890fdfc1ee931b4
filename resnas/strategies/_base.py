"""What every strategy states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """What is searched, in numbers.

    Attributes:
        lam_min, lam_max: range of λ, per GMAC, positive.
        resizers: names to choose from, at least one.
        budget_gmacs: where the front has to be densest.
        trials: how many there will be.
        seed: of every random choice.
    """

    lam_min: float
    lam_max: float
    resizers: tuple[str, ...]
    budget_gmacs: float
    trials: int
    seed: int


@dataclass(frozen=True)
class Proposal:
    """What to try: the numbers of one trial."""

    lam: float
    resizer: str


@dataclass(frozen=True)
class Outcome:
    """What a trial came to; accuracy and gmacs are None where it did not complete."""

    number: int
    proposal: Proposal
    accuracy: float | None
    gmacs: float | None


class AbstractStrategy(ABC):
    """Chooses the trials of a search; numbers in, numbers out.

    `suggest` is a pure function: all randomness comes from (seed, number), all knowledge from the
    outcomes it is handed, so a resumed search proposes what an undisturbed one would.
    """

    def __init__(self, question: Question) -> None:
        self.question = question

    @abstractmethod
    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Proposal:
        """The trial `number` (from 0), given what earlier ones came to (in any order)."""


ENTRY = AbstractStrategy
