"""Queries of whoever looks after the store: what should be there, and what does not add up."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    cast,
    delete,
    func,
    null,
    or_,
    select,
    type_coerce,
    update,
)

from resnas.results import TrialState
from service.errors import Failure
from service.store import requests
from service.store.clock import now_ms
from service.store.models import (
    EventRow,
    ExportRow,
    InstallationRow,
    JobRow,
    RequestRow,
    TrialRow,
)
from service.store.session import Database
from service.store.values import LEASED, State

_DIGEST = re.compile(r'"([0-9a-f]{64})"')
_BATCH = 1000


@dataclass(frozen=True)
class Needed:
    """An artifact that a row says is there: a `trial`'s weights, or an `export`'s file."""

    what: str
    id: str
    digest: str


@dataclass(frozen=True)
class Mismatch:
    """A number of a job that is not what its rows say."""

    job_id: str
    stored: int
    counted: int


@dataclass(frozen=True)
class Care:
    """What the database says about itself; every method is one transaction."""

    database: Database

    def clock(self) -> int:
        """The database's time, in milliseconds since 1970 UTC."""
        with self.database.read() as session:
            return session.scalar(select(now_ms())) or 0

    def installation(self) -> str:
        """What tells this database from others."""
        with self.database.read() as session:
            return session.scalars(select(InstallationRow.id)).one()

    def began(self) -> int | None:
        """When the first job was handed in, in milliseconds since 1970 UTC; None: there is none."""
        with self.database.read() as session:
            return session.scalar(select(func.min(JobRow.created_at)))

    def mentioned(self) -> set[str]:
        """Every SHA-256 that a trial's result or an export names, even in a torn document."""
        found: set[str] = set()
        for _, text in self._texts(_results()):
            found.update(_DIGEST.findall(text))
        found.update(each.digest for each in self._files())
        return found

    def needed(self) -> Iterator[Needed]:
        """What must be in the artifact store for the completed trials and the written exports."""
        complete = _results().where(TrialRow.state == TrialState.COMPLETE)
        weights = re.compile(r'"weights"\s*:\s*"([0-9a-f]{64})"')
        for trial_id, text in self._texts(complete):
            if found := weights.search(text):
                yield Needed("trial", trial_id, found[1])
        yield from self._files()

    def over(self, job_ids: Collection[str]) -> dict[str, tuple[State, int]]:
        """Of these jobs, those that are over: how they ended, and how many milliseconds ago."""
        ended = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
        age = now_ms() - func.coalesce(JobRow.finished_at, JobRow.created_at)
        query = select(JobRow.id, JobRow.state, age)
        query = query.where(JobRow.id.in_(job_ids), JobRow.state.in_(ended))
        with self.database.read() as session:
            return {row[0]: (State(row[1]), row[2]) for row in session.execute(query)}

    def known(self, job_ids: Collection[str]) -> set[str]:
        """Of these ids, those of jobs."""
        with self.database.read() as session:
            return set(session.scalars(select(JobRow.id).where(JobRow.id.in_(job_ids))))

    def stale(self, slack_ms: int) -> list[str]:
        """Jobs and exports whose lease has been over for longer than `slack_ms`."""
        with self.database.read() as session:
            return [
                row_id
                for model in (JobRow, ExportRow)
                for row_id in session.scalars(
                    select(model.id).where(
                        model.state.in_(LEASED), model.lease_until < now_ms() - slack_ms
                    )
                )
            ]

    def gaps(self) -> list[Mismatch]:
        """Jobs whose events are not numbered from 1 to the number that the job says."""
        counted, last = func.count(EventRow.number), func.coalesce(func.max(EventRow.number), 0)
        query = (
            select(JobRow.id, JobRow.events, counted)
            .outerjoin(EventRow, EventRow.job_id == JobRow.id)
            .group_by(JobRow.id, JobRow.events)
            .having(or_(counted != JobRow.events, last != JobRow.events))
        )
        with self.database.read() as session:
            return [Mismatch(*row) for row in session.execute(query)]

    def miscounted(self) -> list[Mismatch]:
        """Jobs whose `trials_done` is not the number of their trials that have ended."""
        query = select(JobRow.id, JobRow.trials_done, _ended()).where(
            JobRow.trials_done != _ended()
        )
        with self.database.read() as session:
            return [Mismatch(*row) for row in session.execute(query)]

    def recount(self) -> None:
        """Make every job's `trials_done` the number of its trials that have ended."""
        with self.database.write() as session:
            session.execute(
                update(JobRow)
                .where(JobRow.trials_done != _ended())
                .values(trials_done=_ended())
                .execution_options(synchronize_session=False)
            )

    def lose(self, export_ids: Collection[str], failure: Failure) -> None:
        """Exports whose files are gone have failed: who asks again gets a new one."""
        with self.database.write() as session:
            session.execute(
                update(ExportRow)
                .where(ExportRow.id.in_(export_ids), _delivered())
                .values(state=State.FAILED, error=failure.model_dump())
                .execution_options(synchronize_session=False)
            )

    def forget_requests(self) -> int:
        """Delete the records of requests that are of no use any more; returns how many."""
        with self.database.write() as session:
            gone = session.scalars(
                delete(RequestRow).where(requests.over()).returning(RequestRow.key)
            )
            return len(gone.all())

    def _files(self) -> list[Needed]:
        query = select(ExportRow.id, ExportRow.sha256).where(_delivered())
        with self.database.read() as session:
            return [
                Needed("export", row_id, str(digest)) for row_id, digest in session.execute(query)
            ]

    def _texts(self, query: Select[str, str]) -> Iterator[tuple[str, str]]:
        """The rows of `query`, an id and a text each, in transactions of a bounded length."""
        after = ""
        while True:
            with self.database.read() as session:
                page = query.where(TrialRow.id > after).order_by(TrialRow.id).limit(_BATCH)
                rows = session.execute(page).all()
            yield from ((row_id, text) for row_id, text in rows)
            if len(rows) < _BATCH:
                return
            after = rows[-1][0]


def _results() -> Select[str, str]:
    """Trials and their results as text: so that a document nobody can read hides no other."""
    text = type_coerce(cast(TrialRow.result, String), String)
    return select(TrialRow.id, text).where(TrialRow.result.is_not(null()))


def _delivered() -> ColumnElement[bool]:
    return (ExportRow.state == State.SUCCEEDED) & ExportRow.sha256.is_not(None)


def _ended() -> ColumnElement[int]:
    return (
        select(func.count())
        .where(TrialRow.job_id == JobRow.id, TrialRow.result.is_not(null()))
        .correlate(JobRow)
        .scalar_subquery()
    )
