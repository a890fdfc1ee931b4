"""Whose turn it is: owners share the workers, however many jobs one of them hands in."""

from __future__ import annotations

from sqlalchemy import CTE, Integer, Select, bindparam, exists, func, or_, select
from sqlalchemy.orm import aliased

from service.store.clock import now_ms
from service.store.models import CRASHED, JobRow
from service.store.values import LEASED, LOCAL, State


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
    running, earlier = aliased(JobRow), aliased(JobRow)
    at_work = (
        select(func.count())
        .where(running.state.in_(LEASED), running.owner == waiting.c.owner)
        .scalar_subquery()
    )
    served = (
        select(func.coalesce(func.max(earlier.started_at), 0))
        .where(earlier.owner == waiting.c.owner)
        .scalar_subquery()
    )
    most = bindparam("most", type_=Integer)
    interrupted = exists().where(
        JobRow.state == State.QUEUED,
        JobRow.owner == waiting.c.owner,
        JobRow.not_before <= now_ms(),
        CRASHED,
    )
    query = select(waiting.c.owner).where(
        waiting.c.owner.is_not(None),
        or_(most == 0, waiting.c.owner == LOCAL, at_work < most),
    )
    return query.order_by(interrupted.desc(), at_work, served)


BY_TURNS = _by_turns()
"""Who has queued jobs: with the fewest running ones first, then who was served longest ago.

Before them all comes who lost one in a crash: it goes on where it was, and takes no one's turn.
Owners with `most` running jobs are left out, but for whoever has the token; 0: nobody is. Workers
that ask at the same time may exceed it by one another.
"""
