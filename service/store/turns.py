"""Whose turn it is: owners share the workers, however many jobs one of them hands in.

A job that was at work and lost its worker comes before them all: it takes no one's turn.
"""

from __future__ import annotations

from sqlalchemy import CTE, ColumnElement, Integer, Select, bindparam, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from service.store.clock import now_ms
from service.store.models import INTERRUPTED, JobRow
from service.store.session import ONE
from service.store.values import LEASED, LOCAL, State

Owner = InstrumentedAttribute[str] | ColumnElement[str]


def _at_work(owner: Owner) -> ColumnElement[int]:
    """How many jobs of `owner` run."""
    running = aliased(JobRow)
    query = select(func.count()).where(running.state.in_(LEASED), running.owner == owner)
    return query.scalar_subquery()


def _may_run(owner: Owner, at_work: ColumnElement[int]) -> ColumnElement[bool]:
    most = bindparam("most", type_=Integer)
    return or_(most == 0, owner == LOCAL, at_work < most)


def _interrupted() -> Select[str]:
    """Its index is read, however many jobs there are, as long as none is that has the state."""
    return (
        select(JobRow.id)
        .where(
            INTERRUPTED,
            func.lower(JobRow.state) == State.QUEUED,  # an older program does not know the mark
            JobRow.not_before <= now_ms(),
            _may_run(JobRow.owner, _at_work(JobRow.owner)),
        )
        .order_by(JobRow.not_before, JobRow.id)
        .limit(ONE)
        .with_for_update(skip_locked=True)
    )


def _waiting() -> CTE:
    """One row an owner with queued jobs, and a null, found by leaps over the index.

    To group all queued jobs by owner would look at each of them, at every claim.
    """
    queued = JobRow.state == State.QUEUED
    first = select(func.min(JobRow.owner).label("owner")).where(queued).cte(recursive=True)
    following = (
        select(func.min(JobRow.owner))
        .where(queued, JobRow.owner > first.c.owner)
        .correlate(first)
        .scalar_subquery()
    )
    return first.union_all(select(following).where(first.c.owner.is_not(None)))


def _by_turns() -> Select[str]:
    waiting = _waiting()
    at_work = _at_work(waiting.c.owner)
    earlier = aliased(JobRow)
    served = (
        select(func.coalesce(func.max(earlier.started_at), 0))
        .where(earlier.owner == waiting.c.owner)
        .scalar_subquery()
    )
    query = select(waiting.c.owner).where(
        waiting.c.owner.is_not(None), _may_run(waiting.c.owner, at_work)
    )
    return query.order_by(at_work, served)


INTERRUPTED_FIRST = _interrupted()
"""Of the jobs that were at work and wait to go on, the first whose owner may run one more."""
BY_TURNS = _by_turns()
"""Who has queued jobs: first with the fewest running ones, then who was served longest ago.

Owners with `most` running jobs are left out, but for whoever has the token; 0: nobody is. Workers
that ask at the same time may exceed it by one another.
"""
