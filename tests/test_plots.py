import math
import subprocess
import sys
from xml.etree import ElementTree

from resnas import plots
from resnas.picture import front_svg
from resnas.plots import Mark, marks_of
from resnas.profiles import MapFacts
from resnas.results import Architecture, EpochMetrics, TrialResult
from tests.test_plots_ladders import PROFILE, profile_of

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


def test_importing_the_library_or_its_figures_imports_neither_plotly_nor_torch():
    code = (
        "import sys, resnas, resnas.plots, resnas.picture, service.answers\n"
        "sys.exit(bool({'plotly', 'torch', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_front_is_a_stair_over_the_dominated_points():
    dominated, front, _, _ = plots.front(marks_of(RESULTS)).data
    assert list(front.x) == [0.003, 0.005, 0.009]
    assert list(front.y) == [0.95, 0.97, 0.98]
    assert front.line.shape == "hv"
    assert (list(dominated.x), list(dominated.y)) == ([0.005], [0.94])
    assert dominated.marker.opacity < front.marker.opacity
    assert {dominated.type, front.type} == {"scatter"}


def test_a_point_of_a_figure_is_known_by_its_id():
    figure = plots.front(marks_of(RESULTS), best="trial 3", knee="trial 1")
    assert [trace.name for trace in figure.data] == [
        "dominated",
        "front",
        "best under the budget",
        "knee",
    ]
    assert [list(trace.customdata) for trace in figure.data] == [
        ["trial 2"],
        ["trial 0", "trial 3", "trial 1"],
        ["trial 3"],
        ["trial 1"],
    ]


def test_a_second_result_of_a_trial_has_an_id_of_its_own():
    ids = [mark.id for mark in marks_of([trial(0, 0.9, 3), trial(0, 0.95, 5)])]
    assert ids == ["trial 0", "trial 0 (2)"]


def test_hovering_tells_accuracy_spread_sizes_and_what_was_tried():
    result = trial(3, 0.9, 5).model_copy(update={"val_samples": 100, "test_accuracy": 0.88})
    (told,) = plots.front(marks_of([result])).data[1].hovertext
    assert told.split("<br>") == [
        "<b>90.00% ± 3.00%</b> at <b>0.005 GMACs</b>",
        "test 88.00%",
        "trial 3, seed 0",
        "dynopool, λ = 0.5",
        "pool1 16×16",
        "pool2 8×10",
    ]


def test_a_hover_card_of_many_sites_stays_short():
    sizes = {f"site{index}": (8, 8) for index in range(40)}
    (told,) = plots.front([Mark("a", 0.1, 0.9, sizes=sizes, job="j")]).data[1].hovertext
    assert len(told.split("<br>")) <= 12
    assert told.endswith("and 34 more")


MARKUP = "<b>net</b> & <i>co</i>"


def test_markup_in_names_is_shown_as_it_is():
    mark = Mark("a", 0.1, 0.9, resizer=MARKUP, sizes={MARKUP: (8, 8)}, aim=MARKUP, job=MARKUP)
    facts = MapFacts(
        name=MARKUP,
        kind=MARKUP,
        channels=3,
        size=(4, 4),
        macs=9,
        human_size=(4, 4),
        human_macs=9,
    )
    found = profile_of(facts).model_copy(update={"backbone": MARKUP})
    epoch = epoch_of(0, 1, 0.5).model_copy(update={"strides": {MARKUP: (2.0, 2.0)}})
    for figure in (
        plots.front([mark], title=MARKUP),
        plots.fronts({MARKUP: [mark]}),
        plots.shape_ladder(found),
        plots.layer_costs(found),
        plots.ladders(found, found, (MARKUP, MARKUP)),
        plots.curves([epoch], title=MARKUP),
    ):
        shown = figure.to_plotly_json()
        for trace in shown["data"]:
            trace.pop("meta", None)  # for programs
            trace.pop("customdata", None)
            trace.pop("legendgroup", None)
        text = str(shown)
        assert "&lt;b&gt;net&lt;/b&gt; &amp; &lt;i&gt;" in text
        assert "<i>" not in text


def test_budget_and_human_network_are_vertical_lines():
    figure = plots.front(marks_of(RESULTS), budget_gmacs=0.006, human_gmacs=0.01)
    assert [(line.x0, line.x1, line.line.dash) for line in figure.layout.shapes] == [
        (0.006, 0.006, "dash"),
        (0.01, 0.01, "dot"),
    ]
    assert [note.text for note in figure.layout.annotations] == ["budget 0.006", "human 0.01"]
    assert figure.layout.xaxis.range[1] > 0.01
    assert len(plots.front(marks_of(RESULTS)).layout.shapes) == 0


def test_a_human_network_far_away_is_told_of_at_the_edge():
    figure = plots.front(marks_of(RESULTS), human_gmacs=4.1)
    (note,) = figure.layout.annotations
    assert (note.text, note.x, note.xref) == ("human 4.1 →", 1, "paper")
    assert figure.layout.xaxis.range[1] < 0.02
    assert len(figure.layout.shapes) == 0


def test_a_search_without_results_gives_an_empty_figure_that_says_so():
    figure = plots.front([], budget_gmacs=0.3)
    assert [len(trace.x) for trace in figure.data] == [0, 0, 0, 0]
    assert figure.layout.annotations[-1].text == "no trial has completed yet"
    ElementTree.fromstring(front_svg([]))


def test_accuracies_that_are_no_numbers_are_left_out():
    marks = [Mark("a", 0.1, float("nan")), Mark("b", 0.2, 0.9), Mark("c", float("inf"), 0.95)]
    figure = plots.front(marks)
    assert list(figure.data[1].customdata) == ["b"]
    assert all(math.isfinite(end) for end in figure.layout.yaxis.range)


def test_fronts_over_one_another_differ_in_more_than_colour():
    searches = {name: marks_of(RESULTS) for name in ("a", "b", "c")}
    traces = plots.fronts(searches).data
    assert [trace.name for trace in traces] == ["a", "b", "c"]
    assert len({trace.marker.symbol for trace in traces}) == 3
    assert len({trace.line.dash for trace in traces}) == 3
    assert all(list(trace.x) == [0.003, 0.005, 0.009] for trace in traces)


def epoch_of(trial, epoch, loss):
    return EpochMetrics(
        trial=trial,
        epoch=epoch,
        epochs=3,
        phase="search",
        train_loss=loss,
        val_accuracy=0.5,
        gmacs=0.1,
        sizes={"pool1": (8, 8)},
        strides={"pool1": (2.0, 4.5), "pool2": (1.0, 1.0)},
        seconds=1.0,
    )


def test_curves_share_their_epochs_over_four_panels():
    figure = plots.curves([epoch_of(1, 2, 0.5), epoch_of(1, 1, 0.9), epoch_of(4, 1, 0.7)], {4})
    first = [trace for trace in figure.data if trace.name == "trial 1"]
    assert [trace.yaxis for trace in first] == ["y", "y2", "y3", "y4", "y4"]
    assert (list(first[0].x), list(first[0].y)) == ([1, 2], [0.9, 0.5])
    assert list(first[3].y) == [3.0, 3.0]
    assert first[3].line.dash != first[4].line.dash
    assert [trace.showlegend for trace in first] == [True, False, False, False, False]
    opacities = {trace.name: trace.opacity for trace in figure.data}
    assert opacities["trial 1"] < opacities["trial 4"] == 1
    assert len(plots.curves([]).data) == 0


def test_figures_are_svg_and_take_the_page_behind_them():
    for figure in (
        plots.front(marks_of(RESULTS)),
        plots.shape_ladder(PROFILE),
        plots.layer_costs(PROFILE),
        plots.curves([epoch_of(0, 1, 0.5)]),
    ):
        assert {trace.type for trace in figure.data} <= {"scatter", "bar"}
        assert figure.layout.width is None
        assert (figure.layout.paper_bgcolor, figure.layout.plot_bgcolor) == ("rgba(0,0,0,0)",) * 2
