"""What the command line draws."""

from __future__ import annotations

import pytest

from service.answers import FrontPoint
from service.console import plot, show_front


def point(name: str, gmacs: float, accuracy: float) -> FrontPoint:
    return FrontPoint(architecture_id=name, gmacs=gmacs, val_accuracy=accuracy)


def test_a_plot_has_costs_to_the_right_and_accuracies_upwards() -> None:
    lines = plot(
        [point("a", 0.1, 0.9), point("b", 0.2, 0.95), point("c", 0.4, 0.97)], 0.3
    ).splitlines()
    marks = {line.index("o"): number for number, line in enumerate(lines) if "o" in line}
    assert list(marks) == sorted(marks, reverse=True)
    assert "97.00 %" in lines[0]
    assert "90.00 %" in lines[11]
    assert all(line[50] in ":o" for line in lines[:12])
    assert lines[-1].split() == ["0.1", "0.4", "GMACs"]


def test_a_front_of_one_point_is_a_table_only(capsys: pytest.CaptureFixture[str]) -> None:
    only = point("a", 0.1, 0.9)
    show_front([only], only, 0.3)
    out = capsys.readouterr().out
    assert "best under the budget" in out
    assert len(out.splitlines()) == 2
