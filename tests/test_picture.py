import math
from xml.etree import ElementTree

from resnas import plots
from resnas.picture import front_svg
from resnas.plots import Mark, marks_of
from tests.test_plots import RESULTS, trial


def elements(svg, tag):
    return list(ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}"))


def test_the_picture_shows_every_completed_trial_in_its_place():
    circles = elements(front_svg(marks_of(RESULTS)), "circle")
    across = [float(c.get("cx")) for c in circles]
    down = [float(c.get("cy")) for c in circles]
    assert sorted(range(4), key=across.__getitem__)[0] == 0
    assert across[2] == across[3]
    assert sorted(range(4), key=down.__getitem__) == [1, 3, 0, 2]
    assert [c.get("fill") for c in circles] == [plots.BLUE, plots.BLUE, plots.GREY, plots.BLUE]


def test_the_pictures_stair_ends_at_the_front_points():
    svg = front_svg(marks_of(RESULTS))
    (path,) = elements(svg, "path")
    last = elements(svg, "circle")[1]
    assert path.get("d").endswith(f"H{last.get('cx')}V{last.get('cy')}")


def test_the_picture_marks_budget_and_human_within_its_axes():
    svg = front_svg(marks_of(RESULTS), budget_gmacs=0.02, human_gmacs=0.001, title="a < b & c")
    texts = [t.text for t in elements(svg, "text")]
    assert {"budget", "human", "a < b & c"} <= set(texts)
    dashed = [line for line in elements(svg, "line") if line.get("stroke-dasharray") != "none"]
    assert all(70 <= float(line.get("x1")) <= 700 for line in dashed)


def test_one_result_has_axes_too():
    (circle,) = elements(front_svg(marks_of([trial(0, 0.95, 3)])), "circle")
    assert 70 < float(circle.get("cx")) < 700
    assert 50 < float(circle.get("cy")) < 365


def test_accuracies_that_are_no_numbers_are_not_in_the_picture():
    marks = [Mark("a", 0.1, math.nan), Mark("b", 0.2, 0.9), Mark("c", math.inf, 0.95)]
    assert len(elements(front_svg(marks), "circle")) == 1
