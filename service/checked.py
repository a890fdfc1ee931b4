"""Jobs that were found to be possible are not looked at anew: to see it takes up to a second."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from resnas.datasets._base import facts
from resnas.planning import Prepared, prepare
from resnas.spec import JobSpec

_Facts = tuple[int, tuple[int, int, int]]


def check(spec: JobSpec, datasets_dir: Path) -> Prepared:
    """What `spec` comes to; its strategy is there to be asked about, not to be run.

    The data set is looked at every time, and so is a backbone of one's own, which may change.

    Raises:
        UnknownName, DatasetUnavailable, InfeasibleBudget, UnreachableBudget, GraphError: it is
            not possible.
    """
    if spec.backbone.startswith("own/"):
        return prepare(spec, datasets_dir)
    # What is possible does not depend on the seed, so that a series of them is one question.
    asked = spec.model_copy(update={"seed": 0}).model_dump_json()
    found = _kept(asked, datasets_dir, facts(spec.dataset, datasets_dir))
    return Prepared(
        found.spec.model_copy(update={"seed": spec.seed}), found.estimate, found.strategy
    )


@lru_cache(maxsize=256)
def _kept(spec: str, datasets_dir: Path, known: _Facts) -> Prepared:
    del known  # the data set's, as it is now: part of the question
    return prepare(JobSpec.model_validate_json(spec), datasets_dir)
