"""All that is stored, by resource; every query of the service is behind these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sqlalchemy import URL, text

from service.store.census import Census
from service.store.events import Events
from service.store.exports import Exports
from service.store.jobs import Jobs
from service.store.keys import Keys
from service.store.migrate import Standing, migrate, standing
from service.store.points import Points
from service.store.requests import Requests
from service.store.session import Database
from service.store.trials import Trials


@dataclass(frozen=True)
class Repository:
    """An open database at the newest schema."""

    database: Database
    jobs: Jobs
    trials: Trials
    points: Points
    exports: Exports
    events: Events
    keys: Keys
    requests: Requests
    census: Census

    @classmethod
    def open(cls, url: str | URL, *, durable: bool = False) -> Self:
        """Connect, and bring the schema up to date; `durable` as in `session.open_engine`.

        Raises:
            StartRefused: no database can be reached there, or it is from a newer version.
        """
        migrate(url)
        return cls.connect(url, durable=durable)

    @classmethod
    def connect(
        cls,
        url: str | URL,
        connections: int = 15,
        *,
        durable: bool = False,
        planned_once: bool = False,
    ) -> Self:
        """Connect to a database whose schema is up to date.

        Args:
            url: of the database.
            connections: so many at most.
            durable: whether a commit waits for the disk on SQLite, too.
            planned_once: whether PostgreSQL makes one plan of a statement for all its parameters.

        Raises:
            StartRefused: that is not the URL of a database.
        """
        database = Database(url, connections, durable=durable, planned_once=planned_once)
        return cls(
            database,
            Jobs(database),
            Trials(database),
            Points(database),
            Exports(database),
            Events(database),
            Keys(database),
            Requests(database),
            Census(database),
        )

    def ping(self) -> None:
        """Ask the database something.

        Raises:
            sqlalchemy.exc.DBAPIError: it does not answer.
        """
        with self.database.read() as session:
            session.execute(text("SELECT 1"))

    def schema(self) -> Standing:
        """Whether the database still has the schema that this program works with.

        Raises:
            sqlalchemy.exc.DBAPIError: it does not answer.
        """
        with self.database.read() as session:
            return standing(session.connection())

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
