"""Fashion-MNIST: 70 000 pictures of clothes of 10 kinds, 28 × 28, one channel."""

from __future__ import annotations

from collections.abc import Sequence

from torchvision.datasets import FashionMNIST

from resnas.datasets._torchvision import TorchvisionDataset


class Fashion(TorchvisionDataset):
    """Fashion-MNIST as published by Zalando, in torchvision's layout under the data root."""

    about = "Fashion-MNIST: 60 000 + 10 000 pictures of clothes, 10 classes at 28×28"
    reader = FashionMNIST
    shape = (10, (1, 28, 28))

    @classmethod
    def files(cls) -> Sequence[str]:
        """The unpacked IDX files."""
        parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
        return [f"FashionMNIST/raw/{part}-ubyte" for part in parts]
