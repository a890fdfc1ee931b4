"""Queries about exports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.errors import Failure
from service.store import leases
from service.store.clock import moment, now_ms
from service.store.ids import is_id, new_id
from service.store.leases import Moves
from service.store.models import ArchitectureRow, ExportRow, JobRow
from service.store.session import Database
from service.store.values import LEASED, Export, Json, Lease, State


@dataclass(frozen=True)
class Exports:
    """Exports as the database has them; every method is one transaction."""

    database: Database

    def add(
        self,
        architecture_id: str,
        format: str,
        is_kept: Callable[[str], bool] = lambda _: True,
        multiple_of: int = 1,
        also: Callable[[Session, Export], None] | None = None,
        may_add: Callable[[], None] | None = None,
    ) -> Export:
        """A queued export; the one there is already, where it has not failed or lost its file.

        Args:
            architecture_id: of an architecture that is stored.
            format: name of an exporter.
            is_kept: whether the artifact of that digest is still there.
            multiple_of: of what its learned sizes become multiples.
            also: what is written in the same transaction where it is a new one.
            may_add: called before there is a new one; raises where there must not be one.
        """
        same = select(ExportRow).where(
            ExportRow.architecture_id == architecture_id,
            ExportRow.format == format,
            ExportRow.multiple_of == multiple_of,
            ExportRow.state != State.FAILED,
        )
        with self.database.read() as session:
            there = [row.sha256 for row in session.scalars(same)]
        # Outside any transaction: a storage may take its time, and a writer holds up all others.
        gone = {digest for digest in there if digest and not is_kept(digest)}
        if may_add and gone.issuperset(there):
            may_add()
        with self.database.write() as session:
            # Locked, so that two who ask at once get the same export.
            asked = ArchitectureRow.id == architecture_id
            session.execute(select(ArchitectureRow.id).where(asked).with_for_update())
            usable = (row for row in session.scalars(same) if row.sha256 not in gone)
            row = next(usable, None)
            if row is not None:
                return _export(row)
            row = ExportRow(
                id=new_id(),
                architecture_id=architecture_id,
                format=format,
                multiple_of=multiple_of,
            )
            session.add(row)
            session.flush()
            session.refresh(row)
            export = _export(row)
            if also:
                also(session, export)
            return export

    def get(self, export_id: str, owner: str | None = None) -> Export | None:
        """The export of that id, of a job of `owner` where one is named."""
        query = select(ExportRow).where(ExportRow.id == export_id)
        if owner is not None:
            query = query.join(ArchitectureRow).join(JobRow).where(JobRow.owner == owner)
        with self.database.read() as session:
            row = session.scalar(query) if is_id(export_id) else None
            return _export(row) if row else None

    def stored_bytes(self, owner: str) -> int:
        """What the exported files of the owner's jobs take; one that is there twice counts once."""
        files = (
            select(ExportRow.sha256, func.max(ExportRow.size).label("size"))
            .join(ArchitectureRow)
            .join(JobRow)
            .where(JobRow.owner == owner, ExportRow.state == State.SUCCEEDED)
            .group_by(ExportRow.sha256)
            .subquery()
        )
        with self.database.read() as session:
            return int(session.scalar(select(func.coalesce(func.sum(files.c.size), 0))) or 0)

    def count_open(self, owner: str) -> int:
        """How many exports of the owner's jobs are asked for and not over."""
        query = (
            select(func.count())
            .select_from(ExportRow)
            .join(ArchitectureRow)
            .join(JobRow)
            .where(ExportRow.state.in_((State.QUEUED, *LEASED)), JobRow.owner == owner)
        )
        with self.database.read() as session:
            return session.scalar(query) or 0

    def claim(self, worker: str, seconds: float, moves: Moves) -> tuple[Export, Lease] | None:
        """Give a queued export to `worker`; None if there is none or another took it just now.

        It is the turn of the owner with the fewest that are written at this moment, of equal ones
        of whoever has waited longest; then of that owner's oldest.
        """
        with self.database.write() as session:
            turn = _turn(session)
            if turn is None:
                return None
            this = ExportRow.id == turn
            row = leases.claim(session, ExportRow, worker, seconds, moves, this)
            return (_export(row), Lease(row.id, worker, row.attempt)) if row else None

    def renew(self, lease: Lease, seconds: float) -> State:
        """Hold the export for `seconds` from now.

        Raises:
            LeaseLost: somebody else has it, or it is over.
        """
        with self.database.write() as session:
            return leases.renew(session, ExportRow, lease, seconds)

    def deliver(
        self, lease: Lease, moves: Moves, *, file_name: str, size: int, sha256: str, manifest: Json
    ) -> None:
        """The file is in the artifact store.

        Raises:
            LeaseLost: somebody else has it, or it is over.
        """
        with self.database.write() as session:
            row = leases.fenced(session, ExportRow, lease)
            row.file_name, row.size, row.sha256 = file_name, size, sha256
            row.manifest = manifest
            leases.move(session, row, moves, None)

    def finish(self, lease: Lease, moves: Moves, error: Failure | None = None) -> State:
        """Take the step of `moves` and give the lease back; returns the new state.

        Raises:
            LeaseLost: somebody else has it, or it is over.
        """
        with self.database.write() as session:
            row = leases.fenced(session, ExportRow, lease)
            return leases.move(session, row, moves, error)

    def crash(self, lease: Lease, release: Moves, fail: Moves, error: Failure) -> State:
        """The attempt ended without an answer: to be tried again, or failed if it was the last.

        Raises:
            LeaseLost: somebody else has it, or it is over.
        """
        with self.database.write() as session:
            row = leases.fenced(session, ExportRow, lease)
            return leases.crash(session, row, release, fail, error)

    def expire(self, release: Moves, fail: Moves, *, whoever: bool = False) -> list[str]:
        """Take away every lease whose time is over; returns the ids of those exports.

        Args:
            release: moves of that event, for what is to be tried again.
            fail: moves of that event, for what used up its attempts.
            whoever: take away all, because no other process works with this database.
        """
        with self.database.write() as session:
            late = leases.overdue(session, ExportRow, whoever=whoever)
            for row in late:
                leases.crash(session, row, release, fail, leases.silence(row))
            return [row.id for row in late]


