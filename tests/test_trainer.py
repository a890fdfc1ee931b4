"""A trial warms up, searches and settles; it resumes to the bit and fails where it must."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

import pytest
import torch

from resnas.controllers.penalty import Penalty
from resnas.datasets._base import load
from resnas.errors import ResnasError, TrainingDiverged
from resnas.results import Phase, Plan
from resnas.spec import TrainingSpec
from resnas.trainer import Trainer
from resnas.trial import build_space, with_recipe


@pytest.fixture(scope="module")
def digits():
    """The first 256 training samples: enough to learn from, few enough to be quick."""
    dataset = load("digits", Path())
    first = torch.arange(256)
    dataset.train = dataset.train.subset(first)
    dataset.val = dataset.val.subset(first[:100])
    return dataset


def _trainer(digits, *, lam=30.0, checkpoint=None, resizer="dynopool", **settings):
    torch.manual_seed(0)
    space = build_space("vgg_small", 10, digits.input_size, resizer)
    training = with_recipe(TrainingSpec(**{"epochs": 5, "arch_lr": 0.1, **settings}), "vgg_small")
    return Trainer(
        space,
        digits,
        Penalty(space, Plan(resizer=resizer, lam=lam)),
        training,
        seed=3,
        checkpoint=checkpoint,
    )


def _strides(trainer):
    return [g.stride.detach().clone() for g in trainer.space.groups]


def test_strides_move_in_the_search_and_nowhere_else(digits):
    trainer = _trainer(digits, warmup=0.2, settle=0.4)
    phases, strides = [], [_strides(trainer)]
    for metrics in trainer.train():
        phases.append(metrics.phase)
        strides.append(_strides(trainer))
    assert phases == [Phase.WARMUP, Phase.SEARCH, Phase.SEARCH, Phase.SETTLE, Phase.SETTLE]
    moved = [
        any(not torch.equal(a, b) for a, b in zip(old, new, strict=True))
        for old, new in itertools.pairwise(strides)
    ]
    assert moved == [phase is Phase.SEARCH for phase in phases]


def test_a_larger_lambda_gives_a_cheaper_network(digits):
    costs = []
    for lam in (1.0, 300.0):
        *_, last = _trainer(digits, lam=lam).train()
        costs.append(last.gmacs)
    assert costs[1] < 0.7 * costs[0]


def test_a_resumed_training_equals_an_undisturbed_one_to_the_bit(digits, tmp_path):
    whole = _trainer(digits, mixup=0.2)
    expected = [m.model_copy(update={"seconds": 0.0}) for m in whole.train()]
    found = []
    for epochs_before_the_crash in (2, 1, 99):
        trainer = _trainer(digits, mixup=0.2, checkpoint=tmp_path / "trial.pt")
        epochs = itertools.islice(trainer.train(), epochs_before_the_crash)
        found += [m.model_copy(update={"seconds": 0.0}) for m in epochs]
    assert found == expected
    mine, theirs = trainer.space.state_dict(), whole.space.state_dict()
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)


def test_whoever_goes_on_knows_what_the_epoch_behind_the_checkpoint_came_to(digits, tmp_path):
    reported = next(_trainer(digits, checkpoint=tmp_path / "trial.pt").train())
    assert _trainer(digits, checkpoint=tmp_path / "trial.pt").last == reported


def test_a_checkpoint_that_cannot_be_read_is_told_and_its_trial_begins_anew(
    digits, tmp_path, caplog
):
    file = tmp_path / "trial.pt"
    first = next(_trainer(digits, checkpoint=file).train())
    whole = file.read_bytes()
    caplog.set_level(logging.WARNING, "resnas.trainer")
    for damaged in (b"", b"no checkpoint", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        trainer = _trainer(digits, checkpoint=file)
        assert (trainer.epoch, trainer.last) == (0, None)
        assert f"begun anew: {file} cannot be read" in caplog.messages[-1]
    again = next(trainer.train())
    assert again.model_copy(update={"seconds": first.seconds}) == first


def test_a_checkpoint_of_other_settings_is_refused(digits, tmp_path):
    next(_trainer(digits, checkpoint=tmp_path / "trial.pt").train())
    for other in ({"epochs": 6}, {"lam": 31.0}, {"resizer": "diffstride"}):
        with pytest.raises(ResnasError, match="another training"):
            _trainer(digits, checkpoint=tmp_path / "trial.pt", **other)


def test_the_reported_accuracy_is_that_of_the_frozen_network(digits):
    trainer = _trainer(digits)
    *_, last = trainer.train()
    frozen = trainer.space.freeze().eval()
    right = sum(
        int((frozen(images).argmax(1) == labels).sum())
        for images, labels in trainer.feeder.in_order(digits.val)
    )
    assert last.val_accuracy == right / len(digits.val)


def test_the_test_split_is_not_touched_by_training(digits):
    trainer = _trainer(digits, epochs=2)
    trainer.dataset.test, test = None, trainer.dataset.test
    try:
        assert len(list(trainer.train())) == 2
    finally:
        trainer.dataset.test = test


def test_a_loss_that_is_not_finite_ends_the_trial_with_its_step_and_sizes(digits):
    trainer = _trainer(digits)
    epochs = trainer.train()
    next(epochs)
    with torch.no_grad():
        trainer.space.weight_parameters()[0].fill_(float("nan"))
    with pytest.raises(TrainingDiverged, match=r"epoch 2, step 1: .* nan .*sizes \{'pool1'"):
        next(epochs)


def test_a_space_without_strides_only_settles(digits):
    trainer = _trainer(digits, resizer="strided", epochs=2)
    assert [m.phase for m in trainer.train()] == [Phase.SETTLE, Phase.SETTLE]


def test_strides_have_no_weight_decay_and_their_own_rate(digits):
    trainer = _trainer(digits)
    (strides,) = trainer._strides.param_groups
    (weights,) = trainer._weights.param_groups
    assert strides["weight_decay"] == 0
    assert weights["weight_decay"] > 0
    assert {id(p) for p in strides["params"]} == {id(p) for p in trainer.space.arch_parameters()}
    assert not {id(p) for p in strides["params"]} & {id(p) for p in weights["params"]}


def test_mixup_mixes_pictures_and_labels_alike(digits):
    trainer = _trainer(digits, mixup=0.5)
    images, labels = next(iter(trainer.feeder.shuffled(torch.Generator().manual_seed(0))))
    assert labels.shape == (64, 10)
    torch.testing.assert_close(labels.sum(1), torch.ones(64))
    assert images.shape == (64, 1, 32, 32)


def test_batches_cover_the_training_split_once_a_pass(digits):
    trainer = _trainer(digits, augment=False)
    seen = torch.cat(
        [labels for _, labels in trainer.feeder.shuffled(torch.Generator().manual_seed(1))]
    )
    assert torch.equal(seen.sort().values, digits.train.labels.sort().values)
