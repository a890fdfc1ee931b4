"""From a job that asks for layers to an exported network that has them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from resnas.datasets._base import load
from resnas.errors import InvalidLayer, UnknownName
from resnas.estimating import check, estimate
from resnas.exporting import export_trial
from resnas.searching import search
from resnas.spec import JobSpec
from resnas.storage import ArtifactStore
from resnas.trial import rebuild

LAYERS = ("phc:n=4@stage2+stage3", "cas@stage4", "pas:from_result=1")


def job(*layers: str, **changes: object) -> JobSpec:
    training = {"epochs": 3, "batch_size": 64, "warmup": 0.0}
    given = {"backbone": "vgg_small", "dataset": "digits", "budget_gmacs": 0.1, "trials": 1}
    return JobSpec.model_validate({**given, "training": training, "layers": layers, **changes})


def test_a_searched_network_keeps_its_layers_to_the_exported_file(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    artifacts = ArtifactStore(tmp_path / "artifacts")
    (trial,) = search(job(*LAYERS), artifacts=artifacts).trials
    assert trial.architecture is not None
    assert trial.weights is not None
    assert trial.architecture.layers == LAYERS
    weights = artifacts.read(trial.weights)
    network = rebuild(trial.architecture, weights)
    assert sum(p.numel() for p in network.parameters()) == trial.params
    digits = load("digits", Path())
    count = len(digits.val)
    images = (digits.val.images[torch.arange(count)].float() / 255 - digits.mean[0]) / digits.std[0]
    right = (network(images).argmax(1) == digits.val.labels).float().mean()
    assert float(right) == pytest.approx(trial.val_accuracy, abs=1 / count)
    assert right > 0.5, "a guess is right at one in ten"
    manifest = export_trial(trial.architecture, weights, tmp_path / "out", ("onnx",), result=trial)
    assert manifest.architecture == trial.architecture
    assert manifest.params == trial.params


def test_an_estimate_is_of_the_backbone_with_its_layers() -> None:
    shape = ("vgg_small", (3, 32, 32), 10)
    plain = estimate(*shape)
    thinned = estimate(*shape, layers=("phc:n=4@stage2+stage3+stage4",))
    gated = estimate(*shape, layers=("cas",))
    assert thinned.layers == ("phc:n=4@stage2+stage3+stage4",)
    assert thinned.human_gmacs == plain.human_gmacs, "the weight is made once, not for each image"
    assert thinned.params < 0.3 * plain.params
    assert plain.human_gmacs < gated.human_gmacs < 1.3 * plain.human_gmacs
    assert plain.params < gated.params


def test_an_estimate_draws_from_nobody_elses_random_numbers() -> None:
    before = torch.random.get_rng_state()
    estimate("vgg_small", (2, 32, 32), 10, layers=("phc",))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("layer", "error"),
    [
        *(("phd", UnknownName), ("phc:k=1", UnknownName), ("phc@stage9", UnknownName)),
        *(("phc:n=x", InvalidLayer), ("phc:n=5", InvalidLayer), ("pas@stage1", InvalidLayer)),
    ],
)
def test_a_job_whose_layers_cannot_be_is_not_accepted(
    layer: str, error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error, match="layers"):
        check(job(layer), tmp_path)


def test_a_job_says_nothing_of_layers_or_takes_one_as_a_text() -> None:
    assert job().layers == ()
    assert job(layers="cas").layers == ("cas",)
    with pytest.raises(ValueError, match="stands there twice"):
        job("cas", "cas")
