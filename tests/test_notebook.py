import sys
from html.parser import HTMLParser

import nbformat
import pytest
from nbclient import NotebookClient

from resnas.errors import ResnasError
from resnas.notebook import card, frame, table
from resnas.progress import Standing, Tally
from resnas.results import Architecture, EpochMetrics, TrialResult
from resnas.search_result import SearchResult
from resnas.spec import JobSpec
from service.answers import Front, FrontPoint, Job, Spec, StoredArchitecture

MARKUP = "<b>net</b> & <img src=x onerror=alert(1)>"
ARCHITECTURE = Architecture(
    backbone=MARKUP,
    num_classes=10,
    input_size=(1, 16, 16),
    resizer="dynopool",
    place="after",
    strides={"pool1": (2.0, 2.25)},
    sizes={"pool1": (8, 7)},
)


def trial(number, accuracy, mmacs, state="complete"):
    return TrialResult(
        number=number,
        state=state,
        resizer="dynopool",
        lam=0.5,
        seed=number,
        architecture=ARCHITECTURE if accuracy else None,
        val_accuracy=accuracy,
        val_samples=100,
        macs=None if mmacs is None else int(mmacs * 1e6),
        reason=None if accuracy else MARKUP,
    )


RESULT = SearchResult(
    JobSpec(backbone="vgg_small", dataset="digits", budget_gmacs=0.006),
    (trial(0, 0.5, 3), trial(1, 0.9, 4), trial(2, 0.95, 9), trial(3, None, None, "failed")),
    artifacts=None,
    human_gmacs=0.01,
)


class Seen(HTMLParser):
    """The tags and the texts of an HTML document."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, _attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def points():
    return [
        FrontPoint(
            architecture_id="a1", val_accuracy=0.9, gmacs=0.004, resizer=MARKUP, spread=0.03
        ),
        FrontPoint(architecture_id="a2", val_accuracy=0.95, gmacs=0.009, sizes={"pool1": (8, 7)}),
    ]


def test_a_search_shows_its_front_and_what_is_best_under_the_budget():
    seen = Seen(RESULT._repr_html_())
    assert "vgg_small on digits" in seen.texts
    assert "90.00 ± 3.00 % at 0.004 GMACs" in seen.texts
    assert "3 of 4 complete" in seen.texts
    assert seen.texts.count("best under the budget, knee") == 1
    assert (seen.tags.count("tr"), seen.tags.count("circle")) == (1 + 3, 3)


def test_a_search_as_a_data_frame_has_a_row_a_trial():
    found = RESULT.to_dataframe()
    assert list(found["on_front"]) == [True, True, True, False]
    assert list(found["pool1.width"].dropna()) == [7, 7, 7]
    assert found["spread"][1] == pytest.approx(0.03)
    assert found["reason"][3] == MARKUP


def test_a_search_plots_what_it_chose():
    dominated, front, best, knee = RESULT.plot().data
    assert list(front.customdata) == ["trial 0", "trial 1", "trial 2"]
    assert [list(trace.customdata) for trace in (dominated, best, knee)] == [
        [],
        ["trial 1"],
        ["trial 1"],
    ]


def test_what_the_server_answers_shows_names_as_they_are():
    job = Job(
        id="j1",
        state="running",
        spec=Spec(backbone=MARKUP, dataset="digits", budget_gmacs=0.006),
        trials_done=1,
        trials_total=4,
        best=points()[0],
    )
    stored = StoredArchitecture(
        id="a1", job_id="j1", architecture=ARCHITECTURE, trial=trial(0, 0.5, 3)
    )
    front = Front(points=points(), best_under_budget=points()[0])
    for value in (job, stored, front):
        seen = Seen(value._repr_html_())
        assert "img" not in seen.tags
        assert any(MARKUP in text for text in seen.texts)
    assert "best under the budget" in Seen(front._repr_html_()).texts
    assert [point.mark().id for point in front.points] == list(front.plot().data[1].customdata)
    assert list(front.to_dataframe()["architecture_id"]) == ["a1", "a2"]
    assert stored.to_dataframe().to_dict("list") == {"site": ["pool1"], "height": [8], "width": [7]}


def test_a_front_without_points_is_shown_too():
    empty = Front(points=[])
    assert "none" in Seen(empty._repr_html_()).texts
    assert list(empty.to_dataframe().columns)[:2] == ["architecture_id", "val_accuracy"]
    assert len(empty.plot().data[1].x) == 0


def test_a_table_and_a_card_escape_what_they_are_given():
    seen = Seen(card(MARKUP, {MARKUP: MARKUP}, table([MARKUP], [[MARKUP]])))
    assert seen.texts.count(MARKUP) == 4
    assert "img" not in seen.tags


def test_without_pandas_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ResnasError, match="pip install pandas"):
        frame([], ["a"])


def test_a_tally_counts_trials_by_their_epochs():
    tally = Tally(budget_gmacs=0.006)
    assert (tally.standing.trials, str(tally.standing)) == (0, "")
    tally.on_trial(RESULT.trials[1])
    tally.on_trial(RESULT.trials[2])
    tally.on_epoch(
        EpochMetrics(
            trial=3,
            epoch=1,
            epochs=4,
            phase="search",
            train_loss=1.0,
            val_accuracy=0.5,
            gmacs=0.004,
            sizes={},
            strides={},
            seconds=1.0,
        )
    )
    assert (tally.standing.done, tally.standing.trials) == (2, 2.25)
    best = "best under budget 90.00 % at 0.004 GMACs"
    assert str(tally.standing) == f"epoch 1/4 · {best}"
    assert str(Standing(0, state="queued")) == "queued"


def test_the_best_that_is_told_obeys_both_budgets():
    slow, quick = (
        each.model_copy(update={"latency_ms": ms})
        for each, ms in ((RESULT.trials[1], 9.0), (RESULT.trials[0], 1.0))
    )
    tally = Tally(budget_gmacs=0.006, budget_ms=5.0)
    tally.on_trial(slow)
    assert tally.standing.best is None
    tally.on_trial(quick)
    spec = RESULT.spec.model_copy(update={"budget_ms": 5.0})
    best = SearchResult(spec, (slow, quick), artifacts=None).best
    assert tally.standing.best is best is quick


def executed(*sources, folder):
    """What the cells of a notebook put out, run by a kernel of its own."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    place = {"metadata": {"path": folder}}
    NotebookClient(notebook, timeout=250, kernel_name="python3", resources=place).execute()
    return [[o.get("data") for o in cell.outputs if "data" in o] for cell in cells]


