"""What was computed once is not computed anew: to see whether a job is possible takes seconds.

An answer that is kept is given to anybody at once; whoever asks something new waits for a turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from resnas import estimating
from resnas.datasets._base import facts
from resnas.estimating import Estimate
from resnas.planning import prepare
from resnas.spec import JobSpec
from service.principals import FIRST, Principal
from service.schemas import EstimateRequest
from service.turnstile import Turnstile

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Checked:
    """A job that can succeed, with its defaults, and what it reaches: numbers, and no network."""

    spec: JobSpec
    estimate: Estimate


class _Known(Generic[_Answer]):
    """The answers that were wanted last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._changing = Lock()

    def get(self, question: Hashable) -> _Answer | None:
        """The answer that is kept; None: there is none."""
        with self._changing:
            if question not in self._answers:
                return None
            self._answers.move_to_end(question)
            return self._answers[question]

    def keep(self, question: Hashable, answer: _Answer) -> None:
        """Have it for the next time, instead of the one that was not wanted for longest."""
        with self._changing:
            self._answers[question] = answer
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)


_turnstile = Turnstile()
_jobs: _Known[Checked] = _Known(256)
_estimates: _Known[Estimate] = _Known(64)


def check(spec: JobSpec, datasets_dir: Path, asker: Principal = FIRST) -> Checked:
    """What `spec` comes to.

    The data set is looked at every time, and so is a backbone of one's own, which may change.

    Raises:
        UnknownName, DatasetUnavailable, InfeasibleBudget, UnreachableBudget, GraphError: it is
            not possible.
        TooMany: the asker has other questions that are being computed.
    """

    def find() -> Checked:
        found = prepare(spec, datasets_dir)
        return Checked(found.spec, found.estimate)

    if spec.backbone.startswith("own/"):
        with _turnstile.turn(asker):
            return find()
    # What is possible does not depend on the seed, so that a series of them is one question.
    asked = spec.model_copy(update={"seed": 0}).model_dump_json()
    known = facts(spec.dataset, datasets_dir)
    found = _answered(_jobs, (asked, datasets_dir, known), asker, find)
    return Checked(found.spec.model_copy(update={"seed": spec.seed}), found.estimate)


def estimate(asked: EstimateRequest, datasets_dir: Path, asker: Principal = FIRST) -> Estimate:
    """What a backbone costs on a data set, and which costs can be reached.

    Raises:
        UnknownName, DatasetUnavailable, InvalidSpec, InvalidLayer, GraphError: that cannot be said.
        TooMany: the asker has other questions that are being computed.
    """
    num_classes, input_size = known = facts(asked.dataset, datasets_dir)

    def find() -> Estimate:
        return estimating.estimate(
            asked.backbone,
            input_size,
            num_classes,
            resizers=asked.resizer,
            place=asked.place,
            layers=asked.layers,
        )

    if asked.backbone.startswith("own/"):
        with _turnstile.turn(asker):
            return find()
    return _answered(_estimates, (asked.model_dump_json(), known), asker, find)


def _answered(
    known: _Known[_Answer], question: Hashable, asker: Principal, find: Callable[[], _Answer]
) -> _Answer:
    found = known.get(question)
    if found is not None:
        return found
    with _turnstile.turn(asker):
        found = known.get(question)  # somebody else may have asked the same
        if found is None:
            found = find()
            known.keep(question, found)
        return found
