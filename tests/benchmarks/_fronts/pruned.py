"""The rival that keeps all sizes and removes channels: Torch-Pruning, at the same budgets.

The human network is trained like any other trial. For every budget below its cost it is pruned once
(magnitude of whole groups of coupled channels, ranked over the network, as the tool's authors
recommend) as little as meets the budget, and trained again, as long as any other trial.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence

import safetensors.torch
import torch
import torch_pruning
from torch import fx, nn

from resnas import backbones
from resnas.catalog import costs
from resnas.controllers.fixed import Fixed
from resnas.converting import convert
from resnas.datasets._base import AbstractDataset, load
from resnas.observer import Observer
from resnas.results import Plan, TrialResult, TrialState
from resnas.space import SearchSpace
from resnas.storage import ArtifactStore
from resnas.trainer import Trainer
from resnas.trial import measured, with_recipe
from tests.benchmarks._fronts.setting import Place

FINE_TUNING = 0.5
"""Rate of a pruned network, relative to that of one with new weights."""

_STEPS = 12
"""Bisections of the share of channels that is removed."""


def prune_and_train(
    place: Place,
    seed: int,
    finished: Sequence[TrialResult],
    observer: Observer,
    artifacts: ArtifactStore,
) -> None:
    """Trial 0 is the human network, the others are what is made of it, cheapest last.

    Args:
        place: where and at which budgets.
        seed: of the repetition.
        finished: trials that have ended; they are not run again.
        observer: told of epochs and trials.
        artifacts: where weights are kept.
    """
    dataset = load(place.dataset, place.data)
    results = {result.number: result for result in finished}
    trial = _Trial(place, dataset, observer, artifacts)
    torch.manual_seed(1000 * seed)
    dense = backbones.build(place.setting.backbone, dataset.num_classes, dataset.input_size)
    if 0 not in results:
        results[0] = trial.train(dense, number=0, seed=1000 * seed, budget=None)
    digest = results[0].weights
    assert digest is not None
    for number, budget in enumerate(_below(place), start=1):
        if number not in results and not observer.should_stop():
            dense.load_state_dict(safetensors.torch.load(artifacts.read(digest)))
            network = pruned(dense, budget, dataset.input_size)
            trial.train(network, number=number, seed=1000 * seed + number, budget=budget)


def _below(place: Place) -> Iterator[float]:
    """The budgets below the human cost, the largest first."""
    human = place.estimate.human_gmacs
    yield from (budget for budget in reversed(place.budgets()) if budget < human)


def pruned(network: nn.Module, budget_gmacs: float, input_size: tuple[int, int, int]) -> nn.Module:
    """The network with as few channels removed as meets the budget.

    Args:
        network: whose weights say what matters; it is left as it is.
        budget_gmacs: of one sample.
        input_size: (C, H, W) of one sample.
    """
    low, high = 0.0, 0.99
    found = None
    for _ in range(_STEPS):
        share = (low + high) / 2
        candidate = _without(network, share, input_size)
        cost = convert(candidate, input_size, "strided").human_cost("macs")
        if cost / 1e9 <= budget_gmacs:
            found, high = candidate, share
        else:
            low = share
    assert found is not None, f"no share of channels removed leaves {budget_gmacs:g} GMACs"
    return found


def _without(network: nn.Module, share: float, input_size: tuple[int, int, int]) -> nn.Module:
    candidate = copy.deepcopy(network).cpu()
    *_, head = (module for module in candidate.modules() if isinstance(module, nn.Linear))
    pruner = torch_pruning.pruner.BasePruner(
        candidate,
        torch.zeros(1, *input_size),
        importance=torch_pruning.importance.GroupMagnitudeImportance(),
        global_pruning=True,
        pruning_ratio=share,
        max_pruning_ratio=0.9,  # no layer may vanish
        ignored_layers=[head],
    )
    pruner.step()
    return candidate


class _Trial:
    """Trains a network as it is, and tells the observer as a search would."""

    def __init__(
        self,
        place: Place,
        dataset: AbstractDataset,
        observer: Observer,
        artifacts: ArtifactStore,
    ) -> None:
        self.place = place
        self.dataset = dataset
        self.observer = observer
        self.artifacts = artifacts

    def train(
        self, network: nn.Module, *, number: int, seed: int, budget: float | None
    ) -> TrialResult:
        """Train and measure; `budget` None: with new weights, else with the weights it has."""
        started = time.monotonic()
        space = convert(network, self.dataset.input_size, "strided")
        training = with_recipe(self.place.setting.training(), self.place.setting.backbone)
        if budget is not None and training.lr is not None:
            training = training.model_copy(update={"lr": FINE_TUNING * training.lr})
        controller = Fixed(space, Plan(resizer="strided", controller="fixed"))
        trainer = Trainer(space, self.dataset, controller, training, number=number, seed=seed)
        for metrics in trainer.train():
            self.observer.on_epoch(metrics)
        fixed = space.freeze().eval()
        accuracy, test = measured(fixed, trainer.feeder)
        result = TrialResult(
            number=number,
            state=TrialState.COMPLETE,
            resizer="strided",
            controller="fixed",
            budget_gmacs=budget,
            seed=seed,
            val_accuracy=accuracy,
            test_accuracy=test,
            macs=int(space.cost("macs").detach()),
            counter=costs["macs"].counter,
            params=_params(space),
            weights=self._kept(fixed),
            epochs_done=trainer.epoch,
            seconds=time.monotonic() - started,
        )
        self.observer.on_trial(result)
        return result

    def _kept(self, network: fx.GraphModule) -> str:
        weights = {k: v.cpu().contiguous() for k, v in network.state_dict().items()}
        return self.artifacts.put(safetensors.torch.save(weights))


def _params(space: SearchSpace) -> int:
    return int(space.cost("params").detach())
