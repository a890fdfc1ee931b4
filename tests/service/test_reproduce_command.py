"""`resnas reproduce`: what it lists, trains, shows and refuses."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from search_spaces import recipes
from service import cli

RECIPE = """
from search_spaces.recipes import Published, Recipe, Row, Training

RECIPE = Recipe(
    title="small networks",
    source="a paper, table 9",
    backbone="vgg_small",
    dataset="npz:noise",
    training=Training(epochs=1, batch_size=64, lr=0.05, weight_decay=5e-4),
    rows=(
        Row("human", "strided", Published(accuracy=91.25, spread=0.5, gmacs=0.0031)),
        Row("broken", "dynopool", controller="projection", budget_gmacs=BUDGET),
    ),
    ours={"epochs": "it does not say"},
    remarks=("figures of another counter",),
)
"""


@pytest.fixture
def resnas(monkeypatch, capsys, tmp_path):
    """The command, where some small data and one more recipe are."""
    noise = np.random.default_rng(0)
    pictures = noise.integers(0, 256, (120, 16, 16, 3), dtype=np.uint8)
    labels = np.arange(120) % 3
    np.savez(tmp_path / "noise.npz", x_train=pictures, y_train=labels)
    np.savez(tmp_path / "other.npz", x_train=pictures[:60], y_train=labels[:60])
    (tmp_path / "recipes").mkdir()
    for name, budget in (("table_9_1_noise", 0.002), ("table_9_2_broken", 1e-6)):
        (tmp_path / "recipes" / f"{name}.py").write_text(RECIPE.replace("BUDGET", str(budget)))
        monkeypatch.delitem(sys.modules, f"search_spaces.recipes.{name}", raising=False)
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(tmp_path / "recipes")])
    monkeypatch.setenv("RESNAS_DATASETS_DIR", str(tmp_path))
    monkeypatch.setenv("RESNAS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["resnas", "reproduce", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_without_a_name_all_recipes_are_listed(resnas):
    code, out, _ = resnas()
    assert code == 0
    assert set(recipes.names()) <= set(out.split())
    _, out, _ = resnas("--json")
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert listed["table-9.1-noise"]["source"] == "a paper, table 9"


def test_a_table_is_shown_beside_its_published_figures_and_saved(resnas):
    code, out, err = resnas("table-9.1-noise", "--seeds", "0,1")
    assert code == 0
    human = next(line for line in out.splitlines() if line.startswith("human"))
    assert "91.25 ± 0.50 %" in human
    assert "0.002728  0.0031" in human
    assert "epochs: it does not say" in out
    assert "figures of another counter" in out
    assert "4/4 trials" in err
    saved = json.loads(Path("reproduced/table-9.1-noise-1.json").read_text())
    assert [measured["seed"] for measured in saved["measured"]] == [0, 0, 1, 1]


def test_json_holds_the_rows_and_every_training(resnas):
    code, out, _ = resnas("table-9.1-noise", "--json", "-o", "here.json")
    assert code == 0
    found = json.loads(out)
    row = found["rows"][0]
    assert row["published"]["accuracy"] == 91.25
    assert row["accuracy"] == 100 * row["trainings"][0]["accuracy"]
    assert found["output"] == str(Path("here.json").absolute())


def test_other_data_and_a_small_scale_are_said_in_the_output(resnas):
    code, out, _ = resnas("table-9.1-noise", "--scale", "0.5", "--dataset", "npz:other")
    assert code == 0
    assert "part:0.5:npz:other (54 train, 6 val)" in out
    assert "0.5 of the published samples" in out
    assert Path("reproduced/table-9.1-noise-0.5.json").is_file()


def test_a_row_that_fails_is_told_and_the_others_stand(resnas):
    code, out, err = resnas("table-9.2-broken")
    assert code == 1
    assert "broken: budget_gmacs" in err
    assert "91.25" in out


def test_ctrl_c_stops_after_the_epoch_and_the_same_command_goes_on(resnas, monkeypatch):
    from resnas.trainer import Trainer

    whole = Trainer.train

    def interrupted(trainer):
        for metrics in whole(trainer):
            signal.raise_signal(signal.SIGINT)
            yield metrics

    with monkeypatch.context() as while_training:
        while_training.setattr(Trainer, "train", interrupted)
        code, _, err = resnas("table-9.1-noise")
    assert code == 130
    assert "goes on from here" in err
    code, out, _ = resnas("table-9.1-noise", "--json")
    assert code == 0
    assert all(len(row["trainings"]) == 1 for row in json.loads(out)["rows"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("table-9.1-nois",), "Did you mean 'table-9.1-noise'"),
        (("table-9.1-noise", "--seeds", ","), "seeds: there is none"),
        (("table-9.1-noise", "--seeds", "1,x"), "--seeds: '1,x'"),
        (("table-9.1-noise", "--scale", "0"), "scale: it is 0"),
        (("table-9.1-noise", "--scale", "2"), "scale: it is 2"),
        (("table-9.1-noise", "--executor", "rya"), "Did you mean 'ray'"),
        (("table-9.1-noise", "--dataset", "npz:nowhere"), "nowhere.npz"),
        (("table-5.1-vgg16-cifar100",), "download=True"),
    ],
)
def test_what_cannot_be_is_wrong_usage_with_a_next_step(resnas, words, told):
    code, out, err = resnas(*words)
    assert code == 2
    assert told in err
    assert out == ""
    assert not Path("reproduced").exists()