def _turn(session: Session) -> str | None:
    """The id of the export that is claimed next."""
    owned = ExportRow.architecture_id == ArchitectureRow.id, ArchitectureRow.job_id == JobRow.id
    waiting = (
        select(JobRow.owner, func.min(ExportRow.id))
        .where(*owned, ExportRow.state == State.QUEUED, ExportRow.not_before <= now_ms())
        .group_by(JobRow.owner)
    )
    oldest = dict(session.execute(waiting).all())
    if len(oldest) < 2:
        return next(iter(oldest.values()), None)
    under_way = func.count().filter(ExportRow.state.in_(LEASED))
    latest = (
        select(JobRow.owner, under_way, func.coalesce(func.max(ExportRow.started_at), 0))
        .where(*owned, JobRow.owner.in_(oldest))
        .group_by(JobRow.owner)
    )
    turns = [(running, began, oldest[owner]) for owner, running, began in session.execute(latest)]
    return min(turns)[-1]


def _export(row: ExportRow) -> Export:
    return Export(
        id=row.id,
        architecture_id=row.architecture_id,
        format=row.format,
        multiple_of=row.multiple_of,
        state=State(row.state),
        crashes=row.crashes,
        file_name=row.file_name,
        size=row.size,
        sha256=row.sha256,
        manifest=row.manifest,
        error=Failure.model_validate(row.error) if row.error else None,
        created_at=moment(row.created_at),
        finished_at=moment(row.finished_at),
    )
