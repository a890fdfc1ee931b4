"""Published tables trained again: what is kept, gone on with, counted and refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

import resnas
import search_spaces
from resnas.datasets._base import load
from resnas.errors import DatasetUnavailable, InvalidSpec, UnknownName
from resnas.overhead import resizing
from resnas.reproduced import Measured, Outcome
from resnas.reproducing import Request, named, reproduce, scaled
from resnas.results import EpochMetrics, TrialResult
from search_spaces.recipes import Published, Recipe, Row, Training

TRAINING = Training(epochs=2, batch_size=64, lr=0.05, weight_decay=5e-4, settle=0.5, warmup=0.0)
TINY = Recipe(
    title="two small networks",
    source="a paper, table 1",
    backbone="vgg_small",
    dataset="npz:squares",
    training=TRAINING,
    rows=(
        Row("human", "strided", Published(accuracy=90.0, gmacs=0.003)),
        Row(
            "DynOPool",
            "dynopool",
            Published(accuracy=91.0),
            controller="projection",
            budget_gmacs=0.002,
        ),
    ),
    ours={"epochs": "not stated"},
)


def squares(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright quarter; which one is the class."""
    noise = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = noise.integers(0, 160, (count, 16, 16, 3), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[8 * (label // 2) :, 8 * (label % 2) :][:8, :8] += 90
    return images, labels


def written(folder: Path, train: int = 300) -> Path:
    (x_train, y_train), (x_test, y_test) = squares(train, 0), squares(60, 1)
    np.savez(folder / "squares.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("data"))


@pytest.fixture
def tiny(data: Path) -> Request:
    return Request("tiny", TINY, datasets_dir=data)


@dataclass
class Heard:
    """An observer that remembers, and ends the work after so many epochs."""

    until: int = 1000
    metrics: list[EpochMetrics] = field(default_factory=list)
    trials: list[TrialResult] = field(default_factory=list)

    def on_epoch(self, metrics: EpochMetrics) -> None:
        self.metrics.append(metrics)

    def on_trial(self, result: TrialResult) -> None:
        self.trials.append(result)

    def should_stop(self) -> bool:
        return len(self.metrics) >= self.until

    @property
    def epochs(self) -> list[tuple[int, int]]:
        return [(metrics.trial, metrics.epoch) for metrics in self.metrics]


def test_every_row_is_trained_for_every_seed_and_kept_beside_its_figures(tiny, tmp_path):
    found = reproduce(replace(tiny, seeds=(0, 1)), tmp_path / "tiny.json")
    human, learned = found.outcomes
    assert [m.seed for m in human.trainings] == [0, 1]
    assert human.published.accuracy == 90.0
    assert human.spread is not None
    assert human.gmacs == 0.002728448
    assert 0.0019 < learned.gmacs <= 0.002
    content = json.loads((tmp_path / "tiny.json").read_text())
    assert content["rule"]["samples"] == {"train": 270, "val": 30, "test": 60}
    for measured in content["measured"]:
        assert measured["device"]
        assert torch.__version__.startswith(measured["versions"]["torch"])
        assert measured["date"].startswith("20")
        assert measured["accuracy"] == measured["result"]["test_accuracy"]
        weights = measured["result"]["weights"]
        assert (tmp_path / "tiny" / "weights" / weights[:2] / weights).is_file()


def test_nothing_is_trained_twice_and_more_seeds_are_added(tiny, tmp_path):
    output = tmp_path / "tiny.json"
    first = reproduce(tiny, output)
    again = Heard()
    assert reproduce(tiny, output, again).outcomes == first.outcomes
    assert again.epochs == []
    assert [result.seed for result in again.trials] == [0, 0]
    more = Heard()
    both = reproduce(replace(tiny, seeds=(0, 1)), output, more)
    assert len(more.epochs) == 2 * TRAINING.epochs
    assert both.outcomes[0].trainings[0] == first.outcomes[0].trainings[0]


def test_an_interrupted_training_goes_on_behind_its_last_epoch(tiny, tmp_path):
    undisturbed = reproduce(tiny, tmp_path / "whole.json")
    begun = Heard(until=3)
    half = reproduce(tiny, tmp_path / "cut.json", begun)
    assert begun.epochs == [(0, 1), (0, 2), (1, 1)]
    assert [len(outcome.trainings) for outcome in half.outcomes] == [1, 0]
    rest = Heard()
    found = reproduce(tiny, tmp_path / "cut.json", rest)
    assert rest.epochs == [(1, 1), (1, 2)]
    assert rest.metrics[0] == begun.metrics[-1], "the first epoch is told again, not run again"
    for one, other in zip(found.outcomes, undisturbed.outcomes, strict=True):
        assert one.trainings[0].result.weights == other.trainings[0].result.weights


def test_a_training_that_failed_says_why_and_is_tried_again(tiny, tmp_path):
    impossible = replace(TINY.rows[1], budget_gmacs=1e-6)
    request = replace(tiny, recipe=replace(TINY, rows=(impossible,)))
    for _ in range(2):
        heard = Heard()
        (outcome,) = reproduce(request, tmp_path / "tiny.json", heard).outcomes
        assert "budget_gmacs" in outcome.reasons[0]
        assert outcome.accuracy is None
        assert len(heard.trials) == 1
        assert len(outcome.trainings) == 1


def test_a_file_that_holds_something_else_is_left_alone(tiny, tmp_path):
    output = tmp_path / "tiny.json"
    none = replace(tiny, recipe=replace(TINY, rows=()))
    reproduce(none, output)
    before = output.read_bytes()
    with pytest.raises(InvalidSpec, match="another reproduction"):
        reproduce(replace(tiny, recipe=replace(TINY, rows=(), source="another")), output)
    assert output.read_bytes() == before
    output.write_text("[1, 2]")
    with pytest.raises(InvalidSpec, match="no file of a reproduction"):
        reproduce(none, output)
    with pytest.raises(InvalidSpec, match="cannot be written"):
        reproduce(none, output / "below.json")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"seeds": (-1,)}, "seeds"),
        ({"scale": 0.0}, "scale"),
        ({"scale": 1.5}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"parallel": 0}, "parallel"),
    ],
)
def test_what_cannot_be_is_refused_by_name_before_anything_is_written(
    tiny, tmp_path, change, place
):
    with pytest.raises(InvalidSpec) as caught:
        reproduce(replace(tiny, **change), tmp_path / "tiny.json")
    assert caught.value.place == place
    assert caught.value.next_step
    assert not list(tmp_path.iterdir())


