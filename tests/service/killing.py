"""A program that migrates a database again and again, each time killed some statements later.

Its argument is the database's URL; it prints, as JSON, the revisions that were found after each
kill. At the end the database is migrated.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event

from service.store.migrate import migrate, standing
from service.store.session import open_engine

_STEP = 5
_CHANGES = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")


def main(url: str) -> None:
    """Migrate until nobody is killed."""
    found = []
    for count in itertools.count(1, _STEP):
        child = os.fork()
        if child == 0:
            _die_after(count)
            migrate(url)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        found.append(_revision(url))
    sys.stdout.write(json.dumps(found))


def _die_after(count: int) -> None:
    """SIGKILL for this process behind its so-many-th statement that changes something."""
    left = itertools.count(count, -1)

    @event.listens_for(Engine, "after_cursor_execute")
    def _strike(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.lstrip().startswith(_CHANGES) and next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def _revision(url: str) -> str | None:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return standing(connection).found
    finally:
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
