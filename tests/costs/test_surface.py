"""Tables are exact at their points and linear between them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from resnas.costs._surface import Surface, spaced

GRID = ((2, 4, 9), (1, 3, 8, 20))


def _surface(function):
    values = np.array([[function(v, h) for h in GRID[1]] for v in GRID[0]], dtype=float)
    return Surface((2, 0), GRID, values)


def _random():
    rng = np.random.default_rng(0)
    table = {point: rng.uniform(1, 5) for point in itertools.product(*GRID)}
    return table, _surface(lambda v, h: table[v, h])


def test_a_table_is_exact_at_every_point_of_its_grid():
    table, surface = _random()
    for (v, h), expected in table.items():
        assert surface.at([h, -7, v])[0] == expected  # axis 2 is the first, 0 the second


def test_a_time_made_of_constant_rows_columns_and_pixels_is_met_everywhere():
    surface = _surface(lambda v, h: 3 + 0.5 * v + 0.25 * h + 0.125 * v * h)
    for v, h in itertools.product(range(1, 12), range(1, 25)):  # and beyond the ends
        value, (along_v, along_h) = surface.at([h, 0, v])
        assert value == pytest.approx(3 + 0.5 * v + 0.25 * h + 0.125 * v * h)
        assert along_v == pytest.approx(0.5 + 0.125 * h)
        assert along_h == pytest.approx(0.25 + 0.125 * v)


def test_the_slope_within_a_cell_is_that_of_its_ends():
    table, surface = _random()
    _, (along_v, along_h) = surface.at([8, 0, 6])
    assert along_v == pytest.approx((table[9, 8] - table[4, 8]) / 5)
    at_six = {h: table[4, h] * 3 / 5 + table[9, h] * 2 / 5 for h in (3, 8, 20)}
    left, right = (at_six[8] - at_six[3]) / 5, (at_six[20] - at_six[8]) / 12
    assert along_h == pytest.approx((left + right) / 2)


def test_an_axis_that_cannot_change_has_one_point_and_no_slope():
    surface = Surface((0,), ((7,),), np.array([2.5]))
    assert surface.at([7]) == (2.5, [0.0])


def test_what_depends_on_no_size_is_a_number():
    assert Surface((), (), np.array(1.5)).at([3, 4]) == (1.5, [])


@pytest.mark.parametrize(("least", "most", "count"), [(2, 64, 6), (2, 9, 6), (1, 3, 8), (5, 5, 4)])
def test_points_lie_from_the_smallest_to_the_largest(least, most, count):
    points = spaced(least, most, count)
    assert (points[0], points[-1]) == (least, most)
    assert list(points) == sorted(set(points))
    assert len(points) <= count
