"""How long jobs still take, judged by their latest trials."""

from __future__ import annotations

from collections.abc import Sequence

from resnas.results import TrialState
from service.store.repository import Repository
from service.store.trials import Lately
from service.store.values import Job, Json, State

_LATEST = 16
"""So many of the last trials tell how long one takes; earlier ones may have had more room."""


def seconds_left(repository: Repository, jobs: Sequence[Job]) -> dict[str, float]:
    """For each running job's id the seconds until its last trial ends, where they can be guessed.

    Takes one query, whatever the number of jobs.
    """
    running = {job.id: job for job in jobs if job.state is State.RUNNING}
    lately = repository.trials.lately(list(running), _LATEST) if running else {}
    guesses = {job_id: _left(running[job_id], trials) for job_id, trials in lately.items()}
    return {job_id: seconds for job_id, seconds in guesses.items() if seconds is not None}


def _left(job: Job, trials: Sequence[Lately]) -> float | None:
    """What the running trials still take and what the others will, by as many at a time."""
    under_way = [trial.progress for trial in trials if trial.state == TrialState.RUNNING]
    known = [found for found in map(_whole_and_rest, under_way) if found]
    took = [trial.seconds for trial in trials if trial.state == TrialState.COMPLETE]
    measured = [seconds for seconds in took if seconds] or [whole for whole, _ in known]
    if not measured:
        return None
    typical = sum(measured) / len(measured)
    rests = [rest for _, rest in known] + [typical] * (len(under_way) - len(known))
    waiting = max(job.trials_total - job.trials_done - len(under_way), 0)
    lanes = max(len(under_way), 1)
    return max([(sum(rests) + waiting * typical) / lanes, *rests])


def _whole_and_rest(progress: Json | None) -> tuple[float, float] | None:
    """Seconds that a running trial takes in all, and from its latest epoch on."""
    try:
        found = progress or {}
        each, done, epochs = (float(found[name]) for name in ("seconds", "epoch", "epochs"))
    except (KeyError, TypeError, ValueError):  # it has no epoch yet, or another version's
        return None
    return each * epochs, each * max(epochs - done, 0.0)
