"""What can happen to jobs and exports, and in which state: one table."""

from __future__ import annotations

from enum import StrEnum

from service.store.leases import Moves
from service.store.values import State


class Event(StrEnum):
    """What happens to a job."""

    CLAIM = "claim"  # a worker takes it
    CANCEL = "cancel"  # a user wants its end
    SUCCEED = "succeed"  # it came to a result
    FAIL = "fail"  # it came to an error, or used up its attempts
    RETRY = "retry"  # a user wants it tried again
    RELEASE = "release"  # nobody works on it any more, and it is not over


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.QUEUED, Event.CLAIM): State.RUNNING,
    (State.QUEUED, Event.CANCEL): State.CANCELLED,
    (State.RUNNING, Event.CANCEL): State.CANCELLING,
    (State.RUNNING, Event.SUCCEED): State.SUCCEEDED,
    (State.RUNNING, Event.FAIL): State.FAILED,
    (State.RUNNING, Event.RELEASE): State.QUEUED,
    (State.CANCELLING, Event.CANCEL): State.CANCELLING,
    (State.CANCELLING, Event.SUCCEED): State.CANCELLED,
    (State.CANCELLING, Event.FAIL): State.CANCELLED,
    (State.CANCELLING, Event.RELEASE): State.CANCELLED,
    (State.CANCELLED, Event.CANCEL): State.CANCELLED,
    (State.FAILED, Event.RETRY): State.QUEUED,
}
"""Every allowed step; what is not here cannot happen."""


def moves(event: Event) -> Moves:
    """The steps of one event: from which state to which."""
    return {state: new for (state, happening), new in TRANSITIONS.items() if happening is event}
