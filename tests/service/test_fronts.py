"""The front that the database thins is the front of all points."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from resnas import pareto
from resnas.results import TrialState
from service import fronts, jobs
from service.store.ids import new_id
from service.store.models import ArchitectureRow, JobRow, TrialRow
from service.store.points import Bounds
from tests.service.conftest import ESTIMATE, SPEC

PLACES = st.tuples(
    st.one_of(st.integers(0, 6), st.integers(0, 2**31)).map(lambda macs: macs * 1_000_003),
    st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1)),
)
FEW = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def fill(repository, job_id, places, **facts):
    """Trials at these places, (MACs, accuracy), instead of those that there are."""
    architectures = [new_id() for _ in places]
    rows = [
        {
            "id": new_id(),
            "job_id": job_id,
            "number": number,
            "state": TrialState.COMPLETE,
            "resizer": "dynopool",
            "macs": macs,
            "val_accuracy": accuracy,
            "architecture_id": architecture,
            **facts,
        }
        for number, ((macs, accuracy), architecture) in enumerate(
            zip(places, architectures, strict=True)
        )
    ]
    kept = [{"id": id_, "job_id": job_id, "document": {}} for id_ in architectures]
    with repository.database.write() as session:
        for table in (TrialRow, ArchitectureRow):
            session.execute(delete(table).where(table.job_id == job_id))
        for table, content in ((ArchitectureRow, kept), (TrialRow, rows)):
            if content:
                session.execute(insert(table), content)
        trials = {"trials_done": len(rows)}
        session.execute(update(JobRow).where(JobRow.id == job_id).values(trials))


def spoil(repository, job_id, **facts):
    """One more trial, that a front must not see."""
    with repository.database.write() as session:
        architecture = ArchitectureRow(id=new_id(), job_id=job_id, document={})
        session.add(architecture)
        session.flush()
        known = {
            "state": TrialState.COMPLETE,
            "macs": 1,
            "val_accuracy": 1.0,
            "architecture_id": architecture.id,
        }
        row = {"id": new_id(), "job_id": job_id, "number": 10_000, "resizer": "dynopool"}
        session.add(TrialRow(**row, **(known | facts)))


def asked(repository, job, **filters):
    wanted = {"max_gmacs": None, "min_accuracy": None, "include_dominated": False} | filters
    return fronts.front(repository, job, **wanted)


def numbers(front, *, dominated=False):
    return [c.point.number for c in front.candidates if c.dominated is dominated]


def coordinates(places):
    return [(accuracy, macs / 1e9) for macs, accuracy in places]


def test_a_front_from_the_database_is_that_of_all_points(repository, job):
    @FEW
    @given(st.lists(PLACES, max_size=40))
    def check(places):
        fill(repository, job.id, places)
        points = coordinates(places)
        expected = pareto.front(points)
        reference = (0.0, ESTIMATE["max_gmacs"])

        found = asked(repository, job)

        assert numbers(found) == expected
        assert found.total == len(places)
        assert found.hypervolume == pareto.hypervolume(points, reference)
        best, knee = pareto.best_under(points, job.budget_gmacs), pareto.knee(points)
        assert (found.best and found.best.number) == best
        assert (found.knee and found.knee.number) == knee
        bests = fronts.best_of_jobs(repository, [job])
        assert (bests[job.id].number if bests else None) == best

        everything = asked(repository, job, include_dominated=True)
        assert numbers(everything) == expected
        assert len(everything.candidates) == len(places)
        assert not everything.thinned

    check()


def test_filters_are_exact_at_the_very_bound(repository, job):
    @FEW
    @given(st.lists(PLACES, min_size=1, max_size=20), st.data())
    def check(places, data):
        fill(repository, job.id, places)
        macs, _ = data.draw(st.sampled_from(places))
        _, accuracy = data.draw(st.sampled_from(places))
        limits = {"max_gmacs": macs / 1e9, "min_accuracy": accuracy}
        passing = [
            number
            for number, (cost, share) in enumerate(places)
            if cost / 1e9 <= macs / 1e9 and share >= accuracy
        ]
        efficient = pareto.front(coordinates(places[n] for n in passing))

        found = asked(repository, job, include_dominated=True, **limits)

        assert sorted(c.point.number for c in found.candidates) == passing
        assert found.total == len(passing)
        assert numbers(found) == [passing[index] for index in efficient]
        assert numbers(asked(repository, job, **limits)) == numbers(found)

    check()


def test_a_front_across_jobs_is_that_of_all_their_points(repository, job):
    other = repository.jobs.add(SPEC, ESTIMATE, owner="somebody")

    @FEW
    @given(st.lists(PLACES, max_size=20), st.lists(PLACES, max_size=20))
    def check(mine, others):
        fill(repository, job.id, mine)
        fill(repository, other.id, others)
        expected = pareto.front(coordinates([*mine, *others]))

        found = fronts.across(repository, owner=None, backbone=SPEC.backbone, dataset=None)

        names = [(job.id, n) for n in range(len(mine))]
        names += [(other.id, n) for n in range(len(others))]
        assert [(c.point.job_id, c.point.number) for c in found.candidates] == [
            names[index] for index in expected
        ]
        assert not any(c.dominated for c in found.candidates)

    check()


def test_a_front_across_jobs_keeps_to_owner_backbone_and_dataset(repository, job):
    fill(repository, job.id, [(1000, 0.5)])

    def found(owner=job.owner, backbone=SPEC.backbone, dataset=SPEC.dataset):
        front = fronts.across(repository, owner=owner, backbone=backbone, dataset=dataset)
        return [c.point.job_id for c in front.candidates]

    assert found() == found(owner=None) == found(backbone=None) == found(dataset=None) == [job.id]
    assert found(owner="somebody") == found(backbone="vgg16") == found(dataset="cifar10") == []


@pytest.mark.parametrize(
    "facts",
    [
        {"val_accuracy": None},
        {"val_accuracy": float("nan")},
        {"val_accuracy": float("inf")},
        {"val_accuracy": 1.5},
        {"macs": None},
        {"architecture_id": None},
        {"state": TrialState.STOPPED},
        {"state": TrialState.RUNNING},
    ],
)
def test_what_is_no_result_is_on_no_front(repository, job, facts):
    places = [(1000, 0.5), (2000, 0.75)]
    fill(repository, job.id, places)
    spoil(repository, job.id, **facts)
    assert numbers(asked(repository, job)) == [0, 1]
    assert numbers(asked(repository, job, include_dominated=True)) == [0, 1]
    assert fronts.best_of_jobs(repository, [job])[job.id].number == 1


def test_of_very_many_dominated_points_a_picture_of_them_is_left(repository, job, monkeypatch):
    monkeypatch.setattr(fronts, "MOST_DOMINATED", 100)
    monkeypatch.setattr(fronts, "_CELLS", 10)
    grid = itertools.product(range(1, 31), range(31))
    places = [(macs * 1000, accuracy / 30 * macs / 30) for macs, accuracy in grid]
    fill(repository, job.id, places)

    found = asked(repository, job, include_dominated=True)

    assert found.thinned
    assert found.total == len(places)
    assert numbers(found) == pareto.front(coordinates(places)) == numbers(asked(repository, job))
    shown = [places[number] for number in numbers(found, dominated=True)]
    assert 30 < len(shown) <= 100
    assert len(set(shown)) == len(shown)
    assert {macs for macs, _ in shown} >= {1000, 30_000}  # from end to end

    closer = asked(repository, job, include_dominated=True, max_gmacs=5000 / 1e9)
    assert closer.thinned
    assert closer.total == 5 * 31
    assert all(c.point.macs <= 5000 for c in closer.candidates)


def test_a_kept_picture_of_dominated_points_loses_none_of_the_front(repository, job, monkeypatch):
    monkeypatch.setattr(fronts, "MOST_DOMINATED", 50)
    monkeypatch.setattr(fronts, "_CELLS", 7)
    places = [(1_000_000 + 1000 * n, 0.5 * n / 200 + 0.1 * (n % 3)) for n in range(200)]
    fill(repository, job.id, places)
    before = asked(repository, job, include_dominated=True)
    beaten = [c.point for c in before.candidates if not c.dominated][-1]

    spoil(repository, job.id, macs=beaten.macs - 1, val_accuracy=1.0)
    after = asked(repository, job, include_dominated=True)

    assert numbers(after) == numbers(asked(repository, job))
    assert 10_000 in numbers(after)
    assert beaten.number not in numbers(after)
    shown = {*numbers(after, dominated=True)} - {beaten.number}
    assert shown == {*numbers(before, dominated=True)}  # one more trial makes no other picture


def test_the_best_keeps_to_a_budget_in_milliseconds_as_well(repository):
    spec = SPEC.model_copy(update={"budget_ms": 5.0, "strategy": "budget"})
    timed = repository.jobs.add(spec, ESTIMATE)
    untimed = repository.jobs.add(SPEC, ESTIMATE)
    for job in (timed, untimed):
        fill(repository, job.id, [(1000, 0.5), (2000, 0.9), (2000, 0.8), (3000, 0.7)])
        with repository.database.write() as session:
            for number, milliseconds in enumerate([4.0, 9.0, 5.0, None]):
                row = (TrialRow.job_id == job.id, TrialRow.number == number)
                session.execute(update(TrialRow).where(*row).values(latency_ms=milliseconds))

    bests = fronts.best_of_jobs(repository, [timed, untimed])
    assert bests[timed.id].number == 2  # though it is not on the front
    assert bests[untimed.id].number == 1
    assert asked(repository, timed).best.number == 2
    assert numbers(asked(repository, timed)) == [0, 1]
    assert numbers(asked(repository, timed), dominated=True) == [2]  # shown, for it is the best
    assert numbers(asked(repository, untimed), dominated=True) == []


def test_a_job_without_trials_has_an_empty_front(repository, job):
    found = asked(repository, job, include_dominated=True)
    assert (found.candidates, found.best, found.knee, found.hypervolume) == ((), None, None, 0.0)
    assert found.total == 0
    assert jobs.get(repository, job.id).id not in fronts.best_of_jobs(repository, [job])


@pytest.mark.parametrize("gmacs", [0.29, 0.1 + 0.2, 1e-9, 4.35, 1e12])
def test_a_bound_in_gmacs_counts_what_a_point_shows(repository, job, gmacs):
    nearest = round(min(gmacs, 9e9) * 1e9)
    places = [(macs, 0.5) for macs in range(max(nearest - 2, 0), nearest + 3)]
    fill(repository, job.id, places)
    expected = sum(macs / 1e9 <= gmacs for macs, _ in places)
    assert repository.points.count(job.id, Bounds(max_gmacs=gmacs)) == expected