def test_absent_data_executors_and_recipes_are_named(tiny, tmp_path):
    with pytest.raises(DatasetUnavailable, match=r"nowhere\.npz"):
        reproduce(replace(tiny, dataset="npz:nowhere"), tmp_path / "tiny.json")
    with pytest.raises(UnknownName, match="Did you mean 'ray'"):
        reproduce(replace(tiny, executor="rya"), tmp_path / "tiny.json")
    with pytest.raises(UnknownName, match=r"Did you mean 'table-5\.1-vgg16-cifar100'"):
        named("table-5.1-vgg16-cifar101")
    assert not list(tmp_path.iterdir())


def test_a_small_scale_takes_its_share_of_epochs_with_enough_steps():
    published = Training(epochs=250, batch_size=128, lr=0.1, weight_decay=0.0)
    whole = scaled(published, 1.0, 45_000)
    assert (whole.epochs, whole.batch_size, whole.lr) == (250, 128, 0.1)
    tenth = scaled(published, 0.1, 4500)
    assert (tenth.epochs, tenth.batch_size, tenth.lr) == (25, 128, 0.1)
    fiftieth = scaled(published, 0.02, 1000)
    assert (fiftieth.epochs, fiftieth.batch_size) == (5, 62)
    assert fiftieth.lr == pytest.approx(0.1 * 62 / 128)
    least = scaled(replace(published, epochs=3), 0.02, 100)
    assert (least.epochs, least.batch_size) == (3, 16)


def test_a_part_of_a_data_set_is_stratified_and_keeps_a_thousand(tmp_path):
    root = written(tmp_path, train=4000)
    whole, half = load("npz:squares", root), load("part:0.5:npz:squares", root)
    assert (len(whole.train), len(half.train)) == (3600, 1800)
    assert half.train.labels.bincount().tolist() == [450] * 4
    assert (half.mean, half.std) == (whole.mean, whole.std)
    least = load("part:0.001:npz:squares", root)
    assert [len(split) for split in (least.train, least.val, least.test)] == [1000, 400, 60]
    known = {image.numpy().tobytes() for image in whole.train.images}
    assert all(image.numpy().tobytes() in known for image in least.train.images)


@pytest.mark.parametrize("name", ["part:0:digits", "part:x:digits", "part:2:digits", "part:0.5"])
def test_a_part_that_says_no_share_or_no_name_is_refused(name, tmp_path):
    with pytest.raises(DatasetUnavailable, match=r"part:0\.02:cifar100"):
        load(name, tmp_path)


def test_a_scaled_table_says_what_it_was_trained_on(data, tmp_path):
    request = Request("tiny", replace(TINY, rows=()), scale=0.5, datasets_dir=data)
    rule = reproduce(request, tmp_path / "tiny.json").rule
    assert rule.dataset == "part:0.5:npz:squares"
    assert rule.samples["train"] == 270
    assert "0.5" in rule.about


def test_figures_that_are_costs_need_neither_data_nor_training(tmp_path):
    row = Row("one", "dynopool", Published(overhead=1.0), picture=(32, 32))
    recipe = replace(TINY, training=None, rows=(row,))
    request = Request("costs", recipe, datasets_dir=tmp_path / "nowhere")
    (outcome,) = reproduce(request, tmp_path / "costs.json").outcomes
    space = resnas.convert(search_spaces.build("vgg_small", 100, (3, 32, 32)), (3, 32, 32))
    assert outcome.gmacs == int(space.cost("macs")) / 1e9
    assert outcome.overhead == pytest.approx(100 * resizing(space) / int(space.cost("macs")))


def test_what_resizing_takes_is_what_pools_did_not():
    """At the human sizes a DynOPool costs 4 numbers of 4 multiply-accumulates an output."""
    space = resnas.convert(search_spaces.build("vgg_small", 10, (3, 32, 32)), (3, 32, 32))
    assert resizing(space) == 16 * (32 * 16 * 16 + 64 * 8 * 8 + 96 * 4 * 4)
    assert resizing(space) == int(space.cost("macs")) - space.human_cost("macs")


def test_mean_and_spread_are_over_the_trainings_that_completed():
    def measured(accuracy: float | None, reason: str | None = None) -> Measured:
        now = datetime.now(UTC)
        return Measured(
            row="a", accuracy=accuracy, reason=reason, date=now, device="here", versions={}
        )

    of = Outcome("a", Published(), (measured(0.5), measured(0.7), measured(None, "it broke")))
    assert of.accuracy == pytest.approx(60.0)
    assert of.spread == pytest.approx(14.142, abs=0.001)
    assert of.reasons == ("it broke",)
    one = Outcome("a", Published(), (measured(0.5),))
    assert (one.accuracy, one.spread) == (50.0, None)
