"""The human network on pictures of other sizes: what one does without a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

from resnas.results import Plan
from resnas.strategies._base import AbstractStrategy, Outcome

_LEAST = 8
"""Pixels that a picture keeps."""


@final
class InputResolution(AbstractStrategy):
    """Scales the pictures and leaves the backbone as its authors made it (fig. 5.2 of the thesis).

    Its cost grows with the area of the picture, so sizes for costs evenly over the front follow;
    they are those of the human network and need not be met exactly.
    """

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """The next size, the one at the job's budget first."""
        del outcomes
        budget = self.question.budget_gmacs
        wanted = sorted(
            self.over_front(self.question.trials), key=lambda gmacs: abs(math.log(gmacs / budget))
        )
        scale = math.sqrt(wanted[number] / self.question.human_gmacs)
        _, height, width = self.question.input_size
        picture = (max(_LEAST, round(scale * height)), max(_LEAST, round(scale * width)))
        return Plan(resizer="strided", controller="fixed", picture=picture)
