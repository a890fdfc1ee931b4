"""What was computed once is not computed anew: to see whether a job is possible takes seconds.

An answer that is kept is given to anybody at once; whoever asks something new waits for a turn.
What computes them is imported when it is wanted: torch takes seconds, and a server that was started
anew should listen before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from resnas.estimates import Estimate
from resnas.profiles import Profile
from resnas.results import Architecture
from resnas.spec import JobSpec
from service.errors import TooMany
from service.known import Known
from service.principals import FIRST, Principal
from service.schemas import EstimateRequest
from service.turnstile import Turnstile

_Answer = TypeVar("_Answer")
_Facts = tuple[int, tuple[int, int, int]]


@dataclass(frozen=True)
class Checked:
    """A job that can succeed, with its defaults, and what it reaches: numbers, and no network."""

    spec: JobSpec
    estimate: Estimate


FRESH = 2.0
"""Seconds for which nobody looks again at files of the operator's."""
_turnstile = Turnstile()
_jobs: Known[Checked] = Known(256)
_looks: Known[tuple[float, _Facts]] = Known(64)
_looking: set[Hashable] = set()
_estimates: Known[Estimate] = Known(64)
_profiles: Known[Profile] = Known(256)


def check(spec: JobSpec, datasets_dir: Path, asker: Principal = FIRST) -> Checked:
    """What `spec` comes to.

    Pictures are looked at every few seconds, and a backbone of one's own every time: they may
    change.

    Raises:
        UnknownName, DatasetUnavailable, InfeasibleBudget, UnreachableBudget, GraphError: it is
            not possible.
        TooMany: the asker has other questions that are being computed.
    """
    from resnas.planning import prepare

    def find() -> Checked:
        found = prepare(spec, datasets_dir)
        return Checked(found.spec, found.estimate)

    if spec.backbone.startswith("own/"):
        with _turnstile.turn(asker):
            return find()
    # What is possible does not depend on the seed, so that a series of them is one question.
    asked = spec.model_copy(update={"seed": 0}).model_dump_json()
    known = _facts(spec.dataset, datasets_dir, asker)
    found = _answered(_jobs, (asked, datasets_dir, known), asker, find)
    return Checked(found.spec.model_copy(update={"seed": spec.seed}), found.estimate)


def estimate(asked: EstimateRequest, datasets_dir: Path, asker: Principal = FIRST) -> Estimate:
    """What a backbone costs on a data set, and which costs can be reached.

    Raises:
        UnknownName, DatasetUnavailable, InvalidSpec, InvalidLayer, GraphError: that cannot be said.
        TooMany: the asker has other questions that are being computed.
    """
    from resnas import estimating

    num_classes, input_size = known = _facts(asked.dataset, datasets_dir, asker)

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


def profile(architecture: Architecture, asker: Principal = FIRST) -> Profile:
    """An architecture layer by layer, beside its backbone.

    Raises:
        UnknownName, InvalidSpec, GraphError: its backbone is not there any more, or another one.
        TooMany: the asker has other questions that are being computed.
    """
    from resnas import profiling

    def find() -> Profile:
        return profiling.profile(architecture)

    if architecture.backbone is not None and architecture.backbone.startswith("own/"):
        with _turnstile.turn(asker):
            return find()
    return _answered(_profiles, architecture.model_dump_json(), asker, find)


def _facts(dataset: str, datasets_dir: Path, asker: Principal) -> _Facts:
    """(num_classes, input_size); of files of the operator's, as somebody found them lately.

    These may be many: to look at them is a question that waits for its turn. While somebody looks
    again, the others are told what was found before.
    """
    from resnas.datasets._base import facts

    if ":" not in dataset:  # known without a look, or by a few names
        return facts(dataset, datasets_dir)
    question = (dataset, datasets_dir)

    def look() -> tuple[float, _Facts]:
        return time.monotonic(), facts(dataset, datasets_dir)

    before = _looks.get(question)
    if before is None:
        return _answered(_looks, question, asker, look)[1]
    at, known = before
    if time.monotonic() - at < FRESH or question in _looking:
        return known
    _looking.add(question)
    try:
        with _turnstile.turn(asker):
            found = look()
        _looks.keep(question, found)
    except TooMany:  # the asker's other questions take the turns; the next one looks
        return known
    finally:
        _looking.discard(question)
    return found[1]


def _answered(
    known: Known[_Answer], question: Hashable, asker: Principal, find: Callable[[], _Answer]
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
