"""Processes die at random while jobs run; nothing is lost, nothing is done twice.

The short version is for every day; the long ones are those of `make chaos`, whose reports it
prints.
"""

from __future__ import annotations

import pytest

from tests.chaos import invariants, monkey, quick, report
from tests.chaos.harness import STARTS, Hurt, Setup, System
from tests.chaos.monkey import Load, Ordeal
from tests.chaos.recorder import Recorder

ANYWHERE: list[Hurt] = [
    System.kill_server,
    System.end_server,
    System.kill_driver,
    System.freeze_driver,
    System.freeze_worker,
]
KINDS: dict[str, list[Hurt]] = {
    "sqlite": ANYWHERE,
    "postgresql": [
        *ANYWHERE,
        System.kill_worker,
        System.restart_database,
        System.kill_backend,
    ],
}
MINUTES = 10


def jobs(count, **form):
    return [quick.spec(seed, **form) for seed in range(count)]


def put_through(system: System, load: Load, kinds: list[Hurt], every: float, title: str, calm=None):
    """Chaos, then calm, then a look at everything; the report is printed."""
    recorder = Recorder(list(system.servers), system.token)
    ordeal = monkey.run(system, recorder, load, kinds, every)
    monkey.settle(system, recorder)
    found = invariants.examine(system, recorder, quick.undisturbed)
    again = monkey.again_after(system, ordeal.wounds)
    print(report.told(title, ordeal, found, again, recorder.troubles, calm))
    return ordeal, found, again


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_lost_or_done_twice_though_processes_die(database, tmp_path):
    load = Load(jobs(16, trials=3, epochs=2), interval=0.5, cancelled=0.1)
    with STARTS[database](tmp_path, Setup(command="tests.chaos.hasty")) as system:
        ordeal, found, _ = put_through(system, load, KINDS[database], 1.0, database)
    assert ordeal.wounds
    assert found.violations == []


def calm_run(database, folder, load) -> Ordeal:
    with STARTS[database](folder) as system:
        ordeal, found, _ = put_through(system, load, [], 1.0, f"{database}, undisturbed")
    assert found.violations == []
    return ordeal


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_kill_every_five_seconds_costs_hardly_any_throughput(database, tmp_path_factory):
    load = Load(jobs(MINUTES * 60, trials=3, epochs=2), interval=1.0, cancelled=0.03)
    calm = calm_run(database, tmp_path_factory.mktemp("calm"), load)
    with STARTS[database](tmp_path_factory.mktemp("chaos")) as system:
        title = f"{database}, a blow every 5 s for {MINUTES} min"
        ordeal, found, again = put_through(system, load, KINDS[database], 5.0, title, calm)
    assert ordeal.kills().total() > MINUTES * 6
    assert found.violations == []
    assert max(again) < 30
    assert calm.seconds / ordeal.seconds > 0.95
