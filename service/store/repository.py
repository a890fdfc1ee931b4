"""All that is stored, by resource; every query of the service is behind these three."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sqlalchemy import URL, text

from service.store.exports import Exports
from service.store.jobs import Jobs
from service.store.migrate import migrate
from service.store.session import Database
from service.store.trials import Trials


@dataclass(frozen=True)
class Repository:
    """An open database at the newest schema."""

    database: Database
    jobs: Jobs
    trials: Trials
    exports: Exports

    @classmethod
    def open(cls, url: str | URL) -> Self:
        """Connect, and bring the schema up to date.

        Raises:
            StartRefused: no database can be reached there, or it is from a newer version.
        """
        migrate(url)
        return cls.connect(url)

    @classmethod
    def connect(cls, url: str | URL, connections: int = 15) -> Self:
        """Connect to a database whose schema is up to date, with at most so many connections.

        Raises:
            StartRefused: that is not the URL of a database.
        """
        database = Database(url, connections)
        return cls(database, Jobs(database), Trials(database), Exports(database))

    def ping(self) -> None:
        """Ask the database something.

        Raises:
            sqlalchemy.exc.DBAPIError: it does not answer.
        """
        with self.database.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.database.close()
