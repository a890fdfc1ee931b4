"""Random walks of several workers and users over one store, beside a plain model of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from resnas.results import TrialState
from service.errors import Failure, LeaseLost
from service.store.leases import MAX_CRASHES
from service.store.models import EventRow, JobRow, TrialRow
from service.store.repository import Repository
from service.store.values import LEASED, Lease, State
from service.transitions import TRANSITIONS, Event, moves
from tests.chaos import quick

DEATH = Failure(place="driver", found="it died", next_step="See the log", reason="crashed")
WORKERS = st.sampled_from(["one", "two"])
NUMBERS = st.integers(0, 2)
SPEC = quick.spec(0, trials=3)
ESTIMATE = {"max_gmacs": 1.0, "counter": "ours"}


@dataclass
class Model:
    """One job, as a person would keep it on paper."""

    state: State = State.QUEUED
    attempt: int = 0
    worker: str | None = None
    crashes: int = 0
    events: int = 1
    trials: set[int] = field(default_factory=set)
    running: set[int] = field(default_factory=set)
    reached: dict[int, int] = field(default_factory=dict)

    def holds(self, lease: Lease) -> bool:
        """Whether a lease is good for writing."""
        current = (lease.worker, lease.attempt) == (self.worker, self.attempt)
        return current and self.state in LEASED

    def step(self, event: Event) -> None:
        """Another state, and what goes with it."""
        self.state = TRANSITIONS[self.state, event]
        self.events += 1
        if self.state not in LEASED:
            self.worker, self.running = None, set()

    def crash(self) -> None:
        """An attempt came to nothing."""
        self.crashes += 1
        self.step(Event.FAIL if self.crashes >= MAX_CRASHES else Event.RELEASE)


class Walk(RuleBasedStateMachine):
    """What anybody may do at any time; leases are kept for ever, so most of them are stale."""

    leases = Bundle("leases")
    jobs = Bundle("jobs")
    repository: Repository

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[str, Model] = {}
        with self.repository.database.write() as session:
            for table in reversed(JobRow.metadata.sorted_tables):
                session.execute(table.delete())

    @rule(target=jobs)
    def submit(self) -> str:
        job = self.repository.jobs.add(SPEC, ESTIMATE)
        self.models[job.id] = Model()
        return job.id

    @rule(target=leases, worker=WORKERS)
    def claim(self, worker: str) -> object:
        waiting = sorted(n for n, model in self.models.items() if model.state is State.QUEUED)
        claimed = self.repository.jobs.claim(worker, 1000, moves(Event.CLAIM))
        if not waiting:
            assert claimed is None
            return multiple()
        assert claimed is not None
        job, lease = claimed
        assert job.id == waiting[0], "the oldest one is first"
        model = self.models[job.id]
        model.attempt += 1
        model.worker = worker
        model.step(Event.CLAIM)
        assert lease == Lease(job.id, worker, model.attempt)
        return lease

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        model = self.models[lease.id]
        if self._refused(lease, lambda: self.repository.jobs.renew(lease, 1000)):
            return
        assert self.repository.jobs.renew(lease, 1000) is model.state

    @rule(lease=leases, number=NUMBERS, epoch=st.integers(1, 3))
    def progress(self, lease: Lease, number: int, epoch: int) -> None:
        model, metrics = self.models[lease.id], quick.epoch(SPEC, number, epoch, 0)
        if self._refused(lease, lambda: self.repository.trials.progress(lease, metrics)):
            return
        if number in model.trials:
            return
        model.running.add(number)
        if epoch > model.reached.get(number, 0):
            model.reached[number] = epoch
            model.crashes = 0
            model.events += 1

    @rule(lease=leases, number=NUMBERS)
    def record(self, lease: Lease, number: int) -> None:
        model, result = self.models[lease.id], quick.result(SPEC, number)
        if self._refused(lease, lambda: self.repository.trials.record(lease, result)):
            return
        if number not in model.trials:
            model.trials.add(number)
            model.running.discard(number)
            model.reached.pop(number, None)
            model.crashes = 0
            model.events += 1

    @rule(lease=leases, event=st.sampled_from([Event.SUCCEED, Event.FAIL, Event.RELEASE]))
    def finish(self, lease: Lease, event: Event) -> None:
        model = self.models[lease.id]
        steps, error = moves(event), DEATH if event is Event.FAIL else None
        if not self._refused(lease, lambda: self.repository.jobs.finish(lease, steps, error)):
            model.step(event)

    @rule(lease=leases)
    def crash(self, lease: Lease) -> None:
        release, fail = moves(Event.RELEASE), moves(Event.FAIL)
        crash = self.repository.jobs.crash
        if not self._refused(lease, lambda: crash(lease, release, fail, DEATH)):
            self.models[lease.id].crash()
            self._wake()

    @rule()
    def all_leases_run_out(self) -> None:
        self._set(lease_until=0)
        late = self.repository.jobs.expire(moves(Event.RELEASE), moves(Event.FAIL))
        held = {n for n, model in self.models.items() if model.state in LEASED}
        assert set(late) == held
        for job_id in held:
            self.models[job_id].crash()
        self._wake()

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        model = self.models[job_id]
        before = model.state
        job = self.repository.jobs.cancel(job_id, moves(Event.CANCEL), moves(Event.RELEASE))
        assert job is not None
        if before in (State.QUEUED, State.RUNNING):
            model.step(Event.CANCEL)
        assert job.state is model.state

    @rule(job_id=jobs)
    def retry(self, job_id: str) -> None:
        model = self.models[job_id]
        job = self.repository.jobs.retry(job_id, moves(Event.RETRY))
        if model.state is State.FAILED:
            model.step(Event.RETRY)
            model.crashes, model.reached = 0, {}
        assert job is not None
        assert job.state is model.state

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        with self.repository.database.read() as session:
            rows = {row.id: row for row in session.scalars(select(JobRow))}
            assert rows.keys() == self.models.keys()
            for job_id, model in self.models.items():
                row = rows[job_id]
                assert (row.state, row.attempt, row.worker) == (
                    model.state,
                    model.attempt,
                    model.worker,
                )
                assert (row.crashes, row.events, row.trials_done) == (
                    model.crashes,
                    model.events,
                    len(model.trials),
                )
                assert (row.lease_until is not None) == (model.state in LEASED)

    @invariant()
    def every_event_and_trial_is_there_once(self) -> None:
        with self.repository.database.read() as session:
            for job_id, model in self.models.items():
                of_job = EventRow.job_id == job_id
                numbers = session.scalars(select(EventRow.number).where(of_job)).all()
                assert sorted(numbers) == list(range(1, model.events + 1))
                trials = select(TrialRow.number, TrialRow.state).where(TrialRow.job_id == job_id)
                stored = session.execute(trials).all()
                complete = {n for n, state in stored if state == TrialState.COMPLETE}
                running = {n for n, state in stored if state == TrialState.RUNNING}
                assert (complete, running) == (model.trials, model.running)
            assert session.scalar(select(func.count()).select_from(EventRow)) == sum(
                model.events for model in self.models.values()
            )

    def _refused(self, lease: Lease, write) -> bool:
        """Whether a write was refused, which it is exactly where the lease is stale."""
        if self.models[lease.id].holds(lease):
            write()
            return False
        with pytest.raises(LeaseLost):
            write()
        return True

    def _wake(self) -> None:
        """The pause after a crash is over."""
        self._set(not_before=0)

    def _set(self, **columns: int) -> None:
        with self.repository.database.write() as session:
            for row in session.scalars(select(JobRow)):
                for name, value in columns.items():
                    if name != "lease_until" or row.lease_until is not None:
                        setattr(row, name, value)


WRITES = {
    "renew": lambda store, lease: store.jobs.renew(lease, 1000),
    "progress": lambda store, lease: store.trials.progress(lease, quick.epoch(SPEC, 0, 1, 0)),
    "record": lambda store, lease: store.trials.record(lease, quick.result(SPEC, 0)),
    "finish": lambda store, lease: store.jobs.finish(lease, moves(Event.SUCCEED)),
    "crash": lambda store, lease: store.jobs.crash(
        lease, moves(Event.RELEASE), moves(Event.FAIL), DEATH
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_an_earlier_attempt_of_the_same_worker_writes_nothing(repository, write):
    job = repository.jobs.add(SPEC, ESTIMATE)
    _, stale = repository.jobs.claim("one", 1000, moves(Event.CLAIM))
    repository.jobs.finish(stale, moves(Event.RELEASE))
    _, lease = repository.jobs.claim("one", 1000, moves(Event.CLAIM))
    assert lease.worker == stale.worker
    before = repository.jobs.get(job.id)
    with pytest.raises(LeaseLost):
        WRITES[write](repository, stale)
    assert repository.jobs.get(job.id) == before
    assert repository.trials.page(job.id, 5) == []
    WRITES[write](repository, lease)


@pytest.mark.parametrize(
    ("walks", "steps"), [(12, 25), pytest.param(500, 60, marks=pytest.mark.chaos)]
)
def test_whatever_workers_and_users_do_the_store_is_as_a_plain_model(repository, walks, steps):
    Walk.repository = repository
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=walks,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
