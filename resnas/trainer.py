"""One trial: warm-up, search, settle: a loop one can read aloud."""

from __future__ import annotations

import io
import itertools
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnas.controllers._base import AbstractController
from resnas.datasets._base import AbstractDataset, Split
from resnas.errors import ResnasError, TrainingDiverged
from resnas.feeding import Feeder
from resnas.results import EpochMetrics, Phase, Rung
from resnas.space import SearchSpace
from resnas.spec import TrainingSpec
from resnas.statistics import recalibrate
from resnas.stopping import rung_at
from resnas.storage import StoredFile

_log = logging.getLogger("resnas.trainer")
_CALIBRATION = 32
"""Batches that batch statistics are computed anew from, at most."""


class Trainer:
    """Trains a search space under one controller.

    Everything random in an epoch comes from (seed, epoch), and the state after each epoch is
    kept, so a training that was interrupted goes on as if nothing had happened: on a CPU to the
    last bit.

    Args:
        space: what is trained, in place.
        dataset: what it is trained on.
        controller: how it is steered.
        training: epochs, rates, phases; `lr` and `weight_decay` must be given.
        seed: of the order of the samples, augmentation and mixup.
        device: where to train.
        checkpoint: path or URL of the file to keep the state in after every epoch, and to go on
            from; one that cannot be read is as good as none.

    Attributes:
        last: what the latest epoch came to; going on from a checkpoint, what that epoch did.
    """

    def __init__(
        self,
        space: SearchSpace,
        dataset: AbstractDataset,
        controller: AbstractController,
        training: TrainingSpec,
        *,
        number: int = 0,
        seed: int = 0,
        device: torch.device | None = None,
        checkpoint: Path | str | None = None,
    ) -> None:
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.space = space.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dataset = dataset
        self.controller = controller
        self.training = training
        self.number = number
        self.seed = seed
        self.checkpoint = None if checkpoint is None else StoredFile(checkpoint)
        self.epoch = 0
        self.rungs: list[Rung] = []
        self.last: EpochMetrics | None = None
        self.feeder = Feeder(dataset, training, self.device)
        self._weights, self._strides = self._optimisers()
        self._restore()

    def train(self) -> Iterator[EpochMetrics]:
        """Train to the end, one value an epoch.

        Raises:
            TrainingDiverged: the loss became NaN or infinite; names the step and the sizes.
        """
        while self.epoch < self.training.epochs:
            started = time.monotonic()
            phase = self.phase(self.epoch)
            if phase is Phase.SETTLE and self.phase(self.epoch - 1) is not Phase.SETTLE:
                self.controller.settle()
            loss, gmacs = self._train_epoch(phase)
            self.epoch += 1
            if self.epoch == self.training.epochs and phase is not Phase.SETTLE:
                self.controller.settle()  # too short to settle
            self.rest()
            accuracy, macs = self.accuracy(self.dataset.val), self._macs()
            share = rung_at(self.epoch, self.training.epochs)
            if share is not None:
                self.rungs.append(Rung(share=share, gmacs=macs / 1e9, val_accuracy=accuracy))
            self.last = EpochMetrics(
                trial=self.number,
                epoch=self.epoch,
                epochs=self.training.epochs,
                phase=phase,
                train_loss=loss,
                val_accuracy=accuracy,
                gmacs=macs / 1e9,
                trained_gmacs=gmacs,
                sizes=self.space.sizes(),
                strides=self.space.architecture().strides,
                rungs=tuple(self.rungs),
                seconds=time.monotonic() - started,
            )
            self._keep()
            yield self.last

    def phase(self, epoch: int) -> Phase:
        """The phase of an epoch (from 0): the last ones settle, the first ones warm up."""
        epochs = self.training.epochs
        if not (self.controller.learns and self.space.arch_parameters()):
            return Phase.SETTLE
        if epoch >= epochs - round(self.training.settle * epochs):
            return Phase.SETTLE
        return Phase.WARMUP if epoch < round(self.training.warmup * epochs) else Phase.SEARCH

    def rest(self) -> None:
        """Bring the space to the sizes, and the batch statistics of these, to be measured at."""
        self.controller.rest()
        if self.controller.shares:
            generator = torch.Generator().manual_seed(_mix(self.seed, self.epoch))
            batches = itertools.islice(self.feeder.shuffled(generator), _CALIBRATION)
            with self._autocast():
                recalibrate(self.space, (images for images, _ in batches))

    def accuracy(self, split: Split) -> float:
        """Share of right answers of the space as it is, in eval mode and training's precision."""
        self.space.eval()
        with self._autocast():
            return self.feeder.accuracy(self.space, split)

    def _train_epoch(self, phase: Phase) -> tuple[float, float]:
        """One pass over the training split; the mean loss, and the mean GMACs of a sample."""
        torch.manual_seed(_mix(self.seed, self.epoch))  # dropout's generator
        generator = torch.Generator().manual_seed(_mix(self.seed, self.epoch))
        draws = torch.Generator().manual_seed(_mix(self.seed, self.epoch))
        self.space.train()
        steps = self.feeder.steps()
        learning = phase is Phase.SEARCH
        for stride in self.space.arch_parameters():
            stride.requires_grad_(learning)
        total = spent = 0.0
        try:
            for step, (images, labels) in enumerate(self.feeder.shuffled(generator)):
                self._set_rates(self.epoch + step / steps)
                loss, macs = self._step(images, labels, draws, learning=learning, step=step)
                total, spent = total + loss, spent + macs
        finally:
            for group in self.space.groups:
                group.stride.requires_grad_(group.learnable)
        return total / steps, spent / steps / 1e9

    def _step(
        self, images: Tensor, labels: Tensor, draws: torch.Generator, *, learning: bool, step: int
    ) -> tuple[float, int]:
        """One step of the optimisers; its loss, and MACs of a sample."""
        self._weights.zero_grad(set_to_none=True)
        self._strides.zero_grad(set_to_none=True)
        self.controller.before_step(draws)
        with self._autocast():
            outputs = self.space(images)
        smoothing = self.training.label_smoothing
        task = F.cross_entropy(outputs.float(), labels, label_smoothing=smoothing)
        loss = self.controller.loss(task) if learning else task
        value, macs = float(loss.detach()), self._macs()
        self._must_be_finite("loss", value, step)
        loss.backward()  # type: ignore[no-untyped-call]
        if learning:
            self.controller.gather()
        self._weights.step()
        if learning:
            norm = nn.utils.clip_grad_norm_(self.controller.parameters(), max_norm=1.0)
            self._must_be_finite("gradient of the strides", float(norm), step)
            self._strides.step()
            self.controller.after_step()
        return value, macs

    @torch.no_grad()
    def _macs(self) -> int:
        return int(self.space.cost("macs"))

    def _must_be_finite(self, what: str, value: float, step: int) -> None:
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"trial {self.number}, epoch {self.epoch + 1}, step {step + 1}",
                f"the {what} is {value} at the sizes {self.space.sizes()}",
                "Lower lr, arch_lr or λ",
            )

    def _optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        lr, decay = self.training.lr, self.training.weight_decay
        if lr is None or decay is None:
            raise ResnasError("training", "lr or weight_decay is not set", "Give both")
        weights = torch.optim.SGD(
            self.space.weight_parameters(),
            lr=lr,
            momentum=self.training.momentum,
            nesterov=self.training.momentum > 0,
            weight_decay=decay,
        )
        none = nn.Parameter(torch.zeros(0))  # an optimiser wants at least one parameter
        strides = torch.optim.SGD(
            self.controller.parameters() or [none], lr=self.training.arch_lr, momentum=0.9
        )
        return weights, strides

    def _set_rates(self, epoch: float) -> None:
        """Cosine to zero: of the weights over all epochs, of the strides over the search."""
        epochs = self.training.epochs
        first = round(self.training.warmup * epochs)
        last = epochs - round(self.training.settle * epochs)
        searched = (epoch - first) / max(last - first, 1)
        assert self.training.lr is not None
        _set_rate(self._weights, self.training.lr * _cosine(epoch / epochs))
        _set_rate(self._strides, self.training.arch_lr * _cosine(searched))

    def _autocast(self) -> torch.autocast:
        on = self.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=on)

    def _identity(self) -> str:
        """What a state is good for: nothing but the very same training."""
        space, data = self.space, self.dataset
        return repr(
            (
                *(self.controller.plan.model_dump_json(), self.seed),
                *(space.backbone, space.num_classes, space.input_size, space.resizer, space.place),
                space.layers,
                *(type(data).__name__, len(data.train), data.mean, data.std),
                self.training.model_dump_json(),
            )
        )

    def _keep(self) -> None:
        if self.checkpoint is None or self.last is None:
            return
        buffer = io.BytesIO()
        torch.save(
            {
                "identity": self._identity(),
                "epoch": self.epoch,
                "rungs": [rung.model_dump() for rung in self.rungs],
                "last": self.last.model_dump(mode="json"),
                "space": self.space.state_dict(),
                "weights": self._weights.state_dict(),
                "strides": self._strides.state_dict(),
                "controller": self.controller.state(),
            },
            buffer,
        )
        self.checkpoint.write(buffer.getvalue())

    def _restore(self) -> None:
        if self.checkpoint is None or (kept := self.checkpoint.read()) is None:
            return
        try:  # on the CPU: there, what fails is the file, and never a device without memory left
            state = torch.load(io.BytesIO(kept), map_location="cpu", weights_only=True)
        except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
            _log.warning("begun anew: %s cannot be read: %s", self.checkpoint.location, error)
            return
        if state.get("identity") != self._identity():
            raise ResnasError(
                self.checkpoint.location,
                "it was made by another training",
                "Delete it to begin anew, or give the settings it was made with",
            )
        self.space.load_state_dict(state["space"])
        self._weights.load_state_dict(state["weights"])
        self._strides.load_state_dict(state["strides"])
        for name, tensor in self.controller.state().items():
            tensor.copy_(state["controller"][name])
        self.epoch = state["epoch"]
        self.rungs = [Rung(**rung) for rung in state["rungs"]]
        if "last" in state:  # an older program did not keep it
            self.last = EpochMetrics.model_validate(state["last"])


def _mix(seed: int, epoch: int) -> int:
    return seed * 1_000_003 + epoch


def _cosine(progress: float) -> float:
    return (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0))) / 2


def _set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = lr
