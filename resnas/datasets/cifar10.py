"""CIFAR-10: 60 000 photographs of 10 classes, 32 × 32."""

from __future__ import annotations

from collections.abc import Sequence

from torchvision.datasets import CIFAR10

from resnas.datasets._torchvision import TorchvisionDataset


class Cifar10(TorchvisionDataset):
    """CIFAR-10 as published by Krizhevsky, in torchvision's layout under the data root."""

    about = "CIFAR-10: 50 000 + 10 000 photographs of 10 classes at 32×32"
    reader = CIFAR10
    shape = (10, (3, 32, 32))

    @classmethod
    def files(cls) -> Sequence[str]:
        """The pickled batches."""
        listed = [*CIFAR10.train_list, *CIFAR10.test_list, [CIFAR10.meta["filename"]]]
        return [f"{CIFAR10.base_folder}/{entry[0]}" for entry in listed]
