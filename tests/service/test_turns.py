"""Whose turn it is: owners take turns, and who lost a job in a crash takes no one's."""

import pytest

from service.errors import Failure
from service.transitions import Event, moves
from tests.service.conftest import ESTIMATE, SPEC

CLAIM, RELEASE, FAIL = moves(Event.CLAIM), moves(Event.RELEASE), moves(Event.FAIL)
DEATH = Failure(place="driver", found="it was killed by signal 9", next_step="See the log")


@pytest.fixture
def anns(repository):
    """The oldest job; then come two of another owner, and one more of the first."""
    first = repository.jobs.add(SPEC, ESTIMATE, "ann").id
    for owner in ("bob", "bob", "ann"):
        repository.jobs.add(SPEC, ESTIMATE, owner)
    return first


def claim(repository, seconds=60.0):
    job, lease = repository.jobs.claim("one", seconds, CLAIM)
    return job, lease


def test_owners_take_turns(repository, anns):
    owners = []
    for _ in range(4):
        job, lease = claim(repository)
        owners.append(job.owner)
        repository.jobs.finish(lease, moves(Event.SUCCEED))
    assert owners[:2] == ["ann", "bob"]
    assert sorted(owners) == ["ann", "ann", "bob", "bob"]


def test_a_silent_workers_job_goes_on_before_any_other_begins(repository, anns):
    for _ in range(3):
        job, _ = claim(repository, seconds=-1)
        assert job.id == anns
        repository.jobs.expire(RELEASE, FAIL)


def crashed(repository, lease):
    repository.jobs.crash(lease, RELEASE, FAIL, DEATH)


def given_back(repository, lease):
    """As a worker does that is asked to stop."""
    repository.jobs.finish(lease, RELEASE)


@pytest.mark.parametrize("lose", [crashed, given_back])
def test_a_job_that_was_at_work_goes_on_before_any_other_begins(repository, anns, lose):
    lose(repository, claim(repository)[1])
    for owner in ("ann", "ann", "bob"):
        repository.jobs.add(SPEC, ESTIMATE, owner, priority=5)
    assert claim(repository)[0].id == anns
    assert claim(repository)[0].owner == "bob"  # and then the turns are as ever


def test_a_job_that_is_tried_again_waits_for_its_turn(repository, anns):
    repository.jobs.finish(claim(repository)[1], FAIL, DEATH)
    repository.jobs.retry(anns, moves(Event.RETRY))
    assert claim(repository)[0].owner == "bob"


def test_what_was_interrupted_keeps_to_its_owners_limit(repository):
    first = repository.jobs.add(SPEC, ESTIMATE, "ann").id
    repository.jobs.add(SPEC, ESTIMATE, "ann")
    (_, lease), _ = claim(repository), claim(repository)
    crashed(repository, lease)
    assert repository.jobs.claim("one", 60, CLAIM, 1) is None
    assert repository.jobs.claim("one", 60, CLAIM, 2)[0].id == first


def test_who_pauses_after_a_crash_takes_no_ones_turn(repository, anns):
    for _ in range(2):
        repository.jobs.crash(claim(repository)[1], RELEASE, FAIL, DEATH)
    assert claim(repository)[0].owner == "bob"
