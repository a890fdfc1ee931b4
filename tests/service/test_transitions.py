"""Every state meets every event."""

import itertools

import pytest

from service.errors import Conflict, NotFound
from service.jobs import cancel
from service.store.leases import ENDED, LEASED
from service.store.values import Lease, State
from service.transitions import TRANSITIONS, Event, moves
from tests.service.conftest import ESTIMATE, SPEC

Q, R, C = State.QUEUED, State.RUNNING, State.CANCELLING
S, F, X = State.SUCCEEDED, State.FAILED, State.CANCELLED
EXPECTED = {
    #           claim cancel succeed fail retry release
    Q: (R, X, None, None, None, None),
    R: (None, C, S, F, None, Q),
    C: (None, C, X, X, None, X),
    S: (None, None, None, None, None, None),
    F: (None, None, None, None, Q, None),
    X: (None, X, None, None, None, None),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_table_has_exactly_these_steps(state, event):
    assert TRANSITIONS.get((state, event)) == EXPECTED[state][list(Event).index(event)]


def test_only_the_claim_leads_to_running_and_only_ended_states_are_final():
    assert {event for (_, event), new in TRANSITIONS.items() if new is R} == {Event.CLAIM}
    steps = {(state, event): new for (state, event), new in TRANSITIONS.items() if new != state}
    assert steps.pop((F, Event.RETRY)) is Q  # the one way back, and a user has to want it
    ways_out = {state for state, _ in steps}
    assert ways_out.isdisjoint(ENDED)
    assert set(LEASED) | {Q} == ways_out


def bring(repository, state):
    """A job in `state`, brought there by the protocol itself."""
    job = repository.jobs.add(SPEC, ESTIMATE)
    lease = Lease(job.id, "w", 1)
    if state in (R, C, S, F):
        repository.jobs.claim("w", 60, moves(Event.CLAIM))
    if state in (C, X):
        cancel(repository, job.id)
    if state in (S, F):
        repository.jobs.finish(lease, moves(Event.SUCCEED if state is S else Event.FAIL))
    assert repository.jobs.get(job.id).state is state
    return lease


@pytest.mark.parametrize("state", State)
def test_cancel_does_in_the_database_what_the_table_says(repository, state):
    lease = bring(repository, state)
    new = TRANSITIONS.get((state, Event.CANCEL))
    if new is None:
        with pytest.raises(Conflict, match=f"already {state}"):
            cancel(repository, lease.id)
    else:
        assert cancel(repository, lease.id).state is new
    assert repository.jobs.get(lease.id).state is (new or state)


@pytest.mark.parametrize("event", [Event.SUCCEED, Event.FAIL, Event.RELEASE])
@pytest.mark.parametrize("state", LEASED)
def test_a_worker_does_in_the_database_what_the_table_says(repository, state, event):
    lease = bring(repository, state)
    new = repository.jobs.finish(lease, moves(event))
    assert new is TRANSITIONS[state, event]
    assert repository.jobs.get(lease.id).state is new


def test_cancelling_what_is_not_there_says_so(repository):
    for key in ("0" * 32, "no id", "\0"):
        with pytest.raises(NotFound):
            cancel(repository, key)
