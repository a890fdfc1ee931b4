"""Processes die at random while jobs run; nothing is lost, nothing is done twice.

The short version is for every day; the long ones are those of `make chaos`, whose reports it
prints.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from resnas.results import TrialResult
from resnas.spec import JobSpec, TrainingSpec
from tests.chaos import invariants, monkey, quick, report
from tests.chaos.harness import STARTS, Hurt, Setup, System
from tests.chaos.invariants import Expected
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


def quick_jobs(count, **form):
    return [quick.spec(seed, **form) for seed in range(count)]


@dataclass
class Course:
    """What a system is put through."""

    title: str
    load: Load
    kinds: list[Hurt] = field(default_factory=list)
    every: float = 1.0
    seconds: float = 0.0
    expected: Expected = quick.undisturbed
    signed: bool = True


def put_through(system: System, course: Course, calm: Ordeal | None = None):
    """Chaos, then calm, then a look at everything; the report is printed."""
    recorder = Recorder(list(system.servers), system.token)
    ordeal = monkey.run(system, recorder, course.load, course.kinds, course.every, course.seconds)
    monkey.settle(system, recorder)
    found = invariants.examine(system, recorder, course.expected, signed=course.signed)
    again = monkey.again_after(system, ordeal.wounds)
    print(report.told(course.title, ordeal, found, again, recorder.troubles, calm))
    assert found.violations == []
    return ordeal, again


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_lost_or_done_twice_though_processes_die(database, tmp_path):
    load = Load(quick_jobs(16, trials=3, epochs=2), interval=0.5, cancelled=0.1)
    course = Course(database, load, KINDS[database], every=1.0, seconds=8.0)
    with STARTS[database](tmp_path, Setup(command="tests.chaos.hasty")) as system:
        ordeal, _ = put_through(system, course)
    assert ordeal.wounds


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_blow_every_five_seconds_costs_hardly_any_throughput(database, tmp_path_factory):
    jobs = quick_jobs(MINUTES * 60, trials=4, epochs=4, milliseconds=150)
    calm = Course(f"{database}, undisturbed", Load(jobs[:180], 1.0))
    setup = Setup(servers=2)
    with STARTS[database](tmp_path_factory.mktemp("calm"), setup) as system:
        undisturbed, _ = put_through(system, calm)
    title = f"{database}, a blow every 5 s for {MINUTES} min"
    load = Load(jobs, 1.0, cancelled=0.03)
    course = Course(title, load, KINDS[database], every=5.0, seconds=MINUTES * 60)
    with STARTS[database](tmp_path_factory.mktemp("chaos"), setup) as system:
        ordeal, again = put_through(system, course, undisturbed)
    assert ordeal.kills().total() > MINUTES * 6
    assert max(again) < 30
    assert ordeal.rate / undisturbed.rate > 0.95


def real_jobs(count, seeds):
    """Trainings of seconds, on Ray; the seeds come again and again."""
    return [
        JobSpec(
            backbone="vgg_small",
            dataset="digits",
            budget_gmacs=0.1,
            trials=3,
            training=TrainingSpec(epochs=2, batch_size=256),
            seed=number % seeds,
        )
        for number in range(count)
    ]


def trials_by_seed(system: System) -> dict[int, list[TrialResult]]:
    """What the trials of each job came to."""
    with system.store() as store:
        jobs = store.jobs.page(1000)
        return {job.spec["seed"]: store.trials.finished(job.id) for job in jobs}


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_real_searches_come_to_the_same_fronts_though_processes_die(database, tmp_path_factory):
    setup = Setup(driver="service.driver", executor="ray", jobs=1, workers=1)
    calm = Course(f"{database}, real, undisturbed", Load(real_jobs(4, 4), 0.0), signed=False)
    with STARTS[database](tmp_path_factory.mktemp("calm"), setup) as system:
        seeds: dict[int, list[TrialResult]] = {}
        calm.expected = lambda job: seeds.setdefault(
            job.spec["seed"], trials_by_seed(system)[job.spec["seed"]]
        )
        undisturbed, _ = put_through(system, calm)
    course = Course(
        f"{database}, real, a blow every 60 s",
        Load(real_jobs(24, 4), 0.0),
        [*KINDS[database], System.kill_below_driver],
        every=60.0,
        seconds=1800,
        expected=lambda job: seeds[job.spec["seed"]],
        signed=False,
    )
    with STARTS[database](tmp_path_factory.mktemp("chaos"), setup) as system:
        ordeal, again = put_through(system, course, undisturbed)
    assert ordeal.wounds
    assert max(again, default=0) < 30
    assert ordeal.rate / undisturbed.rate > 0.8
