"""How many of everything there are, in which state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from resnas.results import TrialState
from service.store.models import ExportRow, JobRow, TrialRow
from service.store.session import Database
from service.store.values import LEASED, State


@dataclass(frozen=True)
class Counts:
    """How many there are in each state, of those in none, too."""

    jobs: dict[str, int]
    exports: dict[str, int]
    trials: dict[str, int]

    @property
    def held(self) -> int:
        """Jobs and exports that a worker holds."""
        return sum(kind.get(state, 0) for kind in (self.jobs, self.exports) for state in LEASED)


@dataclass(frozen=True)
class Census:
    """Counts of the whole database; each is read from an index alone."""

    database: Database

    def counts(self) -> Counts:
        """As they are now."""
        with self.database.read() as session:
            return Counts(
                jobs=_by_state(session, JobRow, State),
                exports=_by_state(session, ExportRow, State),
                trials=_by_state(session, TrialRow, TrialState),
            )


def _by_state(
    session: Session,
    model: type[JobRow] | type[ExportRow] | type[TrialRow],
    states: type[StrEnum],
) -> dict[str, int]:
    query = select(model.state, func.count()).group_by(model.state)
    found: dict[str, int] = dict(session.execute(query).all())
    return {state.value: found.get(state, 0) for state in states}
