"""Batches for training: in memory where they fit, augmented and mixed as whole tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from resnas.datasets._base import AbstractDataset, Images, Split
from resnas.spec import TrainingSpec

_ON_DEVICE = 2**31
"""Bytes up to which a split is kept on the training device."""


class Feeder:
    """Batches of a data set on the training device, normalised, channels last.

    Args:
        dataset: where they come from.
        training: batch size, augmentation, mixup.
        device: where they go.
    """

    def __init__(
        self, dataset: AbstractDataset, training: TrainingSpec, device: torch.device
    ) -> None:
        self.dataset = dataset
        self.training = training
        self.device = device
        self._images = _near(dataset.train.images, device)
        channels = (1, len(dataset.mean), 1, 1)
        self._mean = torch.tensor(dataset.mean, device=device).mul(255).view(channels)
        self._scale = torch.tensor(dataset.std, device=device).mul(255).reciprocal().view(channels)

    def steps(self) -> int:
        """Batches in one pass over the training split; a rest that fills none is left out."""
        return max(len(self.dataset.train) // self.training.batch_size, 1)

    def shuffled(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass over the training split in random order, augmented and mixed.

        Yields:
            Pictures (B, C, H, W) float, and labels: (B,) int64, or (B, classes) where mixed.
        """
        order = torch.randperm(len(self.dataset.train), generator=generator)
        size = self.training.batch_size
        for step in range(self.steps()):
            index = order[step * size : (step + 1) * size]
            images = self._images[index.to(_home(self._images))]
            if self.training.augment:
                images = self.dataset.augment(images, generator)
            labels = self.dataset.train.labels[index].to(self.device)
            yield self._mixed(self._normalised(images), labels, generator)

    def in_order(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        """All samples of a split as they lie, (B, C, H, W) float and (B,) int64.

        Batches hold as many pixels as 512 pictures of 32 × 32, and no less than in training.
        """
        _, height, width = self.dataset.input_size
        size = max(2**19 // (height * width), self.training.batch_size)
        for index in torch.split(torch.arange(len(split)), size):
            images = split.images[index.to(_home(split.images))]
            yield self._normalised(images), split.labels[index].to(self.device)

    @torch.no_grad()
    def accuracy(self, network: nn.Module, split: Split) -> float:
        """Share of right answers of a network over a split."""
        right = sum(
            int((network(images).argmax(dim=1) == labels).sum())
            for images, labels in self.in_order(split)
        )
        return right / len(split)

    def _normalised(self, images: Tensor) -> Tensor:
        floats = images.to(self.device, torch.float32, memory_format=torch.channels_last)
        return (floats - self._mean) * self._scale

    def _mixed(
        self, images: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mixup (Zhang et al., 2018): x = m x_i + (1 - m) x_j, m ~ Beta(alpha, alpha)."""
        if self.training.mixup == 0:
            return images, labels
        alpha = self.training.mixup
        seed = int(torch.randint(2**62, (1,), generator=generator))
        share = float(np.random.default_rng(seed).beta(alpha, alpha))
        other = torch.randperm(len(images), generator=generator).to(self.device)
        hot = torch.nn.functional.one_hot(labels, self.dataset.num_classes).float()
        return (
            share * images + (1 - share) * images[other],
            share * hot + (1 - share) * hot[other],
        )


def _near(images: Images, device: torch.device) -> Images:
    """The pictures on the device, where they are a tensor and fit."""
    if isinstance(images, Tensor) and images.numel() <= _ON_DEVICE:
        return images.to(device)
    return images


def _home(images: Images) -> torch.device:
    return images.device if isinstance(images, Tensor) else torch.device("cpu")
