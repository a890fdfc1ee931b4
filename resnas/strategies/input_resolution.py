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
    they are those of the human network, and not met exactly.
    """

    def suggest(self, number: int, outcomes: Sequence[Outcome]) -> Plan:
        """The next size, the one at the job's budget first."""
        del outcomes
        wanted = self.over_front_and_budget(self.question.trials)[number]
        scale = math.sqrt(wanted / self.question.human_gmacs)
        _, height, width = self.question.input_size
        picture = (max(_LEAST, int(scale * height)), max(_LEAST, int(scale * width)))
        return Plan(resizer="strided", controller="fixed", picture=picture)
