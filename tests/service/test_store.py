"""The store keeps its promises on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from resnas.results import EpochMetrics, Phase, TrialState
from service.errors import Failure, LeaseLost
from service.jobs import cancel
from service.store import leases
from service.store.ids import is_id, new_id
from service.store.leases import MAX_CRASHES
from service.store.values import State
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC, result

CLAIM, RELEASE, FAIL = moves(Event.CLAIM), moves(Event.RELEASE), moves(Event.FAIL)
DEATH = Failure(place="driver", found="it was killed by signal 9", next_step="See the log")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """What crashed may be claimed again at once."""
    monkeypatch.setattr(leases, "PAUSES", (0.0,) * 4)


def claim(repository, owner="one", seconds=60.0):
    _, lease = repository.jobs.claim(owner, seconds, CLAIM)
    return lease


def epoch(trial=0, number=1):
    return EpochMetrics(
        trial=trial,
        epoch=number,
        epochs=2,
        phase=Phase.SEARCH,
        train_loss=1.0,
        val_accuracy=0.5,
        gmacs=0.005,
        sizes={"s": (16, 16)},
        strides={"g": (2.0, 2.0)},
        seconds=0.1,
    )


def test_ids_have_their_form_and_grow():
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(set(ids))
    assert all(is_id(found) and found[12] == "7" and found[16] in "89ab" for found in ids)


def test_a_job_comes_back_as_it_was_submitted(repository, job):
    assert repository.jobs.get(job.id) == job
    assert (job.state, job.asked(), job.estimate) == (State.QUEUED, SPEC, ESTIMATE)
    assert job.created_at.utcoffset().total_seconds() == 0


def test_the_oldest_job_is_claimed_first_and_only_once(repository):
    jobs = [repository.jobs.add(SPEC, ESTIMATE) for _ in range(2)]
    assert [claim(repository).id for _ in jobs] == [job.id for job in jobs]
    assert repository.jobs.claim("one", 60, CLAIM) is None


def test_of_many_claimers_at_once_each_job_has_one(repository):
    jobs = {repository.jobs.add(SPEC, ESTIMATE).id for _ in range(12)}
    start = threading.Barrier(4)

    def take(owner):
        start.wait()
        taken = []
        while (claimed := repository.jobs.claim(owner, 60, CLAIM)) is not None:
            taken.append(claimed[1].id)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [job_id for found in pool.map(take, "abcd") for job_id in found]
    assert sorted(taken) == sorted(jobs)


def test_a_stale_attempt_writes_nothing_and_is_told_so(repository, job):
    old = claim(repository, seconds=-1)
    assert repository.jobs.expire(RELEASE, FAIL) == [job.id]
    new = claim(repository, "two")
    writes = [
        lambda: repository.trials.progress(old, epoch()),
        lambda: repository.trials.record(old, result()),
        lambda: repository.jobs.renew(old, 60),
        lambda: repository.jobs.finish(old, moves(Event.SUCCEED)),
        lambda: repository.jobs.crash(old, RELEASE, FAIL, DEATH),
    ]
    before = repository.jobs.get(job.id)
    for write in writes:
        with pytest.raises(LeaseLost, match="attempt 1"):
            write()
    assert repository.jobs.get(job.id) == before
    assert repository.trials.page(job.id, 10) == []
    assert repository.jobs.renew(new, 60) is State.RUNNING


def test_an_overdue_attempt_that_nobody_replaced_may_still_report(repository, job):
    lease = claim(repository, seconds=-1)
    assert repository.trials.record(lease, result())
    assert repository.jobs.finish(lease, moves(Event.SUCCEED)) is State.SUCCEEDED


def test_a_renewed_lease_does_not_run_out(repository, job):
    lease = claim(repository, seconds=-1)
    repository.jobs.renew(lease, 60)
    assert repository.jobs.expire(RELEASE, FAIL) == []


def test_the_last_of_three_crashes_fails_the_job_with_its_reason(repository, job):
    for attempt in range(1, MAX_CRASHES):
        assert repository.jobs.crash(claim(repository), RELEASE, FAIL, DEATH) is State.QUEUED
        found = repository.jobs.get(job.id)
        assert (found.crashes, found.error) == (attempt, DEATH)
    assert repository.jobs.crash(claim(repository), RELEASE, FAIL, DEATH) is State.FAILED
    found = repository.jobs.get(job.id)
    assert found.error.found == "it was killed by signal 9, 5 times in a row without any progress"
    assert found.finished_at is not None


def test_what_is_away_uses_up_no_attempts(repository, job, monkeypatch):
    monkeypatch.setattr(leases, "AWAY", 0.0)
    away = DEATH.model_copy(update={"reason": "unreachable"})
    for _ in range(2 * MAX_CRASHES):
        assert repository.jobs.crash(claim(repository), RELEASE, FAIL, away) is State.QUEUED
    found = repository.jobs.get(job.id)
    assert (found.crashes, found.error) == (0, away)


def test_silent_workers_use_up_the_attempts_too(repository, job):
    for _ in range(MAX_CRASHES):
        claim(repository, seconds=-1)
        repository.jobs.expire(RELEASE, FAIL)
    found = repository.jobs.get(job.id)
    assert found.state is State.FAILED
    assert "lease ran out, 5 times" in found.error.found


def test_a_release_counts_no_crash_but_fences_the_next_attempt(repository, job):
    first = claim(repository)
    repository.trials.progress(first, epoch(trial=1))
    repository.trials.record(first, result(0))
    assert repository.jobs.finish(first, RELEASE) is State.QUEUED
    second = claim(repository)
    assert (second.attempt, repository.jobs.get(job.id).crashes) == (2, 0)
    # The finished trial is kept, the one that ran is begun again.
    assert [trial.number for trial in repository.trials.page(job.id, 10)] == [0]
    assert repository.trials.finished(job.id) == [result(0)]


def test_a_trial_runs_then_ends_once(repository, job):
    lease = claim(repository)
    for number in (1, 2):
        repository.trials.progress(lease, epoch(number=number))
    (running,) = repository.trials.page(job.id, 10)
    assert (running.state, running.progress["epoch"]) == (TrialState.RUNNING, 2)
    assert repository.trials.record(lease, result(accuracy=0.8))
    once = repository.trials.page(job.id, 10)
    assert not repository.trials.record(lease, result(accuracy=0.1))
    repository.trials.progress(lease, epoch(number=1))
    assert repository.trials.page(job.id, 10) == once
    assert repository.jobs.get(job.id).trials_done == 1
    stored = repository.trials.architecture(once[0].architecture_id)
    assert (stored.result, stored.job_id) == (result(accuracy=0.8), job.id)
    assert stored.architecture == result().architecture


def test_only_completed_trials_are_points(repository, job):
    lease = claim(repository)
    repository.trials.record(lease, result(0, accuracy=0.7, macs=3_000_000_000))
    repository.trials.record(lease, result(1, TrialState.FAILED))
    (point,) = repository.points.efficient([job.id])
    assert (point.number, point.val_accuracy, point.gmacs) == (0, 0.7, 3.0)


def test_a_running_trial_of_a_cancelled_job_is_stopped(repository, job):
    lease = claim(repository)
    repository.trials.progress(lease, epoch())
    cancel(repository, job.id)
    assert repository.jobs.renew(lease, 60) is State.CANCELLING
    assert repository.jobs.finish(lease, RELEASE) is State.CANCELLED
    (trial,) = repository.trials.page(job.id, 10)
    assert trial.state is TrialState.STOPPED


def test_a_job_of_a_dead_worker_is_cancelled_without_any_worker(repository, job):
    claim(repository, seconds=-1)
    assert cancel(repository, job.id).state is State.CANCELLED


def test_a_cancelled_job_keeps_no_error_of_an_earlier_attempt(repository, job):
    repository.jobs.crash(claim(repository), RELEASE, FAIL, DEATH)
    assert cancel(repository, job.id).error is None


def test_pages_follow_each_other_newest_first(repository):
    ids = [repository.jobs.add(SPEC, ESTIMATE).id for _ in range(5)]
    first = repository.jobs.page(3)
    rest = repository.jobs.page(3, before=first[-1].id)
    assert [job.id for job in (*first, *rest)] == ids[::-1]
    claim(repository)
    assert [job.id for job in repository.jobs.page(9, State.RUNNING)] == ids[:1]


def test_the_same_export_is_asked_for_once_until_it_fails(repository, job):
    repository.trials.record(claim(repository), result())
    (trial,) = repository.trials.page(job.id, 1)
    first = repository.exports.add(trial.architecture_id, "onnx")
    assert repository.exports.add(trial.architecture_id, "onnx") == first
    _, lease = repository.exports.claim("one", 60, CLAIM)
    assert repository.exports.finish(lease, FAIL, DEATH) is State.FAILED
    again = repository.exports.add(trial.architecture_id, "onnx")
    assert (again.state, again.id != first.id) == (State.QUEUED, True)
    assert repository.exports.get(first.id).error == DEATH


@pytest.mark.parametrize(
    ("quick", "turns"),
    [
        (("ann", "bob"), ["ann", "bob", "ann", "bob", "ann"]),
        (("bob",), ["ann", "bob", "bob", "ann", "ann"]),
    ],
    ids=["one by one", "beside a long one"],
)
def test_exports_are_written_by_turns_of_their_owners(repository, quick, turns):
    owners = {}
    for owner, formats in (("ann", ("onnx", "pt2", "safetensors")), ("bob", ("onnx", "pt2"))):
        job = repository.jobs.add(SPEC, ESTIMATE, owner)
        repository.trials.record(claim(repository), result())
        (trial,) = repository.trials.page(job.id, 1)
        for format in formats:
            owners[repository.exports.add(trial.architecture_id, format).id] = owner
    taken = []
    for _ in owners:
        export, lease = repository.exports.claim("one", 60, CLAIM)
        taken.append(export.id)
        if owners[export.id] in quick:
            repository.exports.finish(lease, FAIL, DEATH)
    assert [owners[export_id] for export_id in taken] == turns
    assert sorted(taken, key=owners.get) == list(owners)  # of each the oldest first
    assert repository.exports.claim("one", 60, CLAIM) is None


def test_a_transaction_that_raises_leaves_nothing(repository, job):
    lease = claim(repository)
    broken = result().model_copy(update={"macs": 2**80})
    with pytest.raises((DBAPIError, OverflowError)):
        repository.trials.record(lease, broken)
    assert repository.trials.page(job.id, 10) == []
    assert repository.jobs.get(job.id).trials_done == 0
    with repository.database.read() as session:
        assert session.scalar(text("SELECT COUNT(*) FROM architectures")) == 0


def test_readers_see_the_old_state_while_a_writer_works(repository, job):
    with repository.database.write() as session:
        session.execute(text("UPDATE jobs SET state = 'failed'"))
        assert repository.jobs.get(job.id).state is State.QUEUED
    assert repository.jobs.get(job.id).state is State.FAILED
