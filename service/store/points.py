"""Queries about completed trials as points (accuracy, cost), for fronts over very many of them.

What no other trial of its job beats is found by leaps over the index (job_id, state, macs,
val_accuracy): from one point of the front to the next, the cheapest trial that is more accurate.
The trials between two of them are passed over within the index; none is sorted, none is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Select,
    String,
    and_,
    cast,
    column,
    func,
    literal,
    select,
    values,
)
from sqlalchemy.orm import aliased

from resnas.results import TrialState
from service.store.models import JobRow, TrialRow
from service.store.session import ONE, Database
from service.store.values import Point

_MOST_MACS = 2**63 - 1


@dataclass(frozen=True)
class Bounds:
    """Which points are wanted: of a cost at most, of an accuracy at least; None: of any."""

    max_gmacs: float | None = None
    min_accuracy: float | None = None

    def admit(self, point: Point) -> bool:
        """Whether `point` is wanted."""
        cheap = self.max_gmacs is None or point.gmacs <= self.max_gmacs
        return cheap and (self.min_accuracy is None or point.val_accuracy >= self.min_accuracy)


@dataclass(frozen=True)
class Extent:
    """The corners of what is drawn: MACs and accuracies."""

    least_macs: int
    most_macs: int
    least_accurate: float
    most_accurate: float

    def columns(self, count: int) -> list[tuple[int, int]]:
        """MACs from which on and below which each column of a grid reaches, as a product wider
        than the one before it.
        """
        least = max(self.least_macs, 1)
        wider = (self.most_macs / least) ** (1 / count) if self.most_macs > least else 1.0
        inner = [round(least * wider**number) for number in range(1, count)]
        edges = sorted({self.least_macs, *inner, self.most_macs + 1})
        return list(pairwise(edges))


@dataclass(frozen=True)
class Points:
    """The completed trials of jobs; every method is one query.

    A trial without an accuracy from 0 to 1, or without a cost, is none of them.
    """

    database: Database

    def efficient(self, job_ids: Sequence[str], max_ms: float | None = None) -> list[Point]:
        """Of each job the trials that no other one of that job beats, cheapest first.

        Of equal ones the first is there.

        Args:
            job_ids: of the jobs.
            max_ms: look at those alone that were measured to take so many milliseconds at most.
        """
        front = _fronts(select(JobRow.id.label("job_id")).where(JobRow.id.in_(job_ids)), max_ms)
        return self._read(
            select(*_POINT)
            .join_from(front, TrialRow, TrialRow.id == front.c.id)
            .order_by(TrialRow.job_id, TrialRow.macs)
        )

    def efficient_across(
        self, owner: str | None, backbone: str | None, dataset: str | None
    ) -> list[Point]:
        """The trials that no other one beats, of all jobs together, cheapest first.

        Args:
            owner: of the jobs; None: whoever's.
            backbone: that they ask for; None: whichever.
            dataset: that they ask for; None: whichever.
        """
        asked = select(JobRow.id.label("job_id")).where(JobRow.trials_done > 0)
        for found, wanted in (
            (JobRow.owner, owner),
            (JobRow.backbone, backbone),
            (JobRow.dataset, dataset),
        ):
            asked = asked if wanted is None else asked.where(found == wanted)
        front = _fronts(asked)
        order = (front.c.macs, front.c.accuracy.desc(), front.c.id)
        cheaper = func.max(front.c.accuracy).over(order_by=order, rows=(None, -1))
        thinned = select(front, func.coalesce(cheaper, -1.0).label("cheaper")).subquery()
        return self._read(
            select(*_POINT)
            .join_from(thinned, TrialRow, TrialRow.id == thinned.c.id)
            .where(thinned.c.accuracy > thinned.c.cheaper)
            .order_by(TrialRow.macs)
        )

    def count(self, job_id: str, bounds: Bounds) -> int:
        """How many completed trials are within `bounds`."""
        query = select(func.count()).select_from(TrialRow).where(*_within(job_id, bounds))
        with self.database.read() as session:
            return session.scalar(query) or 0

    def extent(self, job_id: str, bounds: Bounds) -> Extent | None:
        """Where the completed trials within `bounds` lie; None: there are none."""
        macs, accuracy = TrialRow.macs, TrialRow.val_accuracy
        query = select(
            func.min(macs), func.max(macs), func.min(accuracy), func.max(accuracy)
        ).where(*_within(job_id, bounds))
        with self.database.read() as session:
            found: Sequence[Any] = session.execute(query).one()
        return None if found[0] is None else Extent(*found)

    def corners(
        self, job_id: str, bounds: Bounds, extent: Extent, cells: int
    ) -> list[tuple[int, float]]:
        """Of a grid over `extent`, for each cell that holds completed trials within `bounds`:
        the most MACs and the least accuracy in it.

        Args:
            job_id: whose trials.
            bounds: of what is looked at.
            extent: in which the grid has `cells` columns, by the logarithm of MACs, and as many
                rows.
            cells: along each axis.
        """
        names = column("least", BigInteger), column("below", BigInteger)
        edges = values(*names).data(extent.columns(cells)).cte("edges")
        height = (extent.most_accurate - extent.least_accurate) / (cells - 1) or 1.0
        # Where a database rounds instead of cutting off, there is half a row more at each end.
        row = cast((TrialRow.val_accuracy - extent.least_accurate) / height, Integer)
        inside = and_(TrialRow.macs >= edges.c.least, TrialRow.macs < edges.c.below)
        query = (
            select(func.max(TrialRow.macs), func.min(TrialRow.val_accuracy))
            # An outer join is carried out column by column, each one's trials found by the index.
            .outerjoin_from(edges, TrialRow, and_(inside, *_within(job_id, bounds)))
            .group_by(edges.c.least, row)
        )
        with self.database.read() as session:
            found: Sequence[Any] = session.execute(query).all()
        return [(macs, accuracy) for macs, accuracy in found if macs is not None]

    def within(self, job_id: str, bounds: Bounds) -> list[Point]:
        """All completed trials within `bounds`, by number."""
        return self._read(
            select(*_POINT)
            .where(*_within(job_id, bounds), TrialRow.architecture_id.is_not(None))
            .order_by(TrialRow.number)
        )

    def at(self, job_id: str, places: Iterable[tuple[int, float]]) -> list[Point]:
        """At each of these MACs the least accurate completed trial from that accuracy on."""
        columns = column("macs", BigInteger), column("accuracy", Float)
        asked = values(*columns).data([*places]).cte("asked")
        row = aliased(TrialRow)
        first = (
            select(row.id)
            .where(
                *_complete(row),
                row.job_id == job_id,
                row.macs == asked.c.macs,
                row.val_accuracy >= asked.c.accuracy,
                row.architecture_id.is_not(None),
            )
            .order_by(row.val_accuracy, row.number)  # by number alone another index is taken
            .limit(ONE)
            .scalar_subquery()
        )
        query = select(*_POINT).where(TrialRow.id.in_(select(first).select_from(asked)))
        return self._read(query.order_by(TrialRow.number))

    def _read(self, query: Select[Any]) -> list[Point]:
        with self.database.read() as session:
            return [Point(*row) for row in session.execute(query)]


_POINT = [getattr(TrialRow, field.name) for field in fields(Point)]


def _complete(row: type[TrialRow]) -> tuple[ColumnElement[bool], ...]:
    # PostgreSQL sorts NaN above all numbers, SQLite has NULL for it: neither is from 0 to 1.
    return row.state == TrialState.COMPLETE, row.val_accuracy.between(0.0, 1.0)


def _fronts(asked: Select[Any], max_ms: float | None = None) -> CTE:
    """The front of each job in `asked`: rows (job_id, id, macs, accuracy).

    The first row of each job is no trial, but where the leaps begin.
    """
    nothing: tuple[ColumnElement[Any], ...] = (
        literal("", String),
        literal(-1, BigInteger),
        literal(-1.0, Float),
    )
    names = ("id", "macs", "accuracy")
    start = (value.label(name) for value, name in zip(nothing, names, strict=True))
    front = asked.add_columns(*start).cte("front", recursive=True)
    beyond, equal, found = aliased(TrialRow), aliased(TrialRow), aliased(TrialRow)

    def usable(row: type[TrialRow]) -> tuple[ColumnElement[bool], ...]:
        quick = () if max_ms is None else (row.latency_ms <= max_ms,)
        of_job = row.job_id == front.c.job_id
        return (*_complete(row), of_job, row.architecture_id.is_not(None), *quick)

    macs = (
        select(beyond.macs)
        .where(
            *usable(beyond),
            beyond.macs > front.c.macs,
            beyond.val_accuracy > front.c.accuracy,
        )
        .order_by(beyond.macs)
        .limit(ONE)
        .correlate(front)
        .scalar_subquery()
    )
    following = (
        select(equal.id)
        .where(*usable(equal), equal.macs == macs)
        .order_by(equal.val_accuracy.desc(), equal.number)
        .limit(ONE)
        .correlate(front)
        .scalar_subquery()
    )
    step = select(found.job_id, found.id, found.macs, found.val_accuracy)
    return front.union_all(step.join_from(front, found, found.id == following))


def _within(job_id: str, bounds: Bounds) -> tuple[ColumnElement[bool], ...]:
    least = bounds.min_accuracy or 0.0
    most = _MOST_MACS if bounds.max_gmacs is None else _macs(bounds.max_gmacs)
    return (
        *_complete(TrialRow),
        TrialRow.job_id == job_id,
        TrialRow.macs <= most,
        TrialRow.val_accuracy >= least,
    )


def _macs(gmacs: float) -> int:
    """The most MACs that a point shows as at most `gmacs`; exact up to four million GMACs."""
    if gmacs * 1e9 >= _MOST_MACS:
        return _MOST_MACS
    macs = round(gmacs * 1e9) + 1  # the product is rounded: one too many, or too few
    while macs / 1e9 > gmacs:
        macs -= 1
    return macs
