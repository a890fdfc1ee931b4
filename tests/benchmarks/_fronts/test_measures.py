"""What the comparison of strategies reads off its records, on numbers worked out by hand."""

import math

import pytest

from resnas.results import EpochMetrics, TrialResult
from tests.benchmarks._fronts.cache import Cache, Record, Recorder, Unit
from tests.benchmarks._fronts.measures import (
    Point,
    Scale,
    at_budget,
    budget_errors,
    curve,
    interval,
    spent,
    twins,
    within,
)

SCALE = Scale(low=1.0, high=math.e**2, chance=0.5)


def trial(number, gmacs, accuracy=0.75, budget=None, state="complete"):
    return TrialResult(
        number=number,
        state=state,
        resizer="dynopool",
        seed=0,
        budget_gmacs=budget,
        val_accuracy=accuracy,
        test_accuracy=accuracy,
        macs=round(gmacs * 1e9),
    )


def epoch(number, gmacs, trained_gmacs=None):
    return EpochMetrics(
        trial=number,
        epoch=1,
        epochs=1,
        phase="search",
        train_loss=1.0,
        val_accuracy=0.5,
        gmacs=gmacs,
        trained_gmacs=trained_gmacs,
        sizes={},
        strides={},
        seconds=1.0,
    )


def test_hypervolume_is_the_mean_over_log_budgets_of_what_is_gained_over_guessing():
    points = [Point(0.6, 0.6, 1.0), Point(0.8, 0.8, math.e)]
    assert SCALE.hypervolume(points) == pytest.approx((0.2 * 1 + 0.6 * 1) / 2)


def test_hypervolume_takes_what_validation_prefers_even_where_the_test_does_not():
    points = [Point(0.6, 0.9, 1.0), Point(0.8, 0.7, math.e)]
    assert SCALE.hypervolume(points) == pytest.approx((0.8 * 1 + 0.4 * 1) / 2)


def test_networks_beyond_the_range_count_only_within_it():
    cheap, costly = Point(0.7, 0.7, 0.01), Point(0.9, 0.9, 100.0)
    assert SCALE.hypervolume([cheap, costly]) == pytest.approx(0.4)
    assert SCALE.hypervolume([costly]) == 0
    assert SCALE.hypervolume([]) == 0


def test_compute_counts_every_pass_of_a_step():
    assert spent([epoch(0, 2.0), epoch(0, 2.0, trained_gmacs=5.0)], samples=10) == 70


def test_a_stopped_trial_costs_and_brings_nothing():
    record = Record(
        trials=(trial(0, 1.0), trial(1, 0.5, state="stopped")),
        epochs=(epoch(0, 1.0), epoch(1, 0.5)),
    )
    found = curve([record], samples=10, scale=SCALE, independent_from=None)
    assert [cost for cost, _ in found] == [10, 15]
    assert found[0][1] == found[1][1] == pytest.approx(0.5)


def test_trainings_that_could_be_made_in_any_order_count_from_both_ends():
    record = Record(
        trials=tuple(trial(n, n + 1.0) for n in range(3)),
        epochs=tuple(epoch(n, n + 1.0) for n in range(3)),
    )
    found = curve([record], samples=1, scale=SCALE, independent_from=0)
    assert [cost for cost, _ in found] == [1, 4, 6]
    assert within(found, 4.0) == found[1][1]
    assert within(found, 0.5) == 0


def test_budget_errors_are_percent_and_signed():
    record = Record(trials=(trial(0, 0.99, budget=1.0), trial(1, 1.02, budget=1.0), trial(2, 9.0)))
    assert budget_errors([record]) == pytest.approx([-1.0, 2.0])


def test_twins_are_compared_at_the_same_budget_and_the_settled_network_counts():
    many = Record(trials=(trial(0, 1, 0.3, budget=1.0), trial(1, 1, 0.7, budget=1.0)))
    single = Record(trials=(trial(0, 1, 0.6, budget=1.0),))
    assert at_budget([many], 1.0) == 0.7
    assert twins({0: [many]}, {0: [single], 1: [single]}, [1.0, 2.0]) == [[pytest.approx(10)]]


def test_an_interval_is_students():
    mean, half = interval([1.0, 2.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(4.302653 / math.sqrt(3)))


def test_a_recorder_goes_on_where_another_was_cut_off(tmp_path):
    cache, unit = Cache(tmp_path), Unit("sweep", 0, "", lambda *_: None)
    first = Recorder(cache, unit)
    first.on_epoch(epoch(0, 1.0))
    first.on_trial(trial(0, 1.0))
    first.on_epoch(epoch(1, 1.0))  # cut off: this trial never ends
    second = Recorder(cache, unit)
    assert [result.number for result in second.record.trials] == [0]
    second.on_epoch(epoch(1, 2.0))
    second.on_trial(trial(1, 2.0))
    second.end()
    record = cache.read(unit)
    assert [(e.trial, e.gmacs) for e in record.epochs] == [(0, 1.0), (1, 2.0)]
    assert record.done


def test_a_unit_is_worked_on_by_one_at_a_time(tmp_path):
    cache, unit = Cache(tmp_path), Unit("sweep", 0, "", lambda *_: None)
    with cache.claimed(unit) as mine, cache.claimed(unit) as others:
        assert (mine, others) == (True, False)
    with cache.claimed(unit) as mine:
        assert mine
