import subprocess
import sys
from xml.etree import ElementTree

import pytest

from resnas import plots
from resnas.errors import InvalidSpec
from resnas.picture import front_svg
from resnas.results import Architecture, TrialResult

ARCHITECTURE = Architecture(
    input_size=(3, 32, 32),
    resizer="dynopool",
    place="after",
    strides={"pool1": (2.0, 2.0), "pool2": (2.0, 1.6)},
    sizes={"pool1": (16, 16), "pool2": (8, 10)},
)


def trial(number, accuracy, mmacs, state="complete"):
    return TrialResult(
        number=number,
        state=state,
        resizer="dynopool",
        controller="penalty",
        lam=0.5,
        seed=0,
        architecture=ARCHITECTURE,
        val_accuracy=accuracy,
        macs=None if mmacs is None else int(mmacs * 1e6),
    )


RESULTS = [
    trial(0, 0.95, 3),
    trial(1, 0.98, 9),
    trial(2, 0.94, 5),
    trial(3, 0.97, 5),
    trial(4, 0.99, 1, state="stopped"),
    trial(5, None, None, state="failed"),
]


def test_importing_the_library_or_this_module_does_not_import_plotly():
    code = "import sys, resnas, resnas.plots, resnas.picture; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_front_is_a_stair_over_the_dominated_trials():
    dominated, front = plots.front(RESULTS).data
    assert list(front.x) == [0.003, 0.005, 0.009]
    assert list(front.y) == [0.95, 0.97, 0.98]
    assert front.line.shape == "hv"
    assert (list(dominated.x), list(dominated.y)) == ([0.005], [0.94])
    assert dominated.opacity < front.opacity
    assert {dominated.type, front.type} == {"scatter"}


def test_hovering_tells_the_sizes():
    _, front = plots.front(RESULTS).data
    assert "pool2: 8×10" in front.hovertext[0]
    assert "trial 3" in front.hovertext[1]


def test_budget_and_human_network_are_vertical_lines():
    figure = plots.front(RESULTS, budget_gmacs=0.006, human_gmacs=0.01)
    assert [(line.x0, line.x1, line.line.dash) for line in figure.layout.shapes] == [
        (0.006, 0.006, "dash"),
        (0.01, 0.01, "dot"),
    ]
    assert len(plots.front(RESULTS).layout.shapes) == 0


def test_a_search_without_results_gives_an_empty_figure():
    assert [len(trace.x) for trace in plots.front([]).data] == [0, 0]
    ElementTree.fromstring(front_svg([]))


def test_the_ladder_draws_every_map_to_scale():
    figure = plots.shape_ladder(ARCHITECTURE)
    extents = [(max(t.y) - min(t.y), max(t.x) - min(t.x)) for t in figure.data]
    assert extents == [(32, 32), (16, 16), (8, 10)]  # coordinates are sums of binary fractions
    assert figure.layout.yaxis.scaleanchor == "x"
    rights = [max(t.x) for t in figure.data]
    lefts = [min(t.x) for t in figure.data]
    assert all(right < left for right, left in zip(rights, lefts[1:], strict=False))


def test_the_ladder_outlines_the_human_sizes():
    figure = plots.shape_ladder(ARCHITECTURE, {"pool1": (16, 16), "pool2": (8, 8)})
    outlined = [t for t in figure.data if t.fill == "none"]
    assert [max(t.x) - min(t.x) for t in outlined] == [16, 8]
    with pytest.raises(InvalidSpec, match="pool9"):
        plots.shape_ladder(ARCHITECTURE, {"pool9": (1, 1)})


def elements(svg, tag):
    return list(ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}"))


def test_the_picture_shows_every_completed_trial_in_its_place():
    circles = elements(front_svg(RESULTS), "circle")
    across = [float(c.get("cx")) for c in circles]
    down = [float(c.get("cy")) for c in circles]
    assert sorted(range(4), key=across.__getitem__)[0] == 0
    assert across[2] == across[3]
    assert sorted(range(4), key=down.__getitem__) == [1, 3, 0, 2]
    assert [c.get("fill") for c in circles] == [plots.BLUE, plots.BLUE, plots.GREY, plots.BLUE]


def test_the_pictures_stair_ends_at_the_front_points():
    svg = front_svg(RESULTS)
    (path,) = elements(svg, "path")
    last = elements(svg, "circle")[1]
    assert path.get("d").endswith(f"H{last.get('cx')}V{last.get('cy')}")


def test_the_picture_marks_budget_and_human_within_its_axes():
    svg = front_svg(RESULTS, budget_gmacs=0.02, human_gmacs=0.001, title="a < b & c")
    texts = [t.text for t in elements(svg, "text")]
    assert {"budget", "human", "a < b & c"} <= set(texts)
    dashed = [line for line in elements(svg, "line") if line.get("stroke-dasharray") != "none"]
    assert all(70 <= float(line.get("x1")) <= 700 for line in dashed)


def test_one_result_has_axes_too():
    (circle,) = elements(front_svg([trial(0, 0.95, 3)]), "circle")
    assert 70 < float(circle.get("cx")) < 700
    assert 50 < float(circle.get("cy")) < 365
