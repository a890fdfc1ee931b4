"""What the command line draws with characters."""

from __future__ import annotations

import pytest

from service.answers import FrontPoint
from service.drawing import ASCII, UNICODE, Axis, Curve, Glyphs, bar, front

WIDTH, HEIGHT = 40, 10


def point(name: str, gmacs: float, accuracy: float, dominated: bool = False) -> FrontPoint:
    return FrontPoint(architecture_id=name, gmacs=gmacs, val_accuracy=accuracy, dominated=dominated)


CHEAP, MIDDLE, GOOD = point("a", 0.1, 0.9), point("b", 0.2, 0.95), point("c", 0.4, 0.97)
WORSE = point("d", 0.3, 0.91, dominated=True)


def drawn(
    *curves: Curve,
    budget: float | None = 0.3,
    marked: tuple[tuple[str, FrontPoint | None], ...] = (),
    glyphs: Glyphs = ASCII,
) -> list[str]:
    shown = front(curves, budget=budget, marked=marked, size=(WIDTH, HEIGHT), glyphs=glyphs)
    return shown.plain.splitlines()


def places(lines: list[str], character: str) -> list[tuple[int, int]]:
    """Columns and rows (from the top) of the plane where a character stands."""
    plane = [line.partition("|" if "|" in line else "+")[2] for line in lines[:HEIGHT]]
    return [
        (column, row)
        for row, line in enumerate(plane)
        for column, found in enumerate(line)
        if found == character
    ]


def test_costs_go_to_the_right_and_accuracies_upwards() -> None:
    found = sorted(places(drawn(Curve("job", [CHEAP, MIDDLE, GOOD])), "o"))
    assert len(found) == 3
    assert [row for _, row in found] == sorted((row for _, row in found), reverse=True)
    left, middle, right = (column for column, _ in found)
    assert (right - left) / (middle - left) == pytest.approx(3, abs=0.3)


def test_the_axes_have_round_labels_with_their_units() -> None:
    lines = drawn(Curve("job", [CHEAP, MIDDLE, GOOD]))
    labels = [line.split("%")[0].strip() for line in lines[:HEIGHT] if "%" in line]
    assert labels == ["97", "96", "95", "94", "93", "92", "91", "90"]
    assert lines[-2].endswith("- GMACs")
    costs = [float(text) for text in lines[-1].split()]
    assert costs == [0.1, 0.2, 0.3, 0.4]


def test_the_budget_is_a_line_from_top_to_bottom_at_its_cost() -> None:
    lines = drawn(Curve("job", [CHEAP, GOOD]), budget=0.3)
    columns = {column for column, _ in places(lines, ":")}
    assert len(places(lines, ":")) == HEIGHT
    assert columns == {Axis.around([0.1, 0.4, 0.3]).cell(0.3, WIDTH)}


@pytest.mark.parametrize("budget", [None, 40.0])
def test_a_budget_far_away_does_not_push_the_points_together(budget: float | None) -> None:
    lines = drawn(Curve("job", [CHEAP, GOOD]), budget=budget)
    assert places(lines, ":") == []
    columns = [column for column, _ in places(lines, "o")]
    assert max(columns) - min(columns) > WIDTH * 0.8


def test_what_is_marked_stands_over_the_front_and_the_front_over_what_is_dominated() -> None:
    hidden = point("e", 0.1, 0.9, dominated=True)
    lines = drawn(Curve("job", [CHEAP, MIDDLE], [WORSE, hidden]), marked=[("B", MIDDLE)])
    assert [len(places(lines, each)) for each in "oB."] == [1, 1, 1]


def test_several_fronts_have_signs_of_their_own() -> None:
    lines = drawn(Curve("one", [CHEAP]), Curve("two", [MIDDLE]), Curve("three", [GOOD]))
    assert [len(places(lines, each)) for each in "ox+"] == [1, 1, 1]


def test_the_stair_is_level_up_to_the_next_cost() -> None:
    lines = drawn(Curve("job", [CHEAP, GOOD]), budget=None, glyphs=UNICODE)
    (start,) = (line for line in lines if line.count("●") and not line.rstrip().endswith("●"))
    dots = [each for each in start if 0x2800 < ord(each) < 0x2900]
    assert len(dots) > WIDTH * 0.8
    assert len(set(dots[:-1])) == 1


def test_points_in_one_place_can_be_drawn() -> None:
    lines = drawn(Curve("job", [point("a", 0.0, 0.0)], [point("b", 0.0, 0.0)]), budget=0.0)
    assert len(places(lines, "o")) == 1


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ([0.90, 0.97], [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97]),
        ([0.001, 0.0105], [0.002, 0.004, 0.006, 0.008, 0.01]),
        ([300.0, 700.0], [300.0, 400.0, 500.0, 600.0, 700.0]),
    ],
)
def test_an_axis_has_few_and_round_ticks(values: list[float], ticks: list[float]) -> None:
    assert list(Axis.around(values).ticks) == pytest.approx(ticks)


@pytest.mark.parametrize(("accuracy", "label"), [(1.0, "100 %"), (0.0, "0 %")])
def test_no_accuracy_beyond_the_possible_is_written_at_the_axis(
    accuracy: float, label: str
) -> None:
    lines = drawn(Curve("job", [point("a", 0.1, accuracy), point("b", 0.2, accuracy)]))
    labels = [float(line.split("%")[0]) for line in lines[:HEIGHT] if "%" in line]
    assert len(labels) > 1
    assert min(labels) >= 0
    assert max(labels) <= 100
    assert any(label in line for line in lines)


def test_a_bar_is_as_long_as_the_side_and_goes_on_to_the_human_one() -> None:
    assert bar((16, 16), (32, 32), 32, 8, ASCII).plain == "####...."
    assert bar((32, 32), (16, 16), 32, 8, ASCII).plain == "########"
    assert bar((4, 16), None, 32, 8, ASCII).plain == "##"
    assert bar((17, 17), (32, 32), 32, 8, UNICODE).plain == "████▎┈┈┈"
