"""CIFAR-100: 60 000 photographs of 100 classes, 32 × 32."""

from __future__ import annotations

from collections.abc import Sequence

from torchvision.datasets import CIFAR100

from resnas.datasets._torchvision import TorchvisionDataset


class Cifar100(TorchvisionDataset):
    """CIFAR-100 as published by Krizhevsky, in torchvision's layout under the data root."""

    about = "CIFAR-100: 50 000 + 10 000 photographs of 100 classes at 32×32"
    reader = CIFAR100
    shape = (100, (3, 32, 32))

    @classmethod
    def files(cls) -> Sequence[str]:
        """The pickled batches."""
        listed = [*CIFAR100.train_list, *CIFAR100.test_list, [CIFAR100.meta["filename"]]]
        return [f"{CIFAR100.base_folder}/{entry[0]}" for entry in listed]