BAR = """
from resnas.notebook import is_notebook
from resnas.progress import NotebookProgress
from resnas.results import TrialResult
assert is_notebook()
bar = NotebookProgress(trials=2, budget_gmacs=0.006)
common = {"number": 0, "resizer": "dynopool", "seed": 0}
bar.on_trial(TrialResult(**common, state="failed", reason="<i>no</i> data"))
"""


def test_a_notebook_shows_a_bar_that_moves_in_its_place(tmp_path):
    ((bar,),) = executed(BAR, folder=tmp_path)
    seen = Seen(bar["text/html"])
    assert "progress" in seen.tags
    assert any(text.strip().startswith("1/2 trials") for text in seen.texts)
    assert "trial 0 failed: <i>no</i> data" in seen.texts


SEARCH = """
import resnas
from resnas.spec import JobSpec, TrainingSpec
training = TrainingSpec(epochs=1, batch_size=256)
result = resnas.search(
    JobSpec(backbone="vgg_small", dataset="digits", budget_gmacs=0.1, trials=1, training=training)
)
"""


@pytest.mark.chaos
def test_a_search_in_a_notebook_shows_how_far_it_is_and_then_its_front(tmp_path):
    plot = "result.best.architecture.plot()"
    search, result, ladder = executed(SEARCH, "result", plot, folder=tmp_path)
    assert "1/1 trials · best under budget" in search[-1]["text/html"]
    assert "svg" in Seen(result[0]["text/html"]).tags
    figure = ladder[0]["application/vnd.plotly.v1+json"]
    assert {trace["name"] for trace in figure["data"]} >= {"input", "conv", "resizer", "human"}
