"""Ending trials early that fall behind others of a similar cost.

A front has two objectives, of which one needs no training: the cost of a network is known. So only
accuracy is compared, and only between trials that cost nearly the same: whoever is best at its own
cost stays, however many are better at a higher one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from resnas.results import Rung

SHARES = (0.25, 0.5, 0.75)
"""Where in a training, as shares of its epochs, trials are compared."""

_SIMILAR = math.log(1.25)
"""How far costs may differ, in logarithms, to be compared."""

_ENOUGH = 3
"""Others that there must be to be compared with."""


def rung_at(epoch: int, epochs: int) -> float | None:
    """The share at which a training is compared behind `epoch` (from 1), if it is."""
    return next((share for share in SHARES if epoch == math.ceil(share * epochs) < epochs), None)


def behind(rung: Rung, others: Sequence[Rung]) -> str | None:
    """Why a trial at `rung` is to be ended: None where it is not.

    It is, where it is less accurate than the median of at least three others that were as far and
    cost from 0.8 to 1.25 times as much (successive halving within a bin of cost; Jamieson &
    Talwalkar, 2016).

    Args:
        rung: where the trial stands.
        others: of other trials, at any share.
    """
    rivals = [
        other.val_accuracy
        for other in others
        if other.share == rung.share and abs(math.log(other.gmacs / rung.gmacs)) <= _SIMILAR
    ]
    if len(rivals) < _ENOUGH or rung.val_accuracy >= median(rivals):
        return None
    return (
        f"stopped early: at {rung.share:.0%} of its epochs its accuracy is "
        f"{rung.val_accuracy:.4f}, below the median {median(rivals):.4f} of {len(rivals)} others "
        f"that cost from 0.8 to 1.25 times its {rung.gmacs:.4g} GMACs"
    )
