"""What must hold after any chaos, told by the tables, the answers and the client's log."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from resnas import pareto
from resnas.errors import ResnasError
from resnas.results import TrialResult, TrialState
from resnas.storage import ArtifactStore
from service.store.leases import ENDED
from service.store.models import EventRow, JobRow, TrialRow
from service.store.repository import Repository
from service.store.values import Happening, Job, State
from service.transitions import TRANSITIONS
from tests.chaos.harness import System
from tests.chaos.recorder import Operation, Recorder

Expected = Callable[[Job], Sequence[TrialResult]]
"""What the trials of a job come to when nobody disturbs it, by number."""

_STEPS = {(before, after) for (before, _), after in TRANSITIONS.items() if before is not after}


@dataclass
class Findings:
    """What was counted, and all that should not be.

    Attributes:
        lost: accepted jobs that are not there, or not over.
        twice: trials or jobs that were counted twice.
        stale: writes of an attempt that was not the current one.
        fronts: how many fronts equalled the recomputed ones.
        wrong: in words, what else does not hold.
    """

    jobs: Counter[str] = field(default_factory=Counter)
    trials: int = 0
    attempts: int = 0
    fronts: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """Everything that should not be."""
        return [*self.lost, *self.twice, *self.stale, *self.wrong]


def examine(
    system: System,
    recorder: Recorder,
    expected: Expected,
    *,
    signed: bool = True,
) -> Findings:
    """Look at everything; the system may run, but all its jobs should be over.

    Args:
        system: whose store and artifacts.
        recorder: its only client.
        expected: what an undisturbed run comes to.
        signed: whether the drivers sign what they report, as quick ones do.
    """
    with system.store() as repository:
        found = _examine(repository, system.settings.artifacts, recorder, expected, signed)
    found.wrong += recorder.faults
    return found


def _examine(
    repository: Repository,
    artifacts: ArtifactStore,
    recorder: Recorder,
    expected: Expected,
    signed: bool,
) -> Findings:
    found = Findings()
    jobs = {job.id: job for job in repository.jobs.page(1_000_000)}
    _submissions(found, recorder.submitted(), jobs)
    for job in jobs.values():
        found.jobs[job.state] += 1
        if job.state not in ENDED:
            found.lost.append(f"job {job.id} is still {job.state}")
        happened = repository.events.page(job.id, 0, 1_000_000)
        trials = _trials(repository, job.id)
        _events(found, job, happened)
        _counts(found, job, happened, trials)
        if signed:
            _writers(found, job, happened, trials)
        _results(found, job, trials, artifacts, expected(job))
        _front(found, job, trials, recorder)
    _orphans(found, repository)
    _answers(found, recorder.log, jobs)
    return found


def _submissions(found: Findings, accepted: Mapping[str, str], jobs: Mapping[str, Job]) -> None:
    """Every 202 has exactly one job, and there is no other."""
    ids = set(accepted.values())
    found.lost += [f"job {job_id} was accepted and is not there" for job_id in ids - jobs.keys()]
    found.twice += [f"job {job_id} is of no accepted request" for job_id in jobs.keys() - ids]
    if len(ids) < len(accepted):
        found.wrong.append("two requests got one job")


def _events(found: Findings, job: Job, happened: Sequence[Happening]) -> None:
    """Numbers without a gap; states that follow each other; every attempt begins once."""
    if [event.number for event in happened] != list(range(1, job.events + 1)):
        found.wrong.append(f"job {job.id}: its events have gaps")
    states = [State(event.data["state"]) for event in happened if event.kind == "state"]
    for step in itertools.pairwise(states):
        if step not in _STEPS:
            found.wrong.append(f"job {job.id} went from {step[0]} to {step[1]}")
    if states[0] is not State.QUEUED or states[-1] is not job.state:
        found.wrong.append(f"job {job.id}: its events go from {states[0]} to {states[-1]}")
    attempts = [event.data["attempt"] for event in happened if _begins(event)]
    found.attempts += len(attempts)
    if attempts != list(range(1, job.attempt + 1)):
        found.twice.append(f"job {job.id}: its attempts began as {attempts}")


def _counts(
    found: Findings, job: Job, happened: Sequence[Happening], trials: Sequence[TrialRow]
) -> None:
    """Counted, stored and told of: the same trials, each once."""
    ended = [row for row in trials if row.result is not None]
    found.trials += len(ended)
    if job.trials_done != len(ended):
        found.twice.append(f"job {job.id}: {job.trials_done} trials counted, {len(ended)} stored")
    told = Counter(e.data["number"] for e in happened if e.kind == "trial")
    for number, times in told.items():
        if times > 1:
            found.twice.append(f"job {job.id}: trial {number} was told of {times} times")
    if {row.number for row in ended} - told.keys():
        found.wrong.append(f"job {job.id}: a trial that no event tells of")
    if job.state is State.SUCCEEDED and job.trials_done != job.trials_total:
        found.lost.append(f"job {job.id}: {job.trials_done} of {job.trials_total} trials")
    if job.state in ENDED and any(row.state == TrialState.RUNNING for row in trials):
        found.wrong.append(f"job {job.id} is over and has a running trial")


def _writers(
    found: Findings, job: Job, happened: Sequence[Happening], trials: Sequence[TrialRow]
) -> None:
    """Each attempt has one process that writes, which writes in no other attempt.

    Quick drivers sign what they report in the field `seconds`.
    """
    signed = {row.number: row.result["seconds"] for row in trials if row.result}
    earlier: set[float] = set()
    now: set[float] = set()
    for event in happened:
        if event.kind == "epoch":
            now.add(event.data["seconds"])
        elif event.kind == "trial" and event.data["number"] in signed:
            now.add(signed[event.data["number"]])
        elif _begins(event):
            earlier, now = earlier | now, set()
        if len(now) > 1 or now & earlier:
            found.stale.append(f"job {job.id}, event {event.number}: written by another attempt")
            return


def _results(
    found: Findings,
    job: Job,
    trials: Sequence[TrialRow],
    artifacts: ArtifactStore,
    expected: Sequence[TrialResult],
) -> None:
    """Every trial is what it would have been, and its weights are whole."""
    for row in trials:
        if row.state != TrialState.COMPLETE:
            continue
        result = TrialResult.model_validate(row.result)
        if _essence(result) != _essence(expected[row.number]):
            found.wrong.append(f"job {job.id}: trial {row.number} differs from an undisturbed one")
        try:
            artifacts.read(result.weights or "")
        except ResnasError as error:
            found.lost.append(f"job {job.id}: trial {row.number}: {error}")


def _essence(result: TrialResult) -> object:
    return result.model_dump(exclude={"seconds", "latency_ms"})


def _front(found: Findings, job: Job, trials: Sequence[TrialRow], recorder: Recorder) -> None:
    """What the server answers is what `pareto` makes of the stored results."""
    results = [
        TrialResult.model_validate(row.result) for row in trials if row.state == TrialState.COMPLETE
    ]
    points = [(r.val_accuracy or 0.0, (r.macs or 0) / 1e9) for r in results]
    front = recorder.get(f"/v1/jobs/{job.id}/front")["points"]
    assert isinstance(front, list)
    answered = [(point["val_accuracy"], point["gmacs"]) for point in front]
    if answered == [points[index] for index in pareto.front(points)]:
        found.fronts += 1
    else:
        found.wrong.append(f"job {job.id}: its front is not the recomputed one")


def _orphans(found: Findings, repository: Repository) -> None:
    """No event or trial of a job that is not there."""
    with repository.database.read() as session:
        for model in (EventRow, TrialRow):
            strays = select(model.job_id).where(model.job_id.not_in(select(JobRow.id)))
            found.wrong += [
                f"{model.__tablename__} of no job: {n}" for n in session.scalars(strays)
            ]


def _answers(found: Findings, log: Sequence[Operation], jobs: Mapping[str, Job]) -> None:
    """What a client was told stays true: counts only grow, what is over is over."""
    for job_id, operations in _by_job(log):
        told = [o for o in operations if o.status < 300 and o.state is not None]
        retried = [o.began for o in operations if o.kind == "retry"]
        for before, after in itertools.pairwise(sorted(told, key=lambda o: o.ended)):
            if before.ended > after.began:
                continue  # at the same time: any order is right
            if (after.trials_done or 0) < (before.trials_done or 0):
                found.lost.append(f"job {job_id}: fewer trials than it had been said to have")
            again = any(before.began <= moment <= after.ended for moment in retried)
            if before.state in ENDED and after.state != before.state and not again:
                found.wrong.append(f"job {job_id}: {before.state}, and then {after.state}")
        final = jobs[job_id].state if job_id in jobs else None
        if any(o.kind == "cancel" for o in told) and final is not State.CANCELLED:
            found.wrong.append(f"job {job_id}: its cancel was accepted, and it has {final}")


def _by_job(log: Sequence[Operation]) -> Iterator[tuple[str, list[Operation]]]:
    ordered = sorted(log, key=lambda operation: operation.job_id)
    for job_id, operations in itertools.groupby(ordered, lambda operation: operation.job_id):
        yield job_id, list(operations)


def _trials(repository: Repository, job_id: str) -> list[TrialRow]:
    query = select(TrialRow).where(TrialRow.job_id == job_id).order_by(TrialRow.number)
    with repository.database.read() as session:
        return list(session.scalars(query))


def _begins(event: Happening) -> bool:
    """Whether an attempt begins."""
    return event.kind == "state" and event.data["state"] == State.RUNNING
