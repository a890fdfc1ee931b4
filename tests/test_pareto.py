import itertools
import math
import random

import pytest

from resnas import pareto
from resnas.errors import InvalidSpec


def dominates(a, b):
    return a[0] >= b[0] and a[1] <= b[1] and a != b


def slow_front(points):
    kept = [
        i
        for i, p in enumerate(points)
        if p not in points[:i] and not any(dominates(q, p) for q in points)
    ]
    return sorted(kept, key=lambda i: points[i][1])


def slow_hypervolume(points, reference):
    """Cell by cell of the grid that all coordinates span."""
    accuracies = sorted({reference[0], *(a for a, _ in points if a > reference[0])})
    costs = sorted({reference[1], *(c for _, c in points if c < reference[1])})
    return sum(
        (high - low) * (right - left)
        for low, high in itertools.pairwise(accuracies)
        for left, right in itertools.pairwise(costs)
        if any(a >= high and c <= left for a, c in points)
    )


def clouds():
    """Random points, on a coarse grid too, so that ties and duplicates occur."""
    rng = random.Random(0)
    for count in (0, 1, 2, 3, 5, 20, 60):
        for _ in range(10):
            yield [(rng.random(), rng.random()) for _ in range(count)]
            yield [(rng.randrange(6) / 4, rng.randrange(6) / 4) for _ in range(count)]


def test_front_equals_brute_force():
    for points in clouds():
        assert pareto.front(points) == slow_front(points)


def test_front_rises_in_accuracy_with_cost():
    for points in clouds():
        chosen = [points[i] for i in pareto.front(points)]
        assert chosen == sorted(set(chosen), key=lambda p: p[1])
        assert [a for a, _ in chosen] == sorted({a for a, _ in chosen})


def test_front_keeps_the_first_of_equal_points():
    assert pareto.front([(0.5, 2.0), (0.9, 1.0), (0.9, 1.0)]) == [1]


def test_front_takes_infinite_coordinates():
    assert pareto.front([(-math.inf, 1.0), (0.5, math.inf)]) == [0, 1]


def test_front_of_many_points():
    rng = random.Random(1)
    points = [(rng.random(), rng.random()) for _ in range(100_000)]
    chosen = [points[i] for i in pareto.front(points)]
    # every point is weakly dominated by one of the front, none of the front by another
    assert slow_front(chosen) == list(range(len(chosen)))
    for point in rng.sample(points, 200):
        assert any(c == point or dominates(c, point) for c in chosen)


def test_hypervolume_equals_brute_force():
    for points in clouds():
        for reference in ((0.0, 1.0), (0.3, 0.7), (-1.0, 2.0)):
            expected = slow_hypervolume(points, reference)
            assert pareto.hypervolume(points, reference) == pytest.approx(expected, abs=1e-12)


def test_hypervolume_grows_only_with_new_front_points():
    points = [(0.9, 1.0), (1.0, 3.0)]
    area = pareto.hypervolume(points, (0.0, 4.0))
    assert pareto.hypervolume([*points, (0.8, 2.0)], (0.0, 4.0)) == area
    assert pareto.hypervolume([*points, (0.95, 2.0)], (0.0, 4.0)) > area


def test_hypervolume_is_zero_where_nothing_dominates_the_reference():
    assert pareto.hypervolume([(0.5, 1.0)], (0.6, 2.0)) == 0
    assert pareto.hypervolume([(0.5, 3.0)], (0.1, 2.0)) == 0
    assert pareto.hypervolume([], (0.1, 2.0)) == 0


def slow_knee(points):
    """Euclidean distance to the chord, by the cross product, in scaled coordinates."""
    indices = slow_front(points)
    if len(indices) < 3:
        return None
    (a0, c0), (a1, c1) = points[indices[0]], points[indices[-1]]
    distance = {
        i: (((points[i][0] - a0) / (a1 - a0)) - ((points[i][1] - c0) / (c1 - c0))) / math.sqrt(2)
        for i in indices[1:-1]
    }
    best = max(distance.values())
    return {i for i, d in distance.items() if d > best - 1e-12} if best > 0 else None


def test_knee_equals_brute_force():
    found = 0
    for points in clouds():
        expected = slow_knee(points)
        got = pareto.knee(points)
        if expected is None or got is None:
            assert expected is None or max(expected) >= 0
            assert got is None
        else:
            found += 1
            assert got in expected
    assert found > 10


def test_knee_does_not_depend_on_units():
    points = [(0.5, 1.0), (0.8, 1.5), (0.9, 4.0), (0.95, 9.0)]
    scaled = [(100 * a, c / 1e9) for a, c in points]
    assert pareto.knee(points) == pareto.knee(scaled) == 1


def test_there_is_no_knee_on_two_points_or_a_line_or_below_it():
    assert pareto.knee([(0.1, 1.0), (0.9, 2.0)]) is None
    assert pareto.knee([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]) is None
    assert pareto.knee([(0.0, 0.0), (0.1, 0.5), (1.0, 1.0)]) is None


def test_best_under_equals_brute_force():
    for points in clouds():
        for budget in (0.0, 0.25, 0.5, 2.0):
            fitting = [i for i, p in enumerate(points) if p[1] <= budget]
            expected = min(fitting, key=lambda i: (-points[i][0], points[i][1], i), default=None)
            assert pareto.best_under(points, budget) == expected


@pytest.mark.parametrize("function", [pareto.front, pareto.knee])
def test_nan_is_refused_with_its_place(function):
    with pytest.raises(InvalidSpec, match=r"points\[1\]"):
        function([(0.5, 1.0), (math.nan, 1.0)])


def test_what_is_no_pair_is_refused():
    with pytest.raises(InvalidSpec, match="shape"):
        pareto.front([(1.0, 2.0, 3.0)])


def test_a_nan_budget_or_reference_is_refused():
    with pytest.raises(InvalidSpec, match="budget"):
        pareto.best_under([(0.5, 1.0)], math.nan)
    with pytest.raises(InvalidSpec):
        pareto.hypervolume([(0.5, 1.0)], (math.nan, 1.0))
